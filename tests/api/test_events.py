"""What a change of a record is to those who watch."""

from dataclasses import replace

from supervisor.api.events import CREATE, DELETE, UPDATE, operation_of
from supervisor.hub import Change
from supervisor.model.record import Source, Task
from supervisor.model.spec import TaskItem, TaskSpec

TASK = Task("an id", TaskItem("a", "A", TaskSpec("true")), Source.API, 0.0)


def test_a_task_is_created_updated_and_deleted_once() -> None:
    renamed = replace(TASK, item=replace(TASK.item, name="B"), revision=1)
    going = replace(renamed, gone=True, revision=2)

    assert operation_of(Change(None, TASK)) == CREATE
    assert operation_of(Change(TASK, renamed)) == UPDATE
    assert operation_of(Change(renamed, going)) is None
    assert operation_of(Change(going, None)) == DELETE
