"""One attempt at one endpoint, against servers that behave well and badly."""

from __future__ import annotations

import socket

import pytest

from supervisor.doctor.endpoint_list import Expect
from supervisor.doctor.findings import State
from supervisor.doctor.network.observation import Cause, Step
from tests.doctor.attempts import SHORT_S, find, see, target
from tests.doctor.servers import (
    OK,
    Authority,
    answering,
    closed,
    full,
    greeting,
    hanging_up,
    resetting,
    serving,
    silent,
    within_tls,
)


def test_endpoint_that_answers_shows_status_address_and_issuer(authority: Authority) -> None:
    heads: list[bytes] = []
    with serving(within_tls(authority.server(), answering(OK, heads))) as server:
        found = find(target(f"https://localhost:{server.port}/a/b?c=d"), authority)

    assert found.verdict.state is State.OK
    assert found.verdict.detail == "200 OK; certificate by O=Trusted Test CA, OU=Tests"
    assert (found.facts["status"], found.facts["address"]) == (200, "127.0.0.1")
    assert heads[0].startswith(b"GET /a/b?c=d HTTP/1.1\r\nHost: localhost:%d\r\n" % server.port)


def test_server_that_shows_a_certificate_by_a_stranger_is_named(
    authority: Authority, stranger: Authority
) -> None:
    with serving(within_tls(stranger.server(), answering(OK))) as server:
        found = find(target(f"https://localhost:{server.port}"), authority)

    assert found.verdict.state is State.FAILED
    assert "certificate by O=Corporate Inspection CA, OU=Tests is not trusted" in found.verdict.detail
    assert "give this machine its CA" in found.verdict.detail
    assert "status" not in found.facts, "nothing is asked of a server that is not trusted"


def test_expired_certificate_names_its_span_and_the_clock(authority: Authority) -> None:
    with serving(within_tls(authority.server(expired=True), answering(OK))) as server:
        found = find(target(f"https://localhost:{server.port}"), authority)

    assert found.verdict.state is State.FAILED
    assert (
        "is good from 2019-01-01 00:00 UTC to 2020-01-01 00:00 UTC, and the clock here says"
        in found.verdict.detail
    )


def test_certificate_for_another_name_is_no_certificate(authority: Authority) -> None:
    with serving(within_tls(authority.server("other.invalid"), answering(OK))) as server:
        found = find(target(f"https://localhost:{server.port}"), authority)

    assert found.verdict.state is State.FAILED
    assert "hostname mismatch" in found.verdict.detail.lower()


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail.invalid ESMTP\r\n", b"SSH-2.0-x\r\n"]
)
def test_plain_text_on_the_port_of_tls_is_told(data: bytes) -> None:
    with serving(greeting(data)) as server:
        seen = see(target(f"https://localhost:{server.port}"))

    assert seen.failure is not None
    assert (seen.failure.step, seen.failure.cause) == (Step.TLS, Cause.NO_TLS)


@pytest.mark.slow
def test_server_that_accepts_and_says_nothing_times_out_in_the_handshake() -> None:
    with serving(silent) as server:
        found = find(target(f"https://localhost:{server.port}"), timeout_s=SHORT_S)

    assert found.verdict.state is State.FAILED
    assert "the TLS handshake did not end within 1 s" in found.verdict.detail
    assert found.seconds is not None
    assert found.seconds >= SHORT_S


@pytest.mark.slow
def test_server_that_never_answers_the_request_times_out_there(authority: Authority) -> None:
    with serving(within_tls(authority.server(), silent)) as server:
        seen = see(target(f"https://localhost:{server.port}"), authority, timeout_s=5.0)

    assert seen.failure is not None
    assert (seen.failure.step, seen.failure.cause) == (Step.HTTP, Cause.TIMEOUT)
    assert seen.certificate is not None


@pytest.mark.slow
def test_port_that_drops_packets_times_out_at_the_connection() -> None:
    with full() as port:
        seen = see(target(f"https://127.0.0.1:{port}"), timeout_s=SHORT_S)

    assert seen.failure is not None
    assert (seen.failure.step, seen.failure.cause) == (Step.TCP, Cause.TIMEOUT)


def test_port_that_nobody_listens_on_refuses() -> None:
    with closed() as port:
        found = find(target(f"https://127.0.0.1:{port}"))

    assert found.verdict.state is State.FAILED
    assert found.verdict.detail == "it refuses connections: nothing listens there, or a firewall says so"


@pytest.mark.parametrize("behaviour", [hanging_up, resetting])
def test_connection_that_is_closed_in_the_handshake_is_told(behaviour: object) -> None:
    with serving(behaviour) as server:  # type: ignore[arg-type]
        found = find(target(f"https://127.0.0.1:{server.port}"))

    assert found.verdict.detail == "it closes the connection during the TLS step"


