"""The JSON of `/control/runs`: every run that is kept, with its times, its end and the size of its log."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from supervisor.core.kept_runs import KeptRun
from supervisor.host.runs import log_file
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.run_facts import WrittenFacts
from supervisor.model.exit import Exit, ExitUnknown, exit_text, shell_status
from supervisor.model.record import LastProbe
from supervisor.model.timestamp import rfc3339


def runs_json(folder: Path, runs: Iterable[KeptRun]) -> bytes:
    """The answer, newest run first. `folder`: of the run directories. Reads files, so call it in a thread."""
    written = WrittenFacts(folder)
    found = []
    for run in runs:
        began_s, body = _run(folder, written, run) if run.probed is None else _probe(run, run.probed)
        found.append((_age(run, began_s), body))
    found.sort(key=lambda one: one[0], reverse=True)
    return json.dumps({"runs": [body for _, body in found]}).encode()


def _run(folder: Path, written: WrittenFacts, run: KeptRun) -> tuple[float | None, dict[str, Any]]:
    directory, facts = RunDir(folder, run.id), written.of(run.id)
    began_s = facts.began_s
    end = None if run.lives else run.exit or facts.exit or _unknown(directory, began_s)
    size_bytes, kept_bytes = _sizes(directory.log)
    return began_s, _body(run, began_s, None if run.lives else facts.ended_s, end, size_bytes, kept_bytes)


def _body(
    run: KeptRun,
    began_s: float | None,
    ended_s: float | None,
    end: Exit | None,
    size_bytes: int,
    kept_bytes: int,
) -> dict[str, Any]:
    return {
        "id": run.id,
        "itemId": run.item_id,
        "reference": run.reference,
        "kind": run.kind.value,
        "startedAt": _text(began_s),
        "endedAt": _text(ended_s),
        "end": "" if end is None else exit_text(end),
        "exitStatus": _status(end),
        "sizeBytes": size_bytes,
        "keptBytes": kept_bytes,
    }


def _probe(run: KeptRun, last: LastProbe) -> tuple[float | None, dict[str, Any]]:
    """The last one of a session's probes, whether there will be another one or not."""
    began_s = last.ended_s - last.took_s
    size_bytes = len(last.output.encode("utf-8", "surrogateescape"))
    return began_s, _body(run, began_s, last.ended_s, last.exit, size_bytes, size_bytes)


def _unknown(directory: RunDir, began_s: float | None) -> ExitUnknown:
    is_blank = began_s is None and not os.path.lexists(directory.log)
    return ExitUnknown("did not start" if is_blank else "")


def _age(run: KeptRun, began_s: float | None) -> tuple[bool, float, int]:
    """What grows with the runs. One that lives and has not begun is the newest; those of a service are numbered."""
    number = run.id.rpartition(".")[2]
    return run.lives and began_s is None, began_s or 0.0, int(number) if number.isdecimal() else 0


def _status(end: Exit | None) -> int | None:
    return None if end is None or isinstance(end, ExitUnknown) else shell_status(end)


def _sizes(log: str) -> tuple[int, int]:
    """How much was written into a log, and how much of that is left."""
    try:
        first_kept, size_bytes = log_file.span(log)
    except OSError:
        return 0, 0
    return size_bytes, size_bytes - first_kept


def _text(at_s: float | None) -> str | None:
    return None if at_s is None else rfc3339(at_s)
