"""How the generated client reaches the management plane: over aiohttp, which the server has loaded anyway.

The client's own transport would bring threads that never end and 5 MB for a call every five minutes. Here each call has
a connection of its own: a load balancer closes an idle one long before the next. Certificates are checked against the
system's roots, as OpenSSL finds them (SSL_CERT_FILE, SSL_CERT_DIR). Redirects are not followed: the token is for one
place. An answer has at most `MOST_BYTES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

import aiohttp
from pyqwest import Headers, Request, Response

MOST_BYTES = 64 * 1024


class Transport:
    """One call, one connection. `environ`: names the proxies, as of `os.environ`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
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
    """The proxy that the environment names for a URL; None: there is none in between.

    HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, the lower case spelling first, as `urllib` reads them.
    """
    proxies: dict[str, str] = {}
    for spelling in (str.upper, str.lower):
        for name in ("http", "https", "all", "no"):
            value = environ.get(spelling(f"{name}_proxy"))
            if value is not None:
                proxies[name] = value.strip()
    parts = urlsplit(url)
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass_environment(parts.netloc.rpartition("@")[2], proxies):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
