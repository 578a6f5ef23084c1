"""A socket that somebody else has put where ours would be."""

from __future__ import annotations

import encodings.ascii  # noqa: F401 - the user cannot reach where it is
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.cli.remote.discovery import NotRunning, find_socket
from supervisor.host.state.state_path import default_path
from tests.host.users.other_user import GID, UID, needs_root, open_folder

__all__ = ["open_folder"]
pytestmark = needs_root

OTHER = UID + 7


def found(workspace: Path, named: str | None = None) -> str:
    """What a user without a home finds, or the complaints."""
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            os.dup2(write, 2)
            os.environ.clear()
            os.chdir(workspace)
            os.setgroups([])
            os.setresgid(GID, GID, GID)
            os.setresuid(UID, UID, UID)
            sys.stderr = os.fdopen(2, "w")
            try:
                print(find_socket(named), file=sys.stderr)
            except NotRunning as error:
                print(error.message, file=sys.stderr)
            sys.stderr.flush()
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read) as told:
        return told.read()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        yield listening


def listen_as(listening: socket.socket, uid: int, path: Path) -> None:
    """Have a user listen at a path."""
    listening.bind(str(path))
    os.chmod(path, 0o666)
    os.seteuid(uid)
    try:
        listening.listen()
    finally:
        os.seteuid(0)


def test_named_socket_of_somebody_else_is_not_used(open_folder: Path, listener: socket.socket) -> None:
    listen_as(listener, OTHER, open_folder / "s")

    assert f"user {OTHER} listens there, who is neither root nor you" in found(
        open_folder, str(open_folder / "s")
    )


@pytest.mark.parametrize("uid", [0, UID])
def test_named_socket_of_root_or_ones_own_is_used(
    open_folder: Path, listener: socket.socket, uid: int
) -> None:
    listen_as(listener, uid, open_folder / "s")

    assert found(open_folder, str(open_folder / "s")) == f"{open_folder}/s\n"


@pytest.mark.parametrize(
    ("owner", "mode", "why"), [(OTHER, 0o755, "belongs to user"), (UID, 0o777, "can be written")]
)
def test_folder_that_somebody_else_has_made_in_tmp_is_not_used(
    open_folder: Path, listener: socket.socket, owner: int, mode: int, why: str
) -> None:
    squatted = Path(f"/tmp/supervisor-{UID}")
    state = squatted / default_path(str(open_folder), {"XDG_STATE_HOME": "/x"}).name
    try:
        state.mkdir(parents=True)
        os.chown(state, owner, -1)
        os.chown(squatted, owner, -1)
        squatted.chmod(mode)
        listen_as(listener, UID, state / "api.sock")

        said = found(open_folder)

        assert f"not using {state}/api.sock: {squatted} {why}" in said
        assert "no supervisor runs for" in said
    finally:
        shutil.rmtree(squatted)
