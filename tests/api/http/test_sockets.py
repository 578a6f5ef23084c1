"""The sockets that a supervisor listens on."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor.api.http.sockets import Sockets
from supervisor.model.errors import MachineError
from supervisor.settings.values import Address
from supervisor.shim.unix_socket import connect

FREE = Address("127.0.0.1", 0)


@contextmanager
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_the_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    before = os.umask(0)
    try:
        with closing(Sockets(path, None)) as sockets:
            assert path.stat().st_mode & 0o777 == 0o600
            assert (sockets.address, sockets.url) == (None, "")
    finally:
        os.umask(before)


def test_the_socket_is_gone_with_its_server(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    Sockets(path, FREE).close()
    assert os.listdir(tmp_path) == []


def test_the_socket_of_a_dead_server_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    with closing(Sockets(path, None)), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_the_socket_of_a_living_server_is_not(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    with closing(Sockets(path, None)):
        with pytest.raises(MachineError, match="another process answers there"):
            Sockets(path, None)
        assert path.is_socket()


def test_a_file_in_the_place_of_the_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    path.write_text("precious")
    with pytest.raises(MachineError, match="a file that is not a socket"):
        Sockets(path, None)
    assert path.read_text() == "precious"


def test_a_server_that_was_replaced_leaves_its_successors_socket(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    first = Sockets(path, None)
    path.unlink()
    with closing(Sockets(path, None)):
        first.close()
        assert path.is_socket()


def test_a_socket_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"cannot listen on the socket .*: No such file"):
        Sockets(tmp_path / "none" / "api.sock", None)


def test_a_path_may_be_longer_than_an_address(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120) / ("y" * 120)
    folder.mkdir(parents=True)
    path = folder / "api.sock"
    with closing(Sockets(path, None)):
        with pytest.raises(MachineError, match="another process answers there"):
            Sockets(path, None)
        with socket.socket(socket.AF_UNIX) as client:
            connect(client, path)
    assert os.listdir(folder) == []


def test_the_url_is_what_clients_on_this_machine_use() -> None:
    for host, shown in (("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("localhost", "127.0.0.1")):
        with closing(Sockets(None, Address(host, 0))) as sockets:
            assert sockets.address is not None
            assert sockets.url in (
                f"http://{shown}:{sockets.address[1]}",
                f"http://[::1]:{sockets.address[1]}",
            )


def test_a_client_whose_machine_is_gone_is_noticed() -> None:
    """`Connection` is served by aiohttp, which switches keep-alive on; how often it asks is the listener's."""
    with closing(Sockets(None, FREE)) as sockets, socket.create_connection(sockets.address or ("", 0)):
        sockets.listening[0].setblocking(True)
        with sockets.listening[0].accept()[0] as accepted:
            options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            assert [accepted.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [30, 10, 3]


def test_a_second_supervisor_gets_another_port() -> None:
    with taken() as port, closing(Sockets(None, Address(port=port))) as sockets:
        assert sockets.address is not None
        assert sockets.address[1] != port
    assert str(port) in sockets.notice
    assert str(sockets.address[1]) in sockets.notice


def test_a_port_that_was_asked_for_is_not_replaced(tmp_path: Path) -> None:
    with taken() as port, pytest.raises(MachineError) as caught:
        Sockets(tmp_path / "api.sock", Address("127.0.0.1", port, fixed=True))
    assert f"cannot listen on 127.0.0.1:{port}: the port is taken" in str(caught.value)
    assert "--listen" in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("host", ["203.0.113.1", "nonsense.invalid"])
def test_an_address_that_is_not_this_machines(host: str) -> None:
    with pytest.raises(MachineError, match=f"cannot listen on {host}:8080: "):
        Sockets(None, Address(host, 8080))


def test_a_port_is_free_again_although_connections_linger() -> None:
    sockets = Sockets(None, FREE)
    assert sockets.address is not None
    with socket.create_connection(sockets.address) as client:
        client.settimeout(5)
        sockets.listening[0].setblocking(True)
        server, _ = sockets.listening[0].accept()
        server.close()  # this side closes first, so here it lingers
        assert client.recv(1) == b""
    sockets.close()
    Sockets(None, Address("127.0.0.1", sockets.address[1], fixed=True)).close()


def test_room_is_made_for_clients_up_to_the_hard_limit() -> None:
    code = (
        "import resource; from supervisor.api.http.sockets import room_for_clients\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (300, 1000))\n"
        "assert room_for_clients() == (1000 - 256) // 2\n"
        "assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1000, 1000)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "assert room_for_clients() == 16\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)


def test_given_sockets_listen_on_and_those_that_are_not_used_are_closed(tmp_path: Path) -> None:
    path, address = tmp_path / "sock", Address("127.0.0.1", 0)
    first = Sockets(path, address)
    kept = replace(first.keep(), address=repr(address))
    first.close()
    second = Sockets(path, address, carried=kept)
    assert second.address == first.address
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    kept = replace(second.keep(), address=repr(address))
    second.close()
    assert path.exists(), "it was kept for the next"
    third = Sockets(path, Address("127.0.0.1", 0, fixed=True), carried=kept)
    assert third.address != first.address
    with socket.socket() as client:
        assert client.connect_ex(first.address) == errno.ECONNREFUSED  # type: ignore[arg-type]
    third.close()
    assert not path.exists()
