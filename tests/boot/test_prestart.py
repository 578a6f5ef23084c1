"""What is started before anything else: a machine that is short of a process for it is waited for."""

from __future__ import annotations

import _thread
import errno
import os

import pytest

from supervisor.boot import prestart
from supervisor.host.proc import cgroups
from supervisor.host.runs.spawn.shim_client import ShimClient
from supervisor.model.errors import MachineError


class Machine:
    """Refuses to start a shim so many times, for that reason."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusals: int, number: int) -> None:
        self.refusals, self.number, self.start = refusals, number, ShimClient.start
        monkeypatch.setattr(prestart, "_PAUSE_S", 0.01)
        monkeypatch.setattr(ShimClient, "start", self.maybe)

    def maybe(self) -> ShimClient:
        if self.refusals:
            self.refusals -= 1
            raise OSError(self.number, os.strerror(self.number))
        return self.start()


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EMFILE])
def test_shim_that_cannot_be_started_now_is_tried_again(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    machine = Machine(monkeypatch, 3, number)
    assert prestart.take_shim().close() == 0
    assert machine.refusals == 0


def test_shim_that_cannot_be_started_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch, 2, errno.ENOENT)
    with pytest.raises(MachineError, match="cannot start the process that holds commands: No such file"):
        prestart.take_shim()


@pytest.mark.skipif(cgroups.own_folder() is None, reason="there is no cgroup v2 here")
def test_thread_that_cannot_be_started_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    monkeypatch.setattr(prestart, "_started", [])
    monkeypatch.setattr(prestart, "_asked", [])
    monkeypatch.setattr(cgroups, "is_ours", lambda _: True)  # else there is no such thread

    prestart.start_shim()

    assert prestart.take_shim().close() == 0
