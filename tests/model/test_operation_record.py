"""When the id of an operation is used up."""

import pytest

from supervisor.lean.frozen import replace
from supervisor.model.exit import Exit, ExitCode, ExitUnknown, NotStarted
from supervisor.model.ids import OperationId, RunId
from supervisor.model.operation_record import EndReason, Operation, OperationEnded, OperationEnding

OPERATION = Operation(RunId("r"), OperationId("o"), "true", "", "", 0.0, 0.0)
NEVER_BEGAN = NotStarted("there is no such folder")


def ended(end: Exit, why: str = "") -> Operation:
    return replace(OPERATION, state=OperationEnded(end, 1.0, why))


@pytest.mark.parametrize("end", [ExitCode(0), ExitUnknown()])
@pytest.mark.parametrize("why", ["", EndReason.LIMIT, EndReason.CANCEL, EndReason.DRAIN])
def test_an_operation_that_began_has_used_up_its_id(end: Exit, why: str) -> None:
    assert OPERATION.uses_up_id
    assert replace(OPERATION, state=OperationEnding(EndReason.LIMIT, 1.0)).uses_up_id
    assert ended(end, why).uses_up_id


@pytest.mark.parametrize(
    ("why", "used_up"),
    [("", False), (EndReason.DRAIN, False), (EndReason.LIMIT, True), (EndReason.CANCEL, True)],
)
def test_one_that_never_began_has_not_unless_a_client_wanted_no_more_of_it(why: str, used_up: bool) -> None:
    assert ended(NEVER_BEGAN, why).uses_up_id is used_up
