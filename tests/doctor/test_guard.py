"""The guard that keeps these tests on this machine."""

import socket

import pytest

from tests.doctor.attempts import see, target
from tests.doctor.guard import LeavesMachineError


def test_what_would_leave_the_machine_fails_before_the_kernel_sees_it(loopback_only: list[str]) -> None:
    with socket.socket() as tcp, pytest.raises(LeavesMachineError):
        tcp.connect(("192.0.2.1", 443))
    with socket.socket(type=socket.SOCK_DGRAM) as udp, pytest.raises(LeavesMachineError):
        udp.sendto(b"x", ("192.0.2.1", 4242))
    with pytest.raises(LeavesMachineError):
        socket.getaddrinfo("app.example.com", 443)

    assert len(loopback_only) == 3
    loopback_only.clear()


@pytest.mark.parametrize("url", ["https://192.0.2.1", "udp://192.0.2.1:4242", "https://app.example.com"])
def test_an_attempt_cannot_leave_either(url: str, loopback_only: list[str]) -> None:
    see(target(url))

    assert loopback_only
    loopback_only.clear()
