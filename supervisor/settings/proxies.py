"""The proxies that an environment names: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, and NO_PROXY for the exceptions.

They are read as Python's `urllib` and most programs read them. How NO_PROXY matches is urllib's own function, which it
does not document: only this module uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

_NAMES = ("http", "https", "all", "no")


def proxies_of(environ: Mapping[str, str]) -> dict[str, str]:
    """`{"http", "https" or "all": a proxy; "no": the exceptions}`, without empty ones.

    The lower case spelling of a variable wins, even if it is empty: so a user can cancel a proxy.
    """
    found: dict[str, str] = {}
    for spelling in (str.upper, str.lower):
        for name in _NAMES:
            variable = spelling(f"{name}_proxy")
            # A CGI program finds the header `Proxy:` in HTTP_PROXY: CVE-2016-5385.
            if variable in environ and not (variable == "HTTP_PROXY" and "REQUEST_METHOD" in environ):
                found[name] = environ[variable].strip()
    return {name: value for name, value in found.items() if value}


def proxy_for(scheme: str, address: str, proxies: Mapping[str, str]) -> str | None:
    """The proxy, as its variable says, for "host:port" and http or https; None: the connection is direct."""
    proxy = proxies.get(scheme) or proxies.get("all")
    return None if not proxy or proxy_bypass_environment(address, proxies) else proxy
