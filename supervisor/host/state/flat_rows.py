"""Rows of services and task runs from before version 3 of the database: the fields of all phases side by side.

Such a row was written between two steps, when the world is settled; that says which fields have a meaning. Rows of
version 3 may be older than `last_probe` and `last_stop`, and than the probes of a session having one run id.
"""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.lean.typing import Any

_Row = Mapping[str, Any]


def with_state(kind: str, row: _Row) -> _Row:
    """The row as it is written now. `kind` is the name of the record's class. Raises KeyError or TypeError."""
    if kind == "Service":
        row = row if "state" in row else {**row, "state": _service_state(row)}
        row = row if "last_probe" in row else {**row, **_last_runs(row)}
        return {**row, **_probed_on(row)} if _pauses(row) else row
    return {**row, "state": _run_state(row)} if kind == "TaskRun" and "state" not in row else row


def _pauses(row: _Row) -> bool:
    """Whether the service was between two probes, each of which had a run id of its own."""
    probe = row["state"].get("probe")
    return isinstance(probe, Mapping) and probe.get("_") == "ProbePause"


def _probed_on(row: _Row) -> dict[str, Any]:
    """Probes go on under the run id of the last one, which was the last run of all."""
    last = row["last_probe"] or f"{row['id']}.{row['runs']}"
    return {"last_probe": last, "state": {**row["state"], "probe": {"_": "ProbeRun", "id": last}}}


def _service_state(row: _Row) -> dict[str, Any]:
    session = _session(row)
    match row["phase"] if session else "stopped":
        case "starting":
            return {
                "_": "Starting",
                "session": session,
                "ready_by": row.get("ready_by"),
                "probe": _probe(row),
                "report": {
                    "reason": row.get("reason", ""),
                    "tail": row.get("probe_tail", ""),
                    "noted": row.get("noted", ""),
                    "noted_at": row.get("noted_at"),
                },
            }
        case "running":
            return {"_": "Running", "session": session}
        case "stopping":
            return {
                "_": "Stopping",
                "session": session,
                "kill_at": row.get("kill_at"),
                "start_lives": row.get("start") is not None,
                "probe": row.get("probe"),
                "stop": row.get("stop"),
                "failure": row.get("blame", ""),
                "tail": row.get("tail", ""),
                "exit": row.get("main_exit"),
                "ready": row.get("ready", False),
            }
        case phase:
            failed = phase == "failed"
            return {
                "_": "AtRest",
                "session": session,
                "failure": row.get("reason", "") if failed else "",
                "note": "" if failed else row.get("reason", ""),
                "tail": row.get("tail", ""),
                "exit": row.get("main_exit"),
            }


def _last_runs(row: _Row) -> dict[str, Any]:
    """The probe and the stop command that live. That one was among the runs of the start command."""
    state = row["state"]
    probe, stop = state.get("probe"), state.get("stop")
    kept = [run_id for run_id in row.get("kept_runs", ()) if run_id != stop]
    last_probe = probe.get("id") if isinstance(probe, Mapping) else probe
    return {"kept_runs": kept, "last_probe": last_probe, "last_stop": stop}


def _session(row: _Row) -> dict[str, Any] | None:
    if not row.get("ran_session"):
        return None
    return {
        "_": "ServiceSession",
        "id": row["ran_session"],
        "spec": row.get("ran_spec") or row["item"]["spec"],
        "run": row.get("log_run") or row.get("start") or f"{row['id']}.1",
        "output": row.get("output", {}),
    }


def _probe(row: _Row) -> dict[str, Any] | None:
    if row.get("probe") is not None:
        return {"_": "ProbeRun", "id": row["probe"]}
    if row.get("probe_at") is not None:
        return {"_": "ProbePause", "until": row["probe_at"]}
    return None


def _run_state(row: _Row) -> dict[str, Any]:
    match row["phase"]:
        case "stopping":
            return {"_": "RunStopping", "kill_at": row.get("kill_at")}
        case "ended":
            ended = {name: row[name] for name in ("exit", "tail", "stopped", "killed") if name in row}
            return {"_": "RunEnded", **ended}
        case _:
            return {"_": "RunLive"}
