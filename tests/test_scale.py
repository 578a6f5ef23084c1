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

FEW, TIMES = 100, 4
A_LITTLE = 1.03


def counted(shape: str, number: int, folder: Path) -> dict[str, int]:
    """`{phase: steps}`: how many instructions of Python each phase takes."""
    steps, seen = {}, 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal seen
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        seen += event == "opcode"
        return trace

    def lap(phase: str) -> None:
        nonlocal seen
        steps[phase], seen = seen, 0

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        at_scale.play(shape, number, folder, lap)
    finally:
        sys.settrace(before)
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
