"""From the list to what is tried on this machine: region and account filled in, or the reason why it is skipped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from supervisor.doctor.endpoint_list import Entry, Runner

REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")
ACCOUNT_ID = re.compile(r"[0-9]{12}")
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint to try."""

    entry: Entry
    name: str
    scheme: str
    """https, http or udp."""
    host: str
    """A name or an address; no brackets around IPv6."""
    port: int
    path: str
    """With the query, as it stands in a request."""

    @property
    def authority(self) -> str:
        """Host and port as URLs and `Host` headers have them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS.get(self.scheme) else f"{host}:{self.port}"

    @property
    def is_example(self) -> bool:
        """Whether the host is one of many that the endpoint stands for."""
        return "*" in (urlsplit(self.entry.url).hostname or "")


@dataclass(frozen=True, slots=True)
class Skip:
    """An endpoint that is not tried, and why."""

    entry: Entry
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of this machine; empty: not known."""

    region: str = ""
    account_id: str = ""
    plane_url: str = ""
    runner: Runner = Runner.STANDARD


def targets(entries: Iterable[Entry], known: Circumstances) -> list[Target | Skip]:
    """What to do about each entry, in their order."""
    return [_target(entry, known) for entry in entries]


def _target(entry: Entry, known: Circumstances) -> Target | Skip:
    name = (known.plane_url if entry.plane else "") or entry.name
    if entry.runner not in (None, known.runner):
        return Skip(entry, name, f"{known.runner.value} runners do not need it")
    if entry.yours:
        return Skip(entry, name, "put yours into a file for --endpoints")
    for placeholder, value, option in (
        ("<region>", known.region, "--region"),
        ("<account-id>", known.account_id, "--account-id"),
    ):
        if placeholder in name and not value:
            return Skip(entry, name, f"not known on this machine; name it with {option}")
        name = name.replace(placeholder, value)
    url = _filled(entry.example, known) if entry.example and name == _filled(entry.url, known) else name
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = parts.port or _PORTS[parts.scheme]
    shown = name if url == name else f"{name} ({_difference(url, name)})"
    return Target(entry, shown, parts.scheme, parts.hostname or "", port, path)


def _filled(url: str, known: Circumstances) -> str:
    return url.replace("<region>", known.region).replace("<account-id>", known.account_id)


def _difference(url: str, pattern: str) -> str:
    """What stands for the star."""
    before, _, after = pattern.partition("*")
    return url.removeprefix(before).removesuffix(after)
