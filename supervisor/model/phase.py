"""The phases that records go through, and what may be wanted of them."""

from __future__ import annotations

import enum


class ServicePhase(enum.Enum):
    """Where a service stands. A new service is STOPPED; DELETED is published once and is final."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    DELETED = "deleted"


class ExecutionPhase(enum.Enum):
    """Where a task execution, or one of its steps, stands. SUCCEEDED, FAILED and STOPPED are final."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"


EXECUTION_ENDED = frozenset({ExecutionPhase.SUCCEEDED, ExecutionPhase.FAILED, ExecutionPhase.STOPPED})


class RunPhase(enum.Enum):
    """Where the run of a task's command stands."""

    LIVE = "live"
    STOPPING = "stopping"
    ENDED = "ended"


class Want(enum.Enum):
    """What is wanted of a service. GONE: stop it, then forget it."""

    UP = "up"
    DOWN = "down"
    GONE = "gone"
