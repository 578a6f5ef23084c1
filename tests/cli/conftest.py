"""The command line inside this process, for subcommands that start nothing, and beside a running supervisor."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from supervisor.cli import main
from tests.cli.running import running

__all__ = ["running"]


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


PROGRAM = Path(__file__).resolve().parents[2] / "supervisor/__main__.py"


def run_program(
    *arguments: str, stdout: int = subprocess.PIPE, **env: str
) -> "subprocess.CompletedProcess[str]":
    """The command line as a process of its own."""
    return subprocess.run(
        [sys.executable, "-I", PROGRAM, *arguments],
        env=os.environ | env,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=20,
        check=False,
    )


Invoke = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with nothing in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def supervisor(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Invoke:
    """`supervisor("validate", "-", stdin=b"...")`, in an empty current folder."""

    def invoke(*arguments: str | Path, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "argv", ["supervisor", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = main()
        captured = capfdbinary.readouterr()
        return Result(status, captured.out.decode(), captured.err.decode())

    return invoke
