"""Turns the list into what to try on this machine: region and account filled in, or the reason for a skip."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from supervisor.doctor.endpoint_list import Endpoint, Runner

REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")
ACCOUNT_ID = re.compile(r"[0-9]{12}")
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint to try."""

    endpoint: Endpoint
    name: str
    scheme: str
    """https, http or udp."""
    host: str
    """A name or an address, without brackets around IPv6."""
    port: int
    path: str
    """With the query, as a request has it."""

    @property
    def authority(self) -> str:
        """Host and port as in URLs and `Host` headers: without the scheme's own port."""
        both = host_and_port(self.host, self.port)
        return both.removesuffix(f":{self.port}") if self.port == _PORTS.get(self.scheme) else both

    @property
    def is_example(self) -> bool:
        """Whether the endpoint stands for many hosts, of which this is one."""
        return "*" in (urlsplit(self.endpoint.url).hostname or "")


@dataclass(frozen=True, slots=True)
class Skip:
    """An endpoint that the doctor does not try, and why."""

    endpoint: Endpoint
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known about this machine; empty: not known."""

    region: str = ""
    account_id: str = ""
    plane_url: str = ""
    runner: Runner = Runner.STANDARD


def host_and_port(host: str, port: int) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def targets(endpoints: Iterable[Endpoint], known: Circumstances) -> list[Target | Skip]:
    """What to do about each endpoint of the list, in order."""
    return [_target(endpoint, known) for endpoint in endpoints]


def _target(endpoint: Endpoint, known: Circumstances) -> Target | Skip:
    name = (known.plane_url if endpoint.plane else "") or endpoint.name
    if endpoint.runner not in (None, known.runner):
        return Skip(endpoint, name, f"{known.runner.value} runners do not need it")
    if endpoint.yours:
        return Skip(endpoint, name, "put yours into a file for --endpoints")
    for placeholder, value, option in (
        ("<region>", known.region, "--region"),
        ("<account-id>", known.account_id, "--account-id"),
    ):
        if placeholder in name and not value:
            return Skip(endpoint, name, f"not known on this machine; name it with {option}")
        name = name.replace(placeholder, value)
    url = (
        _filled(endpoint.example, known)
        if endpoint.example and name == _filled(endpoint.url, known)
        else name
    )
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = parts.port or _PORTS[parts.scheme]
    shown = name if url == name else f"{name} ({_difference(url, name)})"
    return Target(endpoint, shown, parts.scheme, parts.hostname or "", port, path)


def _filled(url: str, known: Circumstances) -> str:
    return url.replace("<region>", known.region).replace("<account-id>", known.account_id)


def _difference(url: str, pattern: str) -> str:
    """The text that replaces the star."""
    before, _, after = pattern.partition("*")
    return url.removeprefix(before).removesuffix(after)
