"""What the supervisor changes about itself and no command may inherit.

The shim is started first, so that it and its commands have what the supervisor was started with. One that is started
later is told what that was, and puts it right before it serves.
"""

from __future__ import annotations

import resource
from pathlib import Path

_OOM_SCORES = (-900, 0)
"""Of proc_pid_oom_score_adj(5). Without CAP_SYS_RESOURCE one may only go back to where somebody with it has put us."""
_changed: dict[str, int] = {}
"""What was changed: `{"nofile": the soft limit before, "oom": the score adjustment before}`."""


def raise_descriptors(most: int) -> int:
    """Raise the soft limit of open descriptors as far as allowed, to `most` at most; returns what it is then."""
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
    """Have the kernel kill others before us when memory runs out, as far as we may."""
    try:
        before = int(_oom_score_file().read_text())
    except (OSError, ValueError):
        return
    for score in _OOM_SCORES:
        if score < before and _set_oom_score(score):
            _changed.setdefault("oom", before)
            return


def shim_words() -> list[str]:
    """What a shim that is started now has to put right, as words of its command line: `nofile=1024`."""
    return [f"{what}={before}" for what, before in _changed.items()]


def give_back() -> None:
    """Put it right in this process, which is about to execute another program."""
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
