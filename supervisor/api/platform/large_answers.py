"""Large answers are made and encoded in a thread: of a plan of 3,000 steps that takes 0.2 s, and the loop goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.message import Message

from connect_server import codecs
from supervisor.host.proc import worker_threads
from supervisor.model.record import Execution, Service

M = TypeVar("M", bound=Message)
_STEP_BYTES = 300
_ITEM_BYTES = 1000


async def encoded(make: Callable[[], M], size_bytes: int, ctx: Any) -> M:
    """The message that `make` returns, see `codecs.encoded`; in a thread that is there already."""
    return await codecs.encoded(make, size_bytes, ctx, worker_threads.run)


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
