"""The remotes of a repository, and the URL by which others clone it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from supervisor.workspace.git.git_command import Git
from supervisor.workspace.names import shown, text

_SCHEMES_OF_SSH = ("ssh", "git+ssh", "ssh+git")
_SCP = re.compile(r"(?:[^/:@\[\]]+@)?(?P<host>\[[^\]/]+\]|[^/:@\[\]]+):(?!//)(?P<path>.+)")
_HOST = re.compile(r"[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]")
_PORT = re.compile(r"(?P<host>.*?)(?::(?P<port>\d*))?")
_ODD = re.compile(r"[\s\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote.

    Attributes:
        url: by which git fetches from it, with the user's rewrites.
    """

    name: str
    url: str


def chosen_remote(git: Git) -> Remote | None:
    """`origin`, else the only remote there is. Raises OpsError."""
    remotes = parsed(git.output("remote", "--verbose"))
    if "origin" in remotes:
        return Remote("origin", remotes["origin"])
    return Remote(*next(iter(remotes.items()))) if len(remotes) == 1 else None


def parsed(output: bytes) -> Mapping[str, str]:
    """`{remote: the URL that git fetches from}` of what `git remote --verbose` prints."""
    found: dict[str, str] = {}
    for line in output.split(b"\n"):
        name, _, rest = line.partition(b"\t")
        url, _, about = rest.rpartition(b" (")
        if name and not about.startswith(b"push)"):
            found.setdefault(shown(name), text(url))
    return found


def clone_url(url: str) -> str:
    """The https URL of a remote without user and password; empty if there is none."""
    if _ODD.search(url):
        return ""
    scheme, separator, rest = url.partition("://")
    if separator:
        authority, slash, path = rest.partition("/")
        host, port = _host_and_port(authority.rpartition("@")[2])
        if scheme.lower() in _SCHEMES_OF_SSH:
            return _https(host, slash + path)
        if scheme.lower() == "https" and host:
            return _https(f"{host}:{port}" if port else host, slash + path, host)
        return ""
    scp = _SCP.fullmatch(url)
    return _https(scp["host"], "/" + scp["path"].lstrip("/")) if scp else ""


def _https(authority: str, path: str, host: str = "") -> str:
    if not _HOST.fullmatch(host or authority) or path.startswith("/~") or authority.startswith("-"):
        return ""
    return f"https://{authority}{path}"


def _host_and_port(authority: str) -> tuple[str, str]:
    found = _PORT.fullmatch(authority)
    assert found is not None  # everything matches
    return found["host"], found["port"] or ""
