"""Through a proxy: a tunnel, an interception, a refusal, and when it is left out."""

from __future__ import annotations

import pytest

from supervisor.doctor.findings import State
from supervisor.doctor.network.observation import Cause, Step
from supervisor.doctor.network.proxy import Proxies, parsed
from tests.doctor.attempts import SHORT_S, find, see, target
from tests.doctor.servers import (
    OK,
    Authority,
    answering,
    closed,
    greeting,
    intercepting,
    proxying,
    serving,
    silent,
    tunnelling,
    within_tls,
)


def test_endpoint_is_reached_through_the_proxy_which_resolves_its_name(authority: Authority) -> None:
    heads: list[bytes] = []
    with (
        serving(within_tls(authority.server(), answering(OK))) as server,
        serving(proxying(tunnelling, heads)) as proxy,
    ):
        environ = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
        found = find(target(f"https://localhost:{server.port}"), authority, environ=environ)

    assert found.verdict.state is State.OK
    assert found.verdict.detail.endswith(f"through the proxy 127.0.0.1:{proxy.port}")
    assert heads[0].startswith(b"CONNECT localhost:%d HTTP/1.1\r\n" % server.port)


def test_interception_shows_the_proxys_own_issuer(authority: Authority, stranger: Authority) -> None:
    heads: list[bytes] = []
    with serving(proxying(intercepting(stranger.server("app.invalid")), heads)) as proxy:
        environ = {"https_proxy": f"127.0.0.1:{proxy.port}"}
        distrusted = find(target("https://app.invalid"), authority, environ=environ)
        trusted = find(target("https://app.invalid"), stranger, environ=environ)

    assert distrusted.verdict.state is State.FAILED
    assert "by O=Corporate Inspection CA, OU=Tests is not trusted" in distrusted.verdict.detail
    assert trusted.verdict.state is State.OK
    assert "certificate by O=Corporate Inspection CA" in trusted.verdict.detail


@pytest.mark.parametrize(
    ("line", "words"),
    [("403 Forbidden", "403 Forbidden"), ("407 Who are you", "407"), ("502 Bad Gateway", "502")],
)
def test_refusal_of_the_proxy_is_told_as_the_proxys(line: str, words: str) -> None:
    with serving(answering(f"HTTP/1.1 {line}\r\n\r\n".encode())) as proxy:
        environ = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
        found = find(target("https://app.invalid"), environ=environ)

    assert found.verdict.state is State.FAILED
    assert f"the proxy 127.0.0.1:{proxy.port} refuses a tunnel: {words}" in found.verdict.detail


def test_credentials_reach_the_proxy_and_no_message() -> None:
    heads: list[bytes] = []
    with serving(proxying(lambda _: greeting(b"HTTP/1.1 407 No\r\n\r\n"), heads)) as proxy:
        environ = {"HTTPS_PROXY": f"http://me:s%40cret@127.0.0.1:{proxy.port}"}
        found = find(target("https://app.invalid"), environ=environ)

    assert b"Proxy-Authorization: Basic bWU6c0BjcmV0\r\n" in heads[0]
    assert "cret" not in repr(found)
    assert "cret" not in str(Proxies(environ))


def test_proxy_that_is_not_there_is_told_apart_from_the_endpoint() -> None:
    with closed() as port:
        found = find(target("https://app.invalid"), environ={"HTTPS_PROXY": f"http://127.0.0.1:{port}"})

    assert f"the proxy 127.0.0.1:{port} refuses connections" in found.verdict.detail


@pytest.mark.slow
def test_proxy_that_never_answers_times_out() -> None:
    with serving(silent) as proxy:
        environ = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
        seen = see(target("https://app.invalid"), environ=environ, timeout_s=SHORT_S)

    assert seen.failure is not None
    assert (seen.failure.step, seen.failure.cause) == (Step.PROXY, Cause.TIMEOUT)


