"""The checks of the machine itself: which there are, and which the supervisor cannot do without."""

from __future__ import annotations

import functools
from pathlib import Path

from supervisor.doctor import programs
from supervisor.doctor.cgroup import cgroup_v2
from supervisor.doctor.disk import disk
from supervisor.doctor.examine import Check
from supervisor.doctor.inotify import inotify
from supervisor.doctor.kernel import pidfd


def checks(state_dir: Path, workspace: Path) -> list[Check]:
    """What to look at on this machine. Where only speed or comfort suffers the check is no required one."""
    return [
        Check("shell", True, programs.shell),
        Check("disk, state", True, functools.partial(disk, state_dir)),
        Check("disk, workspace", True, functools.partial(disk, workspace)),
        Check("pidfd", False, pidfd),
        Check("cgroup v2", False, cgroup_v2),
        Check("inotify", False, inotify),
        Check("git", False, programs.git),
        Check("docker", False, programs.docker),
    ]
