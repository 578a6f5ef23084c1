"""One attempt at one endpoint: the steps in their order, and what each of them saw."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack

import anyio
from anyio.abc import ByteStream

from supervisor.doctor.network import tls
from supervisor.doctor.network.dial import dial
from supervisor.doctor.network.exchange import ask
from supervisor.doctor.network.observation import Seen, Step, Stopped, Trouble
from supervisor.doctor.network.proxy import Proxies, Proxy, reach, tunnel
from supervisor.doctor.network.target import Target
from supervisor.doctor.network.udp import probe


async def attempt(target: Target, proxies: Proxies, trust: tls.Trust, timeout_s: float) -> Seen:
    """What was seen of an endpoint within the time."""
    seen = Seen()
    began_s = time.monotonic()
    with anyio.move_on_after(timeout_s) as scope:
        async with AsyncExitStack() as opened:
            try:
                if target.scheme == "udp":
                    await probe(target, seen)
                else:
                    await _Way(target, proxies.of(target), trust, opened).ask(seen)
            except Stopped:
                pass  # `seen.broken` says why
    if scope.cancelled_caught and seen.broken is None:
        seen.breaks(Trouble.TIMEOUT, f"{timeout_s:g} s")
    seen.seconds = time.monotonic() - began_s
    return seen


class _Way:
    """The way to an HTTP server: straight, or through a proxy; plain, or within TLS."""

    def __init__(self, target: Target, proxy: Proxy | None, trust: tls.Trust, opened: AsyncExitStack) -> None:
        self._target = target
        self._proxy = proxy
        self._trust = trust
        self._opened = opened

    async def ask(self, seen: Seen) -> None:
        """Note the answer. Raises Stopped."""
        target, proxy = self._target, self._proxy
        path, headers = target.path, ["Accept: */*", "Connection: close"]
        if target.scheme == "https":
            stream = await self._secured(seen)
        elif proxy is None:
            stream = await dial(target.host, target.port, seen, self._opened)
        else:
            stream = await reach(proxy, self._trust, seen, self._opened)
            path = f"http://{target.authority}{path}"
            headers += proxy.headers
        seen.step = Step.HTTP
        seen.answer = await ask(stream, "GET", path, target.authority, seen, *headers)

    async def _secured(self, seen: Seen) -> ByteStream:
        stream = await self._connected(seen)
        seen.step = Step.TLS
        try:
            return await tls.wrap(stream, self._target.host, self._trust, seen)
        except Stopped:
            if seen.broken is not None and seen.broken.trouble is Trouble.DISTRUSTED:
                await self._look(seen)
            raise

    async def _look(self, seen: Seen) -> None:
        """Find out whose certificate was refused. What goes wrong now says nothing about the endpoint."""
        again = Seen()
        try:
            stream = await self._connected(again)
            await tls.look(stream, self._target.host, self._trust, again)
        except Stopped:
            pass
        seen.certificate = again.certificate

    async def _connected(self, seen: Seen) -> ByteStream:
        target = self._target
        if self._proxy is None:
            return await dial(target.host, target.port, seen, self._opened)
        return await tunnel(self._proxy, target, self._trust, seen, self._opened)
