"""What the bundle says of the machine and of the supervisor's process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from supervisor.bundle import system
from supervisor.bundle.archive import LeftOut
from supervisor.bundle.masker import Masker
from supervisor.bundle.system import shown_value, system_entries

MASKER = Masker(["pl4nted-secret"])


def read(name: str, pid: int | None, booted: str = "/nonexistent", **environ: str) -> bytes:
    """The content of a part."""
    (part,) = [part for part in system_entries(pid, environ, MASKER, booted) if part.name == name]
    return part.read()


@contextmanager
def process(stderr: int, **environ: str) -> Generator[int]:
    """A process that stays, and writes a secret to its standard error first."""
    script = "echo said pl4nted-secret >&2; exec cat"
    with subprocess.Popen(
        ["sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env={"PATH": os.environ["PATH"]} | environ,
    ) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(b"ready\n")
        running.stdin.flush()
        assert running.stdout.readline() == b"ready\n"
        yield running.pid
        running.stdin.close()


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that systemd started, as far as the bundle looks: its two programs print their arguments."""
    for name in ("systemctl", "journalctl"):
        (tmp_path / name).write_text('#!/bin/sh\necho "$0 $* pl4nted-secret"\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def test_own_words_are_read_from_a_file(tmp_path: Path) -> None:
    with open(tmp_path / "err", "wb") as err, process(err.fileno()) as pid:
        assert read("supervisor/stderr", pid) == b"said ***\n"


def test_own_words_are_read_from_the_journal(journal: Path) -> None:
    with process(subprocess.DEVNULL, JOURNAL_STREAM="8:1") as pid:
        told = read("supervisor/stderr", pid, booted=str(journal))

    assert told == f"{journal}/journalctl --no-pager --lines=2000 _PID={pid} ***\n".encode()


def test_own_words_that_nothing_keeps_are_left_out() -> None:
    with (
        process(subprocess.DEVNULL) as pid,
        pytest.raises(LeftOut, match="it goes to /dev/null, which keeps nothing"),
    ):
        read("supervisor/stderr", pid)


def test_units_are_told_where_systemd_runs(journal: Path) -> None:
    assert b"status supervisor* ***" in read("system/units", None, booted=str(journal))
    with pytest.raises(LeftOut, match="does not run systemd"):
        read("system/units", None)


def test_systemd_that_hangs_is_left_out(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "PROGRAM_TIMEOUT_S", 0.5)
    (journal / "systemctl").write_text("#!/bin/sh\nexec sleep 1000\n")
    with pytest.raises(LeftOut, match=r"systemctl gives no answer within 0\.5 s"):
        read("system/units", None, booted=str(journal))


def test_of_variables_only_harmless_values_are_told() -> None:
    shown = read(
        "environment.json",
        None,
        LANG="C",
        HTTPS_PROXY="http://me:pl4nted@p.invalid",
        COLOR="pl4nted",
        EMPTY="",
    )

    assert json.loads(shown) == {
        "COLOR": "*** (7 characters)",
        "EMPTY": "",
        "HTTPS_PROXY": "http://***@p.invalid",
        "LANG": "C",
    }
    assert shown_value("SUPERVISOR_LOG_LIMIT", "64") == "64"


def test_process_is_told_by_its_command_descriptors_and_environment() -> None:
    with process(subprocess.DEVNULL, MY_TOKEN="pl4nted") as pid:
        assert read("supervisor/command", pid) == b"cat\n"
        assert json.loads(read("supervisor/descriptors.json", pid))["2"] == "/dev/null"
        assert json.loads(read("supervisor/environment.json", pid))["MY_TOKEN"] == "***"


def test_process_that_has_gone_has_nothing_to_tell() -> None:
    with pytest.raises((LeftOut, OSError)):
        read("supervisor/environment.json", 2**22 + 1)


def test_secret_on_a_command_line_is_known_by_its_flag() -> None:
    argv = [sys.executable, "-c", "print(flush=True); input()", "--password", "pl4nted"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout
        assert running.stdout.readline() == b"\n"
        told = read("supervisor/command", running.pid)
        running.kill()

    assert told.endswith(b"; input()' --password ***\n")
