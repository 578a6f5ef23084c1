"""One attempt at one endpoint: the steps in their order, and what each of them sees."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack

import anyio
from anyio.abc import ByteStream

from supervisor.doctor.network import tls
from supervisor.doctor.network.exchange import ask
from supervisor.doctor.network.observation import AttemptFailed, Cause, Observation, Step
from supervisor.doctor.network.proxy import Proxies, Proxy, reach, tunnel
from supervisor.doctor.network.target import Target
from supervisor.doctor.network.transport import dial, probe


async def attempt(target: Target, proxies: Proxies, trust: tls.Trust, timeout_s: float) -> Observation:
    """What can be seen of an endpoint within the timeout."""
    seen = Observation()
    began_s = time.monotonic()
    with anyio.move_on_after(timeout_s) as scope:
        async with AsyncExitStack() as opened:
            try:
                if target.scheme == "udp":
                    await probe(target, seen)
                else:
                    await _Route(target, proxies.of(target), trust, opened).ask(seen)
            except AttemptFailed:
                pass  # `seen.failure` says why
    if scope.cancelled_caught and seen.failure is None:
        seen.fail(Cause.TIMEOUT, f"{timeout_s:g} s")
    seen.seconds = time.monotonic() - began_s
    return seen


class _Route:
    """The route to an HTTP server: direct or through a proxy, plain or within TLS."""

    def __init__(self, target: Target, proxy: Proxy | None, trust: tls.Trust, opened: AsyncExitStack) -> None:
        self._target = target
        self._proxy = proxy
        self._trust = trust
        self._opened = opened

    async def ask(self, seen: Observation) -> None:
        """Record the answer. Raises AttemptFailed."""
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

    async def _secured(self, seen: Observation) -> ByteStream:
        stream = await self._connected(seen)
        seen.step = Step.TLS
        try:
            return await tls.wrap(stream, self._target.host, self._trust, seen)
        except AttemptFailed:
            if seen.failure is not None and seen.failure.cause is Cause.DISTRUSTED:
                await self._record_certificate(seen)
            raise

    async def _record_certificate(self, seen: Observation) -> None:
        """Record the certificate that was refused. A failure in here says nothing about the endpoint."""
        again = Observation()
        try:
            stream = await self._connected(again)
            await tls.look(stream, self._target.host, self._trust, again)
        except AttemptFailed:
            pass
        seen.certificate = again.certificate

    async def _connected(self, seen: Observation) -> ByteStream:
        target = self._target
        if self._proxy is None:
            return await dial(target.host, target.port, seen, self._opened)
        return await tunnel(self._proxy, target, self._trust, seen, self._opened)
