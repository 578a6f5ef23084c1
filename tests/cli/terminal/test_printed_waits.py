"""What is printed while the supervisor waits for something for a while."""

import sys

import pytest

from supervisor.cli.terminal import printer
from supervisor.cli.terminal.output import Outlet
from supervisor.cli.terminal.printer import Printer
from supervisor.model.command import Drain
from tests.core.playbook import Playbook


def test_a_drain_that_waits_for_an_operation_says_so(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printer, "PATIENCE_S", 0.0)
    outlet, book = Outlet(sys.stdout), Playbook()
    printing = Printer(outlet)
    book.operate("call \x1b[31m\n1")
    assert not printing.waiting(book.world.records), "before the drain it is nobody's business"
    book.do(Drain(30.0))
    assert printing.waiting(book.world.records)
    book.exited("call \x1b[31m\n1")
    assert not printing.waiting(book.world.records)
    outlet.close()

    assert [line.split("  ")[1] for line in capfd.readouterr().out.splitlines()] == [
        "waiting for operation call [31m1 to end, 0 s"
    ]
