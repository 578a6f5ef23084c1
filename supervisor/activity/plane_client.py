"""The client of the management plane: one method of Connect, called over aiohttp.

Imported when the first signal is due; it brings in aiohttp's client. Each call has a connection of its own, because a
load balancer closes an idle one long before the next. Certificates are checked against the system's roots, as OpenSSL
finds them (SSL_CERT_FILE, SSL_CERT_DIR). Redirects are not followed: the token is for one place. An answer has at most
`MOST_BYTES`.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from google.protobuf.timestamp_pb2 import Timestamp

from connect_server import strict_json
from platform_wire import environment_pb2 as pb
from supervisor import __version__
from supervisor.activity.plane import Delivered, SignalResult, Undelivered, result_of, retry_after
from supervisor.settings.proxies import proxies_of, proxy_for

METHOD = "/gitpod.v1.EnvironmentService/MarkEnvironmentActive"
TIMEOUT_S = 30.0
_SHOWN = 200
MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        """The JSON in the body. Raises ValueError if it is none."""
        if self.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
            raise ValueError("it does not answer in JSON")
        try:
            return json.loads(self.body.decode())
        except RecursionError as error:
            raise ValueError("its answer is nested too deeply") from error


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
        self._url = url.rstrip("/") + METHOD
        self._environment_id = environment_id
        self._timeout_s = timeout_s
        self._environ = environ

    async def send(self, source: str, seen_wall_s: float, token: str) -> SignalResult:
        """Send a signal: there was activity. Never raises, except when it is cancelled."""
        seen = Timestamp()
        seen.FromMilliseconds(round(seen_wall_s * 1000))
        request = pb.MarkEnvironmentActiveRequest(
            environment_id=self._environment_id,
            activity_signal=pb.EnvironmentActivitySignal(source=source, timestamp=seen),
        )
        # JSON, which people can read in a proxy's log; it is too short to be compressed.
        headers = {
            "Authorization": f"Bearer {token}",
            "Connect-Protocol-Version": "1",
            "Connect-Timeout-Ms": str(max(1, round(self._timeout_s * 1000))),
            "Content-Type": "application/json",
            "User-Agent": f"supervisor/{__version__}",
        }
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._exchange(strict_json.encode(request), headers)
        except TimeoutError:
            return Undelivered(f"no answer within {self._timeout_s:g} s")
        except aiohttp.ClientHttpProxyError as error:
            # aiohttp's sentence holds the proxy's password.
            return Undelivered(_shown(f"the proxy lets nothing through: {error.status} {error.message}"))
        except Exception as error:  # of any kind: a name that cannot be encoded, say, is no OSError
            return Undelivered(_shown(str(error)) or type(error).__name__)
        return _result(answer)

    async def _exchange(self, content: bytes, headers: Mapping[str, str]) -> _Answer:
        """One call, one connection. Raises OSError, aiohttp.ClientError and others."""
        async with (
            # Not aiohttp's own reading of the environment, which puts what ~/.netrc says in the token's place.
            aiohttp.ClientSession(
                trust_env=False, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            ) as session,
            session.post(
                self._url,
                headers={**headers, "Accept-Encoding": "identity"},
                data=content,
                proxy=proxy_of(self._url, self._environ),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None),  # `send` has a deadline for the whole call
            ) as response,
        ):
            return _Answer(response.status, response.headers, await _body(response))


def _result(answer: _Answer) -> SignalResult:
    """What an answer means."""
    if answer.status == 200:
        try:
            if isinstance(answer.content, dict):
                return Delivered()
            why = "its answer is not an object"
        except ValueError as error:
            why = str(error)
        return Undelivered(f"what answered is no management plane: {_shown(why)}")
    try:
        said = answer.content.get("message", "")
    except (ValueError, AttributeError):
        said = _phrase(answer.status)
    wait_s = retry_after(answer.headers.get("Retry-After"), answer.headers.get("Date"), time.time())
    return result_of(answer.status, _shown(said) if isinstance(said, str) else "", wait_s)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # a number of somebody's own
        return ""


def _shown(text: str) -> str:
    """Other people's words on one line, and few of them."""
    return "".join(c if c.isprintable() else " " for c in text)[:_SHOWN].strip()


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
