"""An exception that nobody expected is written down; one that was is told as ever."""

from pathlib import Path

import anyio
import pytest

from supervisor.boot import crash
from supervisor.boot.crash import Bug, files, noted, restarted
from supervisor.boot.report import ContainedReport
from supervisor.config import Loaded
from supervisor.core.items.diff import Changes
from supervisor.model.errors import MachineError
from tests.boot.notices import Notices


def test_bug_is_written_down_with_its_notes(tmp_path: Path) -> None:
    error = ZeroDivisionError("division by zero")
    error.add_note("recent inputs")
    with pytest.raises(Bug) as caught, noted(tmp_path):
        raise ExceptionGroup("tasks", [error])
    (path,) = files(tmp_path)
    assert "ZeroDivisionError: division by zero" in str(caught.value)
    assert str(path) in str(caught.value)
    assert "recent inputs" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_expected_error_stays_what_it_is_also_from_a_task(tmp_path: Path) -> None:
    with pytest.raises(MachineError), noted(tmp_path):
        raise MachineError("no")
    with pytest.raises(MachineError), noted(tmp_path):
        raise ExceptionGroup("tasks", [ExceptionGroup("more", [MachineError("no")])])
    assert files(tmp_path) == []


def test_few_files_are_kept(tmp_path: Path) -> None:
    for number in range(crash.KEPT_FILES + 2):
        (tmp_path / f"crash-2026010{number}T000000Z-1.txt").touch()
    with pytest.raises(Bug), noted(tmp_path):
        raise KeyError("x")
    assert len(files(tmp_path)) == crash.KEPT_FILES


def test_folder_that_takes_nothing_leaves_the_traceback_on_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Bug, match="cannot be written"), noted(tmp_path / "missing"):
        raise KeyError("x")
    assert "KeyError: 'x'" in capsys.readouterr().err


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash, "LEAST_PAUSE_S", 0.001)


@pytest.mark.usefixtures("quick")
def test_edge_that_fails_begins_again(tmp_path: Path) -> None:
    report = Notices()
    begun = 0

    async def edge() -> None:
        nonlocal begun
        begun += 1
        if begun < 4:
            raise ExceptionGroup("tasks", [KeyError("x")])

    anyio.run(restarted(edge, tmp_path, report))

    assert begun == 4
    assert len(report.texts) == 3
    assert str(files(tmp_path)[0]) in report.texts[0]


def test_edge_that_means_to_end_everything_does(tmp_path: Path) -> None:
    async def edge() -> None:
        raise ExceptionGroup("tasks", [MachineError("no")])

    with pytest.raises(MachineError):
        anyio.run(restarted(edge, tmp_path, Notices()))
    assert files(tmp_path) == []


def test_report_that_fails_is_logged_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def loaded(self, *_: object) -> None:
            raise OSError

        applied = notice = loaded

    report = ContainedReport(Broken())
    report.notice("x")
    report.applied(Changes())
    report.loaded("x", Loaded(None))
    assert caplog.text.count("the report met a bug") == 3