def test_proxy_within_tls_is_spoken_to_within_tls(authority: Authority) -> None:
    heads: list[bytes] = []
    with (
        serving(within_tls(authority.server(), answering(OK))) as server,
        serving(within_tls(authority.server(), proxying(tunnelling, heads))) as proxy,
    ):
        environ = {"HTTPS_PROXY": f"https://localhost:{proxy.port}"}
        found = find(target(f"https://localhost:{server.port}"), authority, environ=environ)

    assert found.verdict.state is State.OK


def test_plain_http_goes_to_the_proxy_as_a_whole_url() -> None:
    heads: list[bytes] = []
    with serving(answering(OK, heads)) as proxy:
        environ = {"http_proxy": f"http://127.0.0.1:{proxy.port}"}
        found = find(target("http://app.invalid/x"), environ=environ)

    assert found.verdict.state is State.OK
    assert heads[0].startswith(b"GET http://app.invalid/x HTTP/1.1\r\nHost: app.invalid\r\n")


def test_proxy_that_does_not_speak_http_is_told() -> None:
    with serving(answering(b"SSH-2.0-OpenSSH\r\n")) as proxy:
        environ = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
        found = find(target("https://app.invalid"), environ=environ)

    assert "does not answer in HTTP" in found.verdict.detail


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:1080", "http://", "http://x:y", "http://[::1"])
def test_variable_that_names_no_usable_proxy_is_told(value: str) -> None:
    found = find(target("https://app.invalid"), environ={"HTTPS_PROXY": value})

    assert found.verdict.state is State.FAILED
    assert found.facts["trouble"] == "no proxy"


@pytest.mark.parametrize(
    ("environ", "url", "through"),
    [
        ({}, "https://a.invalid", ""),
        ({"HTTPS_PROXY": "p:1"}, "https://a.invalid", "p:1"),
        ({"HTTPS_PROXY": "p:1"}, "http://a.invalid", ""),
        ({"HTTP_PROXY": "p:1"}, "https://a.invalid", ""),
        ({"ALL_PROXY": "p:1"}, "https://a.invalid", "p:1"),
        ({"HTTPS_PROXY": "p:1", "https_proxy": "q:2"}, "https://a.invalid", "q:2"),
        ({"HTTPS_PROXY": "p:1", "https_proxy": ""}, "https://a.invalid", ""),
        ({"HTTPS_PROXY": "p:1", "NO_PROXY": "a.invalid"}, "https://a.invalid", ""),
        ({"HTTPS_PROXY": "p:1", "NO_PROXY": ".invalid"}, "https://a.invalid", ""),
        ({"HTTPS_PROXY": "p:1", "NO_PROXY": "invalid, x"}, "https://a.invalid", ""),
        ({"HTTPS_PROXY": "p:1", "no_proxy": "*"}, "https://a.invalid", ""),
        ({"HTTPS_PROXY": "p:1", "NO_PROXY": "b.invalid"}, "https://a.invalid", "p:1"),
        ({"HTTPS_PROXY": "p:1", "NO_PROXY": "a.invalid:8443"}, "https://a.invalid:8443", ""),
        ({"HTTP_PROXY": "p:1", "REQUEST_METHOD": "GET"}, "http://a.invalid", ""),
    ],
)
def test_variables_decide_as_in_other_programs(environ: dict[str, str], url: str, through: str) -> None:
    proxy = Proxies(environ).of(target(url))

    assert ("" if proxy is None else str(proxy)) == through


def test_endpoint_that_every_machine_has_for_itself_is_asked_directly() -> None:
    proxies = Proxies({"HTTP_PROXY": "p:1"})

    assert proxies.of(target("http://a.invalid")) is not None
    assert proxies.of(target("http://a.invalid", direct=True)) is None


def test_variables_are_shown_without_credentials() -> None:
    proxies = Proxies({"HTTPS_PROXY": "http://me:hidden@p.invalid:3128", "NO_PROXY": "localhost"})

    assert str(proxies) == "https: p.invalid:3128; not for localhost"
    assert str(Proxies({"NO_PROXY": "localhost"})) == ""
    assert str(parsed("http://[::1]:3128")) == "[::1]:3128"
