"""Ids: one type for each kind, fresh ones, made at the edges, and those derived from others.

The types keep the type checker from taking one id for another; at run time all are strings. What comes from outside
(the wire, JSON, a name in the file system) becomes an id where it is read. Derived ids spare the core randomness.

`uuid` does not make them: its import asks what machine this is and costs a tenth of the start.
"""

from __future__ import annotations

import os

from supervisor.lean.digest import sha1
from supervisor.lean.typing import NewType

EnvironmentId = NewType("EnvironmentId", str)
ServiceId = NewType("ServiceId", str)
TaskId = NewType("TaskId", str)
ExecutionId = NewType("ExecutionId", str)
StepId = NewType("StepId", str)
"""Of a step of a plan; derived from the firing, so plans of one firing have it in common."""
RunId = NewType("RunId", str)
"""Of a run of a command, which names its directory: a UUID for a task's and an operation's,
`<service id>.<number>` for a service's."""
ItemId = ServiceId | TaskId
OperationId = NewType("OperationId", str)
"""What a client calls an operation; a fresh one if it does not care. Any text, so it is no id of a record."""


def item_id(text: str) -> ItemId:
    """The id of an item that may be a service or a task."""
    return ServiceId(text)


def service_of_run(run_id: RunId) -> ServiceId:
    """The service of a run, if it is the run of a service."""
    return ServiceId(run_id.partition(".")[0])


def derived(stamp: str, *names: str) -> str:
    """A UUID (version 5) that follows from `stamp`, itself a UUID, and `names`; equal arguments give equal ids.

    Source: RFC 9562, section 5.5. Raises ValueError if the stamp is not a UUID.
    """
    digest = sha1(bytes.fromhex(stamp.replace("-", "")) + "\0".join(names).encode("utf-8", "surrogateescape"))
    return _text(digest[:16], version=5)


def fresh() -> str:
    """A new random UUID (version 4). Not for the core: its ids follow from the stamps of commands."""
    return _text(os.urandom(16), version=4)


def _text(data: bytes, version: int) -> str:
    marked = bytearray(data)
    marked[6] = marked[6] & 0x0F | version << 4
    marked[8] = marked[8] & 0x3F | 0x80
    digits = marked.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
