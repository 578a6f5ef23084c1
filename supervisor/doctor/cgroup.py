"""cgroup v2: whether a supervisor that is started from here can give each run a group of its own.

The supervisor's own rules decide that: `host.cgroups`.
"""

from __future__ import annotations

from pathlib import Path

from supervisor.doctor.finding import State, Verdict
from supervisor.host.proc.cgroups import BOOTED, is_ours, own_folder

_WITHOUT = "what a command leaves behind is looked for in /proc, and daemons that hide are missed"


def cgroup_v2(proc: Path = Path("/proc/self"), booted: str = BOOTED) -> Verdict:
    """The verdict on cgroups. `proc`: the process to look at; `booted`: the folder that says that systemd runs here."""
    folder = own_folder(str(proc))
    if folder is None:
        return Verdict(State.WARNING, f"no mount shows this process's group: {_WITHOUT}")
    if not is_ours(folder, booted):
        return Verdict(
            State.WARNING, f"{folder} is not delegated (Delegate=yes of a systemd unit): {_WITHOUT}"
        )
    return Verdict(State.OK, f"each run gets a group of its own below {folder}")