def test_connection_that_is_closed_before_the_answer_is_told(authority: Authority) -> None:
    with serving(within_tls(authority.server(), answering(b""))) as server:
        found = find(target(f"https://127.0.0.1:{server.port}"), authority)

    assert found.verdict.detail == "it closes the connection during the HTTP step"


@pytest.mark.parametrize(
    "data", [b"\0\1\2", b"HELLO\r\n\r\n", b"HTTP/1.1 99 x\r\n\r\n", b"HTTP/1.1 200 OK\r\nbegun"]
)
def test_what_is_no_http_is_quoted(data: bytes) -> None:
    with serving(answering(data)) as server:
        seen = see(target(f"http://127.0.0.1:{server.port}"))

    assert seen.failure is not None
    assert seen.failure.cause is Cause.NO_HTTP
    assert seen.failure.text.isprintable()


def test_endless_head_is_given_up() -> None:
    with serving(greeting(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000)) as server:
        seen = see(target(f"http://127.0.0.1:{server.port}"))

    assert seen.failure is not None
    assert seen.failure.cause is Cause.NO_HTTP


@pytest.mark.parametrize(
    ("line", "state", "words"),
    [
        ("200 OK", State.OK, "200 OK"),
        ("204 No Content", State.OK, "204 No Content"),
        (
            "301 Moved Permanently\r\nLocation: https://login.invalid/in",
            State.OK,
            "301 Moved Permanently to https://login.invalid/in",
        ),
        ("401 Unauthorized", State.OK, "401 Unauthorized"),
        ("403 Forbidden", State.WARNING, "a filter on the way"),
        ("404 Not Found", State.OK, "404 Not Found"),
        ("407 Proxy Authentication Required", State.FAILED, "a proxy wants credentials"),
        ("500 Internal Server Error", State.FAILED, "it was reached and does not work"),
        ("503", State.FAILED, "503: it was reached"),
    ],
)
def test_status_decides_where_any_answer_is_good(line: str, state: State, words: str) -> None:
    with serving(answering(f"HTTP/1.1 {line}\r\n\r\n".encode())) as server:
        found = find(target(f"http://127.0.0.1:{server.port}"))

    assert found.verdict.state is state
    assert words in found.verdict.detail


@pytest.mark.parametrize(
    ("status", "state"), [(200, State.OK), (302, State.OK), (403, State.FAILED), (404, State.FAILED)]
)
def test_where_a_file_is_expected_only_success_is_good(status: int, state: State) -> None:
    with serving(answering(b"HTTP/1.1 %d x\r\n\r\n" % status)) as server:
        found = find(target(f"http://127.0.0.1:{server.port}/file", expect=Expect.SUCCESS))

    assert found.verdict.state is state


@pytest.fixture
def dns() -> None:
    """A DNS that answers. Machines that reach nothing but a proxy may have none."""
    try:
        socket.getaddrinfo("nothing.invalid", 443)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            pytest.skip("no DNS answers here")


@pytest.mark.usefixtures("dns")
@pytest.mark.parametrize("host", ["nothing.invalid", "a..b"])
def test_name_that_does_not_exist_fails_in_the_dns(host: str) -> None:
    found = find(target(f"https://{host}"))

    assert found.verdict.state is State.FAILED
    assert "the DNS does not know this name" in found.verdict.detail
    assert found.facts["step"] == "dns"


@pytest.mark.usefixtures("dns")
def test_example_that_the_dns_does_not_know_tells_nothing_of_the_others() -> None:
    found = find(target("https://*.invalid", example="https://doctor.invalid"))

    assert found.verdict.state is State.UNKNOWN
    assert not found.is_fatal


def test_ipv6_is_reached(authority: Authority) -> None:
    with serving(within_tls(authority.server(), answering(OK)), host="::1") as server:
        found = find(target(f"https://[::1]:{server.port}"), authority)

    assert (found.verdict.state, found.facts["address"]) == (State.OK, "::1")


def test_second_address_of_a_name_is_tried_when_the_first_refuses(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    def both(_host: str, port: int, **_: object) -> list[object]:
        return [
            (socket.AF_INET6, 0, 0, "", ("::1", port, 0, 0)),
            (socket.AF_INET, 0, 0, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with serving(within_tls(authority.server(), answering(OK))) as server:
        found = find(target(f"https://localhost:{server.port}"), authority)

    assert (found.verdict.state, found.facts["address"]) == (State.OK, "127.0.0.1")
    assert found.facts["addresses"] == ["::1", "127.0.0.1"]


@pytest.mark.slow
def test_lookup_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = socket.socketpair()

    def hang(*_: object, **__: object) -> None:
        near.recv(1)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with near, far:
        seen = see(target("https://localhost:1"), timeout_s=SHORT_S)
        far.sendall(b"x")  # lets the thread go that nobody waits for

    assert seen.failure is not None
    assert (seen.failure.step, seen.failure.cause) == (Step.DNS, Cause.TIMEOUT)
