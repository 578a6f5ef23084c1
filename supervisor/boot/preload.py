"""Imports everything that a running supervisor may need, soon after its start.

An installer, a clean-up or an upgrade may replace or remove the program's files while it runs; a module that is
imported then is missing, or of another version. So every late import is done here in any case, and from then on the
supervisor reads none of its files. A thread imports module by module, with pauses, after the start (`stillness`):
before, it would take a seventh of the time of a chain of 200 short tasks. The source of the shim, which may have to be
started again, is kept in memory (`shim/launcher`).
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Sequence

import anyio

from supervisor.config import load_bytes
from supervisor.host.proc import heap, worker_threads
from supervisor.shim import launcher
from supervisor.terminals import holder_launcher

MODULES = (
    # The standard library's, for what happens seldom.
    "_strptime",
    "ctypes",
    "dataclasses",
    "email.utils",
    "encodings.idna",
    # What json.loads takes bytes for that do not begin as UTF-8 does.
    "encodings.utf_16_be",
    "encodings.utf_16_le",
    "encodings.utf_32_be",
    "encodings.utf_32_le",
    "linecache",
    "pwd",
    "queue",
    "resource",
    "shutil",
    "subprocess",
    "traceback",
    "urllib.parse",
    # Ours.
    "supervisor.activity.activity",
    "supervisor.activity.activity_report",
    "supervisor.activity.plane",
    "supervisor.activity.reporter",
    "supervisor.activity.ssh_sessions",
    "supervisor.boot.serve.edges",
    "supervisor.boot.serve.signal_watch",
    "supervisor.cli.terminal.log_handler",
    "supervisor.cli.terminal.escapes",
    "supervisor.cli.terminal.run_output",
    "supervisor.cli.terminal.screen",
    "supervisor.cli.terminal.shown_lines",
    "supervisor.config.explainer",
    "supervisor.core.operations",
    "supervisor.core.recovery",
    "supervisor.config.suggest",
    "supervisor.config.document.syntax_errors",
    "supervisor.core.items.item_commands",
    "supervisor.host.users.account",
    "supervisor.host.proc.child_process",
    "supervisor.host.runs.adoption",
    "supervisor.host.runs.log_note",
    "supervisor.host.runs.probes",
    "supervisor.host.runs.run_facts",
    "supervisor.host.runs.spawn.scripts",
    "supervisor.host.runs.spawn.shell_words",
    "supervisor.host.runs.spawn.containers",
    "supervisor.host.runs.spawn.operation_line",
    "supervisor.host.runs.termination",
    "supervisor.host.runs.endings",
    "supervisor.host.users.impersonation",
    "supervisor.host.runs.orphaned_fifos",
    "supervisor.host.runs.log_file",
    "supervisor.host.proc.kernel_log",
    "supervisor.host.runs.kill_cause",
    "supervisor.host.runs.outputs",
    "supervisor.host.users.program_files",
    "supervisor.host.proc.event_loop",
    "supervisor.host.runs.upkeep",
    "supervisor.lean.loop_imports",
    "supervisor.host.state.file_watch",
    "supervisor.host.state.forgotten_operations",
    "supervisor.host.state.record_reader",
    "supervisor.terminals.holder_client",
    # Others'.
    "watchfiles._rust_notify",
)
"""`tests/boot/test_preload.py` finds what is missing here."""
OF_THE_API = ("supervisor.api.assembly", "google.protobuf.descriptor_pb2", "jwt")
OF_A_PLANE = ("supervisor.activity.plane_client",)
_STILL_S, _LONGEST_WAIT_S = 0.5, 5.0
_PAUSE_S = 0.005
_SWITCH_S = 0.0005
"""How long the thread that imports may hold the interpreter while the loop wants it, in place of 5 ms."""


async def stillness(changes: Callable[[], int]) -> None:
    """Wait until a count of changes stands still for a while: what starts now gets the processors first."""
    seen, give_up_at = -1, time.monotonic() + _LONGEST_WAIT_S
    while (count := changes()) != seen and time.monotonic() < give_up_at:
        seen = count
        await anyio.sleep(_STILL_S)


async def preload(*more: str) -> None:
    """Import all missing modules, and `more`, and keep the sources of the shim and of the holder of terminals."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        await _import_all((*MODULES, *more))
        await worker_threads.run(_use_what_imports_more)
        await worker_threads.run(launcher.hold)
        await worker_threads.run(holder_launcher.hold)
        await worker_threads.run(heap.give_back)  # reading so many modules leaves 0.8 MB
    finally:
        sys.setswitchinterval(before_s)


async def _import_all(names: Sequence[str]) -> None:
    for name in names:
        if name not in sys.modules:
            await worker_threads.run(_import_one, name)
            await anyio.sleep(_PAUSE_S)


def _import_one(name: str) -> None:
    try:
        importlib.import_module(name)
    except ImportError:
        pass  # another version of a package: the first use reports it


def _use_what_imports_more() -> None:
    """Use once what makes packages import more modules and read files of theirs."""
    for text in (b"services: [1]\nx: 1\n", b"a: [", b"a: b: c"):
        load_bytes(text)
