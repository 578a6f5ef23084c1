"""Proxies: which one the environment names for a host, and the tunnel through it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from anyio.abc import ByteStream

from supervisor.doctor.network.exchange import ask
from supervisor.doctor.network.observation import AttemptFailed, Cause, Observation, Step
from supervisor.doctor.network.target import Target, host_and_port
from supervisor.doctor.network.tls import Trust, wrap
from supervisor.doctor.network.transport import dial
from supervisor.settings.proxies import proxies_of, proxy_for

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy as a variable names it."""

    scheme: str
    """http or https: the protocol of the proxy itself."""
    host: str
    port: int
    credentials: str = ""
    """The value of the header Proxy-Authorization, or empty."""
    problem: str = ""
    """Why the doctor cannot use it; empty if it can."""

    def __str__(self) -> str:
        return host_and_port(self.host, self.port)

    @property
    def headers(self) -> tuple[str, ...]:
        """Header lines for the proxy."""
        return (f"Proxy-Authorization: {self.credentials}",) if self.credentials else ()


class Proxies:
    """The proxies that an environment names."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """`environ`: as `os.environ`."""
        self._by_scheme = proxies_of(environ)

    def of(self, target: Target) -> Proxy | None:
        """The proxy for an endpoint; None: the connection is direct."""
        if target.scheme == "udp" or target.endpoint.direct:
            return None
        url = proxy_for(target.scheme, f"{target.host}:{target.port}", self._by_scheme)
        return None if url is None else parsed(url)

    def __str__(self) -> str:
        """For people: `https: proxy.example:3128; not for localhost`."""
        named = [f"{scheme}: {parsed(url)}" for scheme, url in self._by_scheme.items() if scheme != "no"]
        exempt = [f"not for {self._by_scheme['no']}"] if named and "no" in self._by_scheme else []
        return "; ".join(named + exempt)


def parsed(url: str) -> Proxy:
    """The proxy that a variable's value names. Without a scheme it is http://."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        scheme, host = parts.scheme.lower(), parts.hostname or ""
        port = parts.port or _PORTS.get(scheme, 0)
    except ValueError as error:
        return Proxy("", "", 0, problem=f"the variable's value is not a URL: {str(error).lower()}")
    if not host:
        return Proxy(scheme, "", port, problem="the variable's value names no host")
    if scheme not in _PORTS:
        return Proxy(
            scheme,
            host,
            port,
            problem=f"a {scheme}:// proxy cannot be tried from here, only http:// and https://",
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    basic = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    return Proxy(scheme, host, port, f"Basic {basic}" if parts.username is not None else "")


async def reach(proxy: Proxy, trust: Trust, seen: Observation, opened: AsyncExitStack) -> ByteStream:
    """A connection to the proxy itself. Raises AttemptFailed."""
    seen.proxy = str(proxy)
    if proxy.problem:
        seen.step = Step.PROXY
        seen.fail(Cause.NO_PROXY, proxy.problem)
        raise AttemptFailed
    stream = await dial(proxy.host, proxy.port, seen, opened)
    if proxy.scheme == "http":
        return stream
    seen.step = Step.PROXY
    return await wrap(stream, proxy.host, trust, seen)


async def tunnel(
    proxy: Proxy, target: Target, trust: Trust, seen: Observation, opened: AsyncExitStack
) -> ByteStream:
    """A connection to the endpoint through the proxy. Raises AttemptFailed."""
    stream = await reach(proxy, trust, seen, opened)
    seen.step = Step.PROXY
    address = host_and_port(target.host, target.port)
    answer = await ask(stream, "CONNECT", address, address, seen, *proxy.headers)
    if not 200 <= answer.status < 300:
        seen.answer = answer
        seen.fail(Cause.DENIED, f"{answer.status} {answer.reason}".rstrip())
        raise AttemptFailed
    return stream
