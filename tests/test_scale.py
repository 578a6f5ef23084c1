"""What many services and tasks cost grows with their number, not with its square.

Instructions of Python's machine are counted, not time: those of 400 services and tasks may be at most four times those
of 100, and a little. What C code does in one step, such as the copy of a dictionary, is not counted;
`benchmarks/run scale` measures that.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from benchmarks.programs import at_scale
from supervisor.core.operations import KEPT_RESULTS
from supervisor.core.world import World
from supervisor.model.exit import SUCCESS
from supervisor.model.fact import Exited
from supervisor.model.ids import OperationId, RunId
from supervisor.model.moment import Now
from supervisor.model.operation_record import RunOperation
from tests.core.playbook import Playbook
from tests.core.test_operations import kept

FEW, TIMES = 100, 4
A_LITTLE = 1.03


class Instructions:
    """Counts the instructions of Python's machine while it is entered."""

    def __init__(self) -> None:
        self.seen = 0

    def __enter__(self) -> Instructions:
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        self.seen += event == "opcode"
        return self._trace


def counted(shape: str, number: int, folder: Path) -> dict[str, int]:
    """`{phase: steps}`: how many instructions of Python each phase takes."""
    steps: dict[str, int] = {}
    with Instructions() as instructions:

        def lap(phase: str) -> None:
            steps[phase], instructions.seen = instructions.seen, 0

        at_scale.play(shape, number, folder, lap)
    return steps


@pytest.mark.slow
@pytest.mark.parametrize("shape", at_scale.SHAPES)
def test_cost_grows_with_the_number(shape: str, tmp_path: Path) -> None:
    found = {}
    for number in (10, FEW, FEW * TIMES):  # the first makes what is made once
        folder = tmp_path / str(number)
        folder.mkdir()
        found[number] = counted(shape, number, folder)
    few, many = found[FEW], found[FEW * TIMES]
    beside = {phase: many[phase] / few[phase] / TIMES for phase in many}
    assert max(beside.values()) <= A_LITTLE, beside


def test_an_operation_costs_the_same_with_many_results_beside_it() -> None:
    found = {}
    for number in (1, 10, KEPT_RESULTS - 2):  # the first makes what is made once
        book = Playbook()
        book.world = World(map(kept, range(1, number + 1)), number)
        commands = [RunOperation(OperationId(name), "true", "", 9.0, book.stamp()) for name in ("a", "b")]
        with Instructions() as instructions:
            for command in commands:
                book.world.step([command], Now(1.0, 1.0))
                book.world.step([Exited(RunId(command.stamp), SUCCESS)], Now(2.0, 2.0))
        found[number] = instructions.seen
    assert found[KEPT_RESULTS - 2] <= found[10] * A_LITTLE, found
