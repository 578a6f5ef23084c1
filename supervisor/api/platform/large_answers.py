"""Large answers are made and encoded in a thread: of a plan of 3,000 steps that takes 0.2 s, and the loop goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from google.protobuf.message import Message

from supervisor.api.connect import strict_json
from supervisor.host.proc import worker_threads
from supervisor.model.record import Execution, Service

M = TypeVar("M", bound=Message)
SMALL_BYTES = 32 * 1024
"""An answer up to this size, which takes a few milliseconds, is made at once."""
_STEP_BYTES = 300
_ITEM_BYTES = 1000


class Encoded:
    """Stands for a message where it was encoded already."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


async def encoded(make: Callable[[], M], size_bytes: int, ctx: Any) -> M:
    """What `make` returns, which only looks at records; encoded already if that would take long.

    `ctx`: of the call, which says in which form it is answered.
    """
    if size_bytes <= SMALL_BYTES:
        return make()
    as_json = ctx.request_headers.get("content-type", "").partition(";")[0].strip().lower().endswith("json")

    def work() -> Encoded:
        message = make()
        return Encoded(strict_json.encode(message) if as_json else message.SerializeToString())

    return cast(M, await worker_threads.run(work))


def size_bytes(record: Execution | Service) -> int:
    """About how large it is as a message."""
    if isinstance(record, Service):
        return _ITEM_BYTES + len(record.reason) + len(record.tail) + _of_output(record.output)
    groups = [record.current.values(), *record.passed]
    outputs = sum(_of_output(state.output) for group in groups for state in group if state.output)
    steps = sum(map(len, record.plan))
    return _ITEM_BYTES + _STEP_BYTES * steps + outputs + len(record.reason) + len(record.tail)


def _of_output(output: Any) -> int:
    return sum(len(key) + len(value) + 8 for key, value in output.items())
