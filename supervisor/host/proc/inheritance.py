"""What the supervisor changes about itself, and commands must not inherit.

The shim starts before the change, so that it and its commands have the values that the supervisor was started with. A
shim that starts later gets those values on its command line, and sets them again before it serves.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable
from pathlib import Path

_OOM_SCORES = (-900, 0)
"""See proc_pid_oom_score_adj(5). Without CAP_SYS_RESOURCE a process may only go down to what a process with it set."""
_changed: dict[str, int] = {}
"""What has changed: `{"nofile": the soft limit before, "oom": the score adjustment before}`."""


def raise_descriptors(most: int) -> int:
    """Raise the soft limit of open descriptors as far as allowed, to `most` at most. Returns the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(hard, most)
    if soft == resource.RLIM_INFINITY:
        return most
    if soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    _changed.setdefault("nofile", soft)
    return wanted


def outlive_commands() -> None:
    """Make the kernel kill others before us when memory runs out, as far as we may."""
    try:
        before = int(_oom_score_file().read_text())
    except (OSError, ValueError):
        return
    for score in _OOM_SCORES:
        if score < before and _set_oom_score(score):
            _changed.setdefault("oom", before)
            return


def shim_words() -> list[str]:
    """What a shim that starts now must set again, as words of its command line: `nofile=1024`."""
    return [f"{what}={before}" for what, before in _changed.items()]


def set_again(words: Iterable[str]) -> None:
    """Set back, in a process that the supervisor has started, what `shim_words` of the supervisor said."""
    for word in words:
        what, _, before = word.partition("=")
        _changed[what] = int(before)
    give_back()


def give_back() -> None:
    """Set everything back in this process, which is about to execute another program."""
    if (soft := _changed.pop("nofile", None)) is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    if (score := _changed.pop("oom", None)) is not None:
        _set_oom_score(score)


def _oom_score_file() -> Path:
    return Path("/proc/self/oom_score_adj")


def _set_oom_score(score: int) -> bool:
    try:
        _oom_score_file().write_text(str(score))
    except OSError:
        return False
    return True
