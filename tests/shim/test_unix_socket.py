"""Unix sockets at paths of any length, and who is at their other end."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.shim.unix_socket import MAX_PATH_BYTES, bind, connect, peer_credentials
from tests.host.users.other_user import UID, needs_root, open_folder

__all__ = ["open_folder"]


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as connecting:
        yield listening, connecting


def path_of(folder: Path, length: int) -> Path:
    while len(os.fsencode(folder)) < length - 50:
        folder = folder / ("x" * 30)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / ("s" * (length - len(os.fsencode(folder)) - 1))


@pytest.mark.parametrize("length", [MAX_PATH_BYTES, MAX_PATH_BYTES + 1, 1000])
def test_path_of_any_length_serves(
    tmp_path: Path, sockets: tuple[socket.socket, socket.socket], length: int
) -> None:
    listening, connecting = sockets
    path = path_of(tmp_path, length)
    before = len(os.listdir("/proc/self/fd"))

    bind(listening, path)
    listening.listen()
    connect(connecting, path)

    assert path.is_socket()
    assert len(os.listdir("/proc/self/fd")) == before


def test_long_name_in_the_current_folder_serves(
    tmp_path: Path, sockets: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    listening, connecting = sockets
    # Through a descriptor the address has a few bytes more than the name, which may be as long as a short address.
    name = "s" * 85

    bind(listening, f"{'./' * 20}{name}")
    listening.listen()
    connect(connecting, f"{'./' * 20}{name}")

    assert (tmp_path / name).is_socket()


def test_folder_that_is_not_there_is_an_error(
    tmp_path: Path, sockets: tuple[socket.socket, socket.socket]
) -> None:
    with pytest.raises(FileNotFoundError):
        connect(sockets[1], tmp_path / ("x" * 120) / "api.sock")


def test_peer_is_the_process_that_has_the_other_end() -> None:
    ours, its = socket.socketpair()
    with ours, its:
        assert peer_credentials(ours) == (os.getpid(), os.geteuid())


@needs_root
def test_peer_may_be_another_user(open_folder: Path, sockets: tuple[socket.socket, socket.socket]) -> None:
    listening, connecting = sockets
    bind(listening, open_folder / "socket")
    listening.listen()
    os.chmod(open_folder / "socket", 0o666)
    os.seteuid(UID)
    try:
        connect(connecting, open_folder / "socket")
    finally:
        os.seteuid(0)

    accepted, _ = listening.accept()
    with accepted:
        assert peer_credentials(accepted) == (os.getpid(), UID)
