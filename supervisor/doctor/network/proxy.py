"""Proxies: which one the environment's variables name for a host, and the tunnel through it.

The variables are read as Python's own `urllib` does, and with it most programs: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and
NO_PROXY, the lower case spelling first.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from anyio.abc import ByteStream

from supervisor.doctor.network.dial import dial
from supervisor.doctor.network.exchange import ask
from supervisor.doctor.network.observation import Seen, Step, Stopped, Trouble
from supervisor.doctor.network.target import Target
from supervisor.doctor.network.tls import Trust, wrap

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy as a variable names it."""

    scheme: str
    """http or https: how to talk to the proxy itself."""
    host: str
    port: int
    credentials: str = ""
    """Value of the header Proxy-Authorization; empty: none."""
    problem: str = ""
    """Why it cannot be used; empty: it can."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def headers(self) -> tuple[str, ...]:
        """What the proxy wants to know, as header lines."""
        return (f"Proxy-Authorization: {self.credentials}",) if self.credentials else ()


class Proxies:
    """The proxies that an environment names."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """`environ`: as `os.environ`."""
        self._by_scheme: dict[str, str] = {}
        # The lower case spelling wins, even an empty one: that is how a proxy is taken back.
        for names in (str.upper, str.lower):
            for scheme in ("http", "https", "all", "no"):
                variable = names(f"{scheme}_proxy")
                # A CGI program gets the header `Proxy:` as HTTP_PROXY: CVE-2016-5385.
                if variable in environ and not (variable == "HTTP_PROXY" and "REQUEST_METHOD" in environ):
                    self._by_scheme[scheme] = environ[variable]
        self._by_scheme = {scheme: value for scheme, value in self._by_scheme.items() if value}

    def of(self, target: Target) -> Proxy | None:
        """The proxy for an endpoint; None: there is none in between."""
        url = self._by_scheme.get(target.scheme) or self._by_scheme.get("all")
        if not url or target.scheme == "udp" or target.entry.direct:
            return None
        if proxy_bypass_environment(f"{target.host}:{target.port}", self._by_scheme):
            return None
        return parsed(url)

    def __str__(self) -> str:
        """For people: `https: proxy.example:3128; not for localhost`."""
        named = [f"{scheme}: {parsed(url)}" for scheme, url in self._by_scheme.items() if scheme != "no"]
        exempt = [f"not for {self._by_scheme['no']}"] if named and "no" in self._by_scheme else []
        return "; ".join(named + exempt)


def parsed(url: str) -> Proxy:
    """A proxy from the value of a variable; without a scheme it is an http:// one."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        scheme, host = parts.scheme.lower(), parts.hostname or ""
        port = parts.port or _PORTS.get(scheme, 0)
    except ValueError as error:
        return Proxy("", "", 0, problem=f"the variable's value is no URL: {str(error).lower()}")
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


async def reach(proxy: Proxy, trust: Trust, seen: Seen, opened: AsyncExitStack) -> ByteStream:
    """A connection to the proxy itself. Raises Stopped."""
    seen.proxy = str(proxy)
    if proxy.problem:
        seen.step = Step.PROXY
        seen.breaks(Trouble.NO_PROXY, proxy.problem)
        raise Stopped
    stream = await dial(proxy.host, proxy.port, seen, opened)
    if proxy.scheme == "http":
        return stream
    seen.step = Step.PROXY
    return await wrap(stream, proxy.host, trust, seen)


async def tunnel(
    proxy: Proxy, target: Target, trust: Trust, seen: Seen, opened: AsyncExitStack
) -> ByteStream:
    """A connection to the endpoint through the proxy. Raises Stopped."""
    stream = await reach(proxy, trust, seen, opened)
    seen.step = Step.PROXY
    host = f"[{target.host}]" if ":" in target.host else target.host
    address = f"{host}:{target.port}"
    answer = await ask(stream, "CONNECT", address, address, seen, *proxy.headers)
    if not 200 <= answer.status < 300:
        seen.answer = answer
        seen.breaks(Trouble.DENIED, f"{answer.status} {answer.reason}".rstrip())
        raise Stopped
    return stream
