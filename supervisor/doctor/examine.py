"""Runs all checks side by side: those of the endpoints, and those of the machine itself."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from supervisor.doctor.findings import Check, Finding, State, Verdict
from supervisor.doctor.machine_checks import checks
from supervisor.doctor.network import assessment
from supervisor.doctor.network.attempt import attempt
from supervisor.doctor.network.bounded_call import bounded_call
from supervisor.doctor.network.observation import Observation
from supervisor.doctor.network.proxy import Proxies
from supervisor.doctor.network.target import Skip, Target
from supervisor.doctor.network.tls import Trust

T = TypeVar("T")

SIDE_BY_SIDE = 32
"""Attempts at a time. A firewall would take more for a scan, and its table of connections would fill up."""
NETWORK = "Network"
MACHINE = "Machine"


Progress = Callable[[int, int], None]
"""Called with the number of checks that are done, and the number of all."""


def examine(
    endpoints: Sequence[Target | Skip], state: Path, workspace: Path, timeout_s: float, progress: Progress
) -> list[Finding]:
    """The findings on these endpoints and on this machine, in this order.

    Args:
        endpoints: what to try; a `Skip` is only reported.
        state: the state directory, whose disk is checked; so is that of `workspace`.
        workspace: the folder in which commands run.
        timeout_s: for each endpoint and each check.
        progress: called after each of them.
    """
    looks = checks(state, workspace)
    return anyio.run(_examine, endpoints, looks, Proxies(os.environ), Trust.of_machine(), timeout_s, progress)


async def _examine(
    endpoints: Sequence[Target | Skip],
    checks: Sequence[Check],
    proxies: Proxies,
    trust: Trust,
    timeout_s: float,
    progress: Progress,
) -> list[Finding]:
    targets = [endpoint for endpoint in endpoints if isinstance(endpoint, Target)]
    limiter = anyio.CapacityLimiter(SIDE_BY_SIDE)

    async def try_endpoint(target: Target) -> Observation:
        async with limiter:
            return await attempt(target, proxies, trust, timeout_s)

    count = _Count(len(targets) + len(checks), progress)
    async with anyio.create_task_group() as tasks:
        looked = [count.start(tasks, partial(_look, check, timeout_s)) for check in checks]
        seen = [count.start(tasks, partial(try_endpoint, target)) for target in targets]
    tried = [(target, result.value) for target, result in zip(targets, seen, strict=True)]
    return [
        *_network(endpoints, tried, proxies),
        *_endpoints(endpoints, tried),
        *(result.value for result in looked),
    ]


class _Result(Generic[T]):
    """The value that a task returned. It is set once the task group has ended."""

    value: T


class _Count:
    """Starts tasks, and reports how many of them have ended."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._done = 0
        self._total = total
        self._progress = progress

    def start(self, tasks: TaskGroup, function: Callable[[], Awaitable[T]]) -> _Result[T]:
        result: _Result[T] = _Result()

        async def run() -> None:
            result.value = await function()
            self._done += 1
            self._progress(self._done, self._total)

        tasks.start_soon(run)
        return result


async def _look(check: Check, timeout_s: float) -> Finding:
    began_s = time.monotonic()
    try:
        with anyio.fail_after(timeout_s):
            verdict_ = await bounded_call(check.look)
    except TimeoutError:
        verdict_ = Verdict(State.FAILED, f"no answer within {timeout_s:g} s")
    except OSError as error:  # the machine has no thread, process or descriptor left
        verdict_ = Verdict(State.FAILED, f"cannot be looked at: {(error.strerror or str(error)).lower()}")
    return Finding(MACHINE, check.name, check.required, verdict_, time.monotonic() - began_s)


def _endpoints(
    endpoints: Sequence[Target | Skip], tried: Sequence[tuple[Target, Observation]]
) -> list[Finding]:
    in_order = iter(tried)
    now_s = time.time()
    return [
        assessment.skipped(endpoint)
        if isinstance(endpoint, Skip)
        else assessment.finding(*next(in_order), now_s)
        for endpoint in endpoints
    ]


def _network(
    endpoints: Sequence[Target | Skip], tried: Sequence[tuple[Target, Observation]], proxies: Proxies
) -> list[Finding]:
    """Findings that follow from all endpoints together."""
    if not endpoints:
        return []
    named = str(proxies)
    plane = next((seen for target, seen in tried if target.endpoint.plane), None)
    answer = plane.answer if plane is not None and plane.failure is None else None
    return [
        Finding(NETWORK, "proxy", False, Verdict(State.OK, named or "none: no variable names one")),
        Finding(NETWORK, "TLS interception", False, assessment.interception(tried)),
        Finding(NETWORK, "clock", True, assessment.clock_skew(answer)),
    ]
