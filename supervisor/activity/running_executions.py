"""Task executions that run: somebody, or a trigger, waits for them. Services are no activity: they run for days."""

from __future__ import annotations

from collections.abc import Iterator

from supervisor.activity.sighting import Kind, Sighting
from supervisor.core import queries
from supervisor.core.records import Records
from supervisor.model.moment import Instant
from supervisor.model.phase import ExecutionPhase

SOURCE = "Automations"
"""Source: contract/api.md, Heartbeats."""
_MOST_NAMED = 3


def running(records: Records, now: Instant) -> Iterator[Sighting]:
    """One sighting for all that run; its details name the eldest."""
    live = queries.live_executions(records)
    executions = [execution for execution in live if execution.phase is ExecutionPhase.RUNNING]
    if not executions:
        return
    names = list(dict.fromkeys(execution.reference for execution in executions))
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    detail = f"task{'s' if len(names) > 1 else ''} {', '.join(names[:_MOST_NAMED])}{more}"
    # Records know the wall clock alone. Only shown to people: a jump of it shifts no signal.
    began_s = min(execution.started_s or execution.created_s for execution in executions)
    age_s = max(0.0, now.wall_s - began_s)
    yield Sighting(Kind.EXECUTION, SOURCE, detail, now.boot_s - age_s, now.boot_s)
