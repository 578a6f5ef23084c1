"""The environment's own record: what clients set and what was observed. It decides nothing."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.lean.frozen import replace
from supervisor.lean.typing import assert_never
from supervisor.model.fact import ActivitySeen, EnvironmentStarted, FileRead
from supervisor.model.moment import Now
from supervisor.model.record import Environment

ACTIVITY_INTERVAL_S = 60.0
"""Activity of one source is recorded so often at most."""
EnvironmentFact = EnvironmentStarted | FileRead | ActivitySeen


def observe(environment: Environment | None, fact: EnvironmentFact, now: Now) -> Environment | None:
    """The record with `fact` folded in; the same object if nothing changes, None before the environment started."""
    match fact, environment:
        case EnvironmentStarted(id_, allowed, begins), None:
            return Environment(id_, now.wall_s, trigger_filter=allowed, file_awaited=begins)
        case _, None:
            return None
        case EnvironmentStarted(id_, allowed, begins), known:
            # The runner may say later which environment this is, and which triggers may fire.
            awaited = known.file_awaited or begins
            seen = replace(known, id=id_, trigger_filter=allowed, file_awaited=awaited)
            return known if seen == known else seen
        case FileRead(), _:
            seen = replace(
                environment,
                file_presence=fact.presence,
                file_path=fact.path,
                file_session=fact.session,
                file_failure=fact.failure,
                file_warning=fact.warning,
            )
            return environment if seen == environment else seen
        case ActivitySeen(source, at_s), _:
            return _active(environment, source, at_s)
        case _:
            assert_never(fact)


def _active(environment: Environment, source: str, at_s: float) -> Environment:
    """Editors may report every keystroke, so activity of the same source is recorded once a minute."""
    known_s = environment.active_s
    if (
        source == environment.active_source
        and known_s is not None
        and 0 <= at_s - known_s < ACTIVITY_INTERVAL_S
    ):
        return environment
    return replace(environment, active_source=source, active_s=at_s)


def accepted(environment: Environment, items: Mapping[str, str]) -> Environment:
    """The record after a good version of the file; `items`: their digests. The same object if nothing changes."""
    if not environment.file_awaited and environment.file_items == items:
        return environment
    return replace(environment, file_awaited=False, file_items=items)


def update(environment: Environment, name: str, spec: str) -> Environment:
    """The record with what a client set; the same object if nothing changes."""
    if (environment.name, environment.spec) == (name, spec):
        return environment
    return replace(environment, name=name, spec=spec, spec_version=environment.spec_version + 1)
