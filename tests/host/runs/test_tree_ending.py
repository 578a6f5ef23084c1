"""What to do next about a run that has to end: what is known in, one step out."""

import pytest

from supervisor.host.proc.process import ProcRef
from supervisor.host.runs.run import Asked
from supervisor.host.runs.tree_ending import (
    KILL_BOUND_S,
    AwaitChange,
    KillTree,
    ReportMainExit,
    Step,
    TerminateProcesses,
    TreeEnded,
    TreeEnding,
)
from supervisor.model.exit import SUCCESS, Exit

MAIN, CHILD, ORPHAN = ProcRef(1, 1), ProcRef(2, 2), ProcRef(3, 3)


class Playbook:
    """One run's ending, step by step."""

    def __init__(self) -> None:
        self.ending = TreeEnding()

    def next(
        self,
        *members: ProcRef,
        asked: Asked = Asked.NOTHING,
        end: Exit | None = None,
        now_s: float = 0.0,
        all_ended: bool = True,
    ) -> Step:
        return self.ending.next(members, asked, end, now_s, all_ended=all_ended)


@pytest.mark.parametrize("asked", list(Asked))
def test_a_run_of_which_nothing_lives_is_over(asked: Asked) -> None:
    assert Playbook().next(asked=asked, end=SUCCESS) == TreeEnded()


def test_a_run_whose_exit_is_not_known_yet_is_not_over() -> None:
    assert Playbook().next() == AwaitChange()


def test_a_service_whose_main_process_leaves_others_says_so_once() -> None:
    it = Playbook()
    assert it.next(CHILD, end=SUCCESS) == ReportMainExit()
    assert it.next(CHILD, end=SUCCESS) == AwaitChange()
    assert it.next(end=SUCCESS) == TreeEnded()


def test_each_process_is_terminated_once() -> None:
    it = Playbook()
    assert it.next(MAIN, CHILD, asked=Asked.TERMINATE) == TerminateProcesses((MAIN, CHILD))
    assert it.next(MAIN, CHILD, asked=Asked.TERMINATE, all_ended=False) == AwaitChange()


def test_a_command_of_a_trap_is_left_to_do_its_work_and_an_orphan_is_terminated() -> None:
    it = Playbook()
    it.next(MAIN, CHILD, asked=Asked.TERMINATE)
    assert it.next(MAIN, ORPHAN, asked=Asked.TERMINATE, all_ended=False) == AwaitChange()
    assert it.next(ORPHAN, asked=Asked.TERMINATE, end=SUCCESS) == TerminateProcesses((ORPHAN,))


def test_killing_is_repeated_for_five_seconds() -> None:
    it = Playbook()
    assert it.next(MAIN, CHILD, asked=Asked.KILL, now_s=7.0) == KillTree((MAIN, CHILD))
    assert it.next(CHILD, asked=Asked.KILL, now_s=7.0 + KILL_BOUND_S - 0.1) == KillTree((CHILD,))
    assert it.next(CHILD, asked=Asked.KILL, now_s=7.0 + KILL_BOUND_S) == TreeEnded((CHILD,))


def test_killing_follows_on_terminating_at_once() -> None:
    it = Playbook()
    it.next(MAIN, asked=Asked.TERMINATE)
    assert it.next(MAIN, asked=Asked.KILL, all_ended=False) == KillTree((MAIN,))
