"""The client of the management plane: one method, called by the generated Connect client, over aiohttp.

Imported when the first signal is due. It brings in what the server has loaded anyway, and nothing else: the generated
client's own transport would bring threads that never end and 5 MB for a call every five minutes. Each call has a
connection of its own, because a load balancer closes an idle one long before the next. Certificates are checked against
the system's roots, as OpenSSL finds them (SSL_CERT_FILE, SSL_CERT_DIR). Redirects are not followed: the token is for
one place. An answer has at most `MOST_BYTES`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp
from anyio.lowlevel import checkpoint
from connectrpc.client import ResponseMetadata
from connectrpc.code import Code
from connectrpc.compat import google_protobuf_json_codec
from connectrpc.errors import ConnectError
from google.protobuf.timestamp_pb2 import Timestamp
from pyqwest import Client, Headers, Request, Response

from platform_wire import environment_pb2 as pb
from platform_wire.environment_connect import EnvironmentServiceClient
from supervisor import __version__
from supervisor.activity.plane import Delivered, SignalResult, Undelivered, result_of, retry_after
from supervisor.settings.proxies import proxies_of, proxy_for

TIMEOUT_S = 30.0
_SHOWN = 200
MOST_BYTES = 64 * 1024


class PlaneClient:
    """Sends the signals of one environment to one plane."""

    def __init__(
        self,
        url: str,
        environment_id: str,
        timeout_s: float = TIMEOUT_S,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Nothing is sent yet.

        Args:
            url: the base of the plane's API; it may end in `/api`.
            environment_id: the environment that the signals are about.
            timeout_s: for a whole call, whatever it spends its time with.
            environ: names the proxies.
        """
        self._environment_id = environment_id
        self._timeout_s = timeout_s
        self._client = EnvironmentServiceClient(
            url.rstrip("/"),
            # JSON, which people can read in a proxy's log; it is too short to be compressed.
            codec=google_protobuf_json_codec(),
            send_compression=None,
            accept_compression=(),
            http_client=Client(Transport(environ)),
        )

    async def send(self, source: str, seen_wall_s: float, token: str) -> SignalResult:
        """Send a signal: there was activity. Never raises, except when it is cancelled."""
        seen = Timestamp()
        seen.FromMilliseconds(round(seen_wall_s * 1000))
        request = pb.MarkEnvironmentActiveRequest(
            environment_id=self._environment_id,
            activity_signal=pb.EnvironmentActivitySignal(source=source, timestamp=seen),
        )
        headers = {"authorization": f"Bearer {token}", "user-agent": f"supervisor/{__version__}"}
        with ResponseMetadata() as answer:
            try:
                await self._client.mark_environment_active(
                    request, headers=headers, timeout_ms=max(1, round(self._timeout_s * 1000))
                )
            except ConnectError as error:
                # The client reports a cancelled call as one that failed.
                await checkpoint()
                return self._result(answer, error)
        return Delivered()

    def _result(self, answer: ResponseMetadata, error: ConnectError) -> SignalResult:
        message = "".join(c if c.isprintable() else " " for c in error.message)[:_SHOWN].strip()
        if answer.http_status is None:
            late = error.code is Code.DEADLINE_EXCEEDED
            return Undelivered(f"no answer within {self._timeout_s:g} s" if late else message)
        if answer.http_status == 200:
            return Undelivered(f"what answered is no management plane: {message}")
        wait_s = retry_after(answer.headers.get("retry-after"), answer.headers.get("date"), time.time())
        return result_of(answer.http_status, message, wait_s)


class Transport:
    """One call, one connection."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """`environ`: names the proxies, as of `os.environ`."""
        self._environ = environ

    async def execute(self, request: Request) -> Response:
        """Send a request; how long that may take is for the client to say. Raises OSError and aiohttp.ClientError."""
        try:
            return await self._exchange(request)
        except aiohttp.ClientHttpProxyError as error:
            # aiohttp's sentence holds the proxy's password.
            raise ConnectionError(f"the proxy lets nothing through: {error.status} {error.message}") from None

    async def _exchange(self, request: Request) -> Response:
        content = request.content
        assert isinstance(content, bytes)  # a unary call
        async with (
            # Not aiohttp's own reading of the environment, which puts what ~/.netrc says in the token's place.
            aiohttp.ClientSession(
                trust_env=False, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            ) as session,
            session.request(
                request.method,
                request.url,
                headers=list(request.headers.items()),
                data=content,
                proxy=proxy_of(request.url, self._environ),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None),  # the client has a deadline for the whole call
            ) as response,
        ):
            return Response(
                status=response.status,
                headers=Headers(response.headers.items()),
                content=await _body(response),
            )


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MOST_BYTES:
            raise aiohttp.ClientPayloadError(f"the answer has more than {MOST_BYTES >> 10} KiB")
    return bytes(body)


def proxy_of(url: str, environ: Mapping[str, str]) -> str | None:
    """The URL of the proxy that the environment names for a URL; None: the connection is direct."""
    parts = urlsplit(url)
    proxy = proxy_for(parts.scheme, parts.netloc.rpartition("@")[2], proxies_of(environ))
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"
