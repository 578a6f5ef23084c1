"""The port that a real sshd listens on, for root and for those who may not look into root's processes."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from supervisor.activity import ssh_server
from supervisor.activity.ssh_sessions import sshd_processes
from tests.activity.sshd import MISSING, sshd

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(MISSING, reason="there is no sshd here"),
]


@pytest.fixture(autouse=True)
def no_other() -> None:
    if ssh_server.ssh_port() is not None:
        pytest.skip("an sshd runs on this machine")


def test_port_of_an_sshd_that_listens_beside_its_sessions(tmp_path: Path) -> None:
    with sshd(tmp_path) as server:
        with server.session() as _:
            assert ssh_server.ssh_port() == server.port
        assert ssh_server.ssh_port() == server.port
    assert ssh_server.ssh_port() is None


def test_port_by_the_configuration_where_sockets_are_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: psutil.Process, _kind: str) -> None:
        raise psutil.AccessDenied(self.pid)

    with sshd(tmp_path) as server:
        listener = next(iter(sshd_processes()))
        with server.session() as _:
            monkeypatch.setattr(psutil.Process, "net_connections", refuse)
            assert ssh_server.ssh_port() == server.port
            assert len(list(sshd_processes())) > 1
        (tmp_path / "sshd_config").write_text("  port = 12\nPort 1\n")
        assert ssh_server._told(listener.cmdline()) == [12, 1]
        assert ssh_server.ssh_port() is None, "nothing listens there"
    assert ssh_server._told(["/usr/sbin/sshd", "-D", "-p", "2222"]) == [2222]
