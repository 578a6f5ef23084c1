"""An upgrade has root execute what stands on the disk: nobody else can ask for it, or have a say in what that is."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import ROOT, Program, until
from tests.e2e.test_user import Machine
from tests.host.users.other_user import GID, UID, needs_root
from tests.program import PROGRAM

pytestmark = [needs_root, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def machine() -> Iterator[Machine]:
    folder = Path(tempfile.mkdtemp(prefix="upgrade-", dir="/tmp"))
    folder.chmod(0o755)
    machine = Machine(folder)
    machine.write("services: {web: {name: Web, commands: {start: exec sleep 1000}}}\n")
    yield machine
    machine.close()
    shutil.rmtree(folder)


@pytest.fixture
def copy(machine: Machine) -> Path:
    """A program that is the machine's own."""
    copy = machine.etc / "program"
    for name in PROGRAM:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def start(machine: Machine, copy: Path) -> Program:
    words = ("run", "--format", "json", "--listen", "127.0.0.1:0", "--user", "dev")
    entry = ("-S", copy / "supervisor/__main__.py")
    return machine.keep(
        Program(words, machine.folder, machine.env | {"HOME": "/root"}, subprocess.PIPE, machine.here, entry)
    )


def as_root(
    machine: Machine, supervisor: Program, *arguments: str, within: tuple[str, ...] = ()
) -> tuple[int, str, str]:
    words = ("nsenter", f"--mount=/proc/{supervisor.pid}/ns/mnt", f"--wdns={machine.folder}")
    return machine.ended(machine._start(arguments, (*words, *within), {"HOME": "/root"}))


def test_only_root_has_it_execute_another_program_and_only_one_of_roots(machine: Machine, copy: Path) -> None:
    program = start(machine, copy)
    until(lambda: as_root(machine, program, "status")[0] == 0, "a supervisor that answers")

    status, _, error = machine.ended(machine.as_user(program, "upgrade"))
    assert (status, "an upgrade is for root and the supervisor's own user" in error) == (1, True), error
    in_container = ("unshare", "--pid", "--fork")
    assert "an upgrade is for root" in as_root(machine, program, "upgrade", within=in_container)[2]
    url = as_root(machine, program, "status", "--format", "json")[1]
    token = as_root(machine, program, "token")[1].strip()
    address = url.partition('"url": "http://')[2].partition('"')[0]
    client = http.client.HTTPConnection(address, timeout=20)
    client.request("POST", "/control/upgrade", "{}", {"Authorization": f"Bearer {token}"})
    assert client.getresponse().status == 403
    client.close()

    status, _, error = as_root(machine, program, "upgrade")
    assert status == 0, error
    hooks = copy / "supervisor/core/plans/graph.py"
    os.chown(hooks, UID, GID)
    status, _, error = as_root(machine, program, "upgrade")
    assert status == 1
    assert f"its program could be changed: {hooks} belongs to user {UID}" in error
    assert as_root(machine, program, "status")[0] == 0
    assert machine.stop(program) == 130


def test_start_from_files_that_others_may_write_is_refused(machine: Machine, copy: Path) -> None:
    (copy / "supervisor").chmod(0o777)
    program = start(machine, copy)
    status, _, error = machine.ended(program)
    assert status == 2
    assert f"{copy}/supervisor can be written by others" in error
    assert machine.left_after_a_moment() == []
