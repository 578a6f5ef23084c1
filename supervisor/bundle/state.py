"""Entries from the state directory: records, the last changes, crash reports, runs and their logs. Only reads it.

Of operations only the records: what clients run and what that prints is theirs.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from supervisor.bundle.archive import BundleEntry, LeftOut
from supervisor.bundle.excerpt import masked_both_ends, masked_end
from supervisor.bundle.masker import Masker
from supervisor.host.state.database import Row, newest_rows
from supervisor.model.errors import StoreError

RECORDS = 2000
"""Those that changed last. A task keeps up to a thousand executions."""
RECORDS_BYTES = 8 * 1024 * 1024
"""A command may be as long as a file."""
RECENT = 500
MOST = 200
"""So many runs, and so many scripts."""
LOG_BYTES = 256 * 1024
"""Of each run. The newest runs come first, and the limit of the whole bundle decides how many there are."""
CRASHES = 5
CRASH_BYTES = 512 * 1024
"""Of each report. The traceback stands at its beginning, the last inputs at its end."""
FACT_BYTES = 64 * 1024
_OF_EARLIER_VERSIONS = ("script.sh", "started", "exit")
"""What run directories of earlier versions have beside the log."""


def state_entries(state: Path, masker: Masker) -> Iterator[BundleEntry]:
    """The entries, the most useful first."""
    yield BundleEntry("state/folder.json", lambda: masker.document(_folder(state)))
    for report in sorted(state.glob("crash-*.txt"), reverse=True)[:CRASHES]:
        yield BundleEntry(
            f"state/{report.name}", functools.partial(masked_both_ends, report, CRASH_BYTES, masker)
        )
    yield BundleEntry("state/recent.json", lambda: masker.document(_recent(state)))
    yield BundleEntry("state/records.json", lambda: masker.document(_records(state)))
    yield BundleEntry("state/stacks", lambda: masked_end(state / "stacks", LOG_BYTES, masker))
    yield BundleEntry("state/stalls", lambda: masked_end(state / "stalls", LOG_BYTES, masker))
    yield BundleEntry("state/run-facts", lambda: masked_end(state / "run-facts", LOG_BYTES, masker))
    for run in _newest(state / "runs", lambda entry: entry.is_dir(follow_symlinks=False)):
        for name in filter(lambda name: os.path.lexists(run / name), _OF_EARLIER_VERSIONS):
            yield BundleEntry(
                f"runs/{run.name}/{name}", functools.partial(masked_end, run / name, FACT_BYTES, masker)
            )
        yield BundleEntry(
            f"runs/{run.name}/log", functools.partial(masked_end, run / "log", LOG_BYTES, masker)
        )
    for script in _newest(state / "scripts", lambda entry: entry.name.endswith(".sh")):
        yield BundleEntry(f"scripts/{script.name}", functools.partial(masked_end, script, FACT_BYTES, masker))


def rows(state: Path) -> list[Row]:
    """The rows of records, those that changed last first: (id, kind, revision, JSON). Raises LeftOut."""
    database = state / "state.db"
    if not database.exists():
        raise LeftOut("there is no database")
    try:
        return newest_rows(database, RECORDS, RECORDS_BYTES)
    except StoreError as error:
        raise LeftOut(f"the database cannot be read: {error}") from error


def _records(state: Path) -> list[dict[str, Any]]:
    return [
        {"id": id_, "kind": kind, "revision": revision, "record": json.loads(body)}
        for id_, kind, revision, body in rows(state)
    ]


def _recent(state: Path) -> list[dict[str, Any]]:
    """The last change of each record, the newest first."""
    return [_change(*row) for row in rows(state)[:RECENT]]


def _change(id_: str, kind: str, revision: int, body: str) -> dict[str, Any]:
    record = json.loads(body)
    item = record.get("item")
    name = "operation_id" if kind == "Operation" else "reference"
    reference = item.get("reference", "") if isinstance(item, dict) else record.get(name, "")
    if kind == "Operation":
        state = record.get("state", {})
        record = {**record, "phase": state.get("_", ""), "ended_s": state.get("ended_s")}
    known = {
        name: record[name]
        for name in ("phase", "reason", "since_s", "started_s", "ended_s")
        if record.get(name)
    }
    return {"revision": revision, "kind": kind, "id": id_, "reference": reference, **known}


def _folder(state: Path) -> list[dict[str, Any]]:
    """The files of the directory, without their content."""
    if not state.is_dir():
        raise LeftOut(f"there is no {state}")
    found = []
    for entry in sorted(os.scandir(state), key=lambda entry: entry.name):
        status = entry.stat(follow_symlinks=False)
        found.append(
            {"name": entry.name, "mode": f"{status.st_mode:o}", "uid": status.st_uid, "bytes": status.st_size}
        )
    return found


def _newest(folder: Path, counts: Callable[[os.DirEntry[str]], bool]) -> list[Path]:
    """What counts of a folder, the newest first."""
    try:
        if os.path.islink(folder):
            return []  # a supervisor makes a folder
        entries = [
            (entry.stat(follow_symlinks=False).st_mtime, entry.path)
            for entry in os.scandir(folder)
            if counts(entry)
        ]
    except OSError:
        return []
    return [Path(path) for _, path in sorted(entries, reverse=True)[:MOST]]
