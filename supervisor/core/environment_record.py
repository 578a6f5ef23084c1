"""The environment's own record: what clients set and what was seen of it. It decides nothing."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.lean.frozen import replace
from supervisor.lean.typing import assert_never
from supervisor.model.fact import ActivitySeen, EnvironmentStarted, FileRead
from supervisor.model.moment import Now
from supervisor.model.record import Environment

ACTIVITY_NEWS_S = 60.0
EnvironmentFact = EnvironmentStarted | FileRead | ActivitySeen


def observe(environment: Environment | None, fact: EnvironmentFact, now: Now) -> Environment | None:
    """The record with `fact` folded in; the same object if it says nothing new, None before the environment started."""
    match fact, environment:
        case EnvironmentStarted(id_, allowed, begins), None:
            return Environment(id_, now.wall_s, trigger_filter=allowed, file_awaited=begins)
        case _, None:
            return None
        case EnvironmentStarted(id_, allowed, begins), known:
            # The runner may say only later which environment this is, and what may fire.
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
    """Editors may report with every keystroke: of one source, what is news is written down once a minute."""
    known_s = environment.active_s
    if source == environment.active_source and known_s is not None and 0 <= at_s - known_s < ACTIVITY_NEWS_S:
        return environment
    return replace(environment, active_source=source, active_s=at_s)


def accepted(environment: Environment, items: Mapping[str, str]) -> Environment:
    """A good version of the file was applied, which said this of its items; the same object if nothing changes."""
    if not environment.file_awaited and environment.file_items == items:
        return environment
    return replace(environment, file_awaited=False, file_items=items)


def update(environment: Environment, name: str, spec: str) -> Environment:
    """What a client set; the same object if that changes nothing."""
    if (environment.name, environment.spec) == (name, spec):
        return environment
    return replace(environment, name=name, spec=spec, spec_version=environment.spec_version + 1)
