"""The environment's session: from its start to its end, possibly over several supervisors.

A session begins after a clean end (also one that was cut short) and after a restart of the machine: then the triggers
fire. Otherwise the supervisor before was killed or left, and this one continues its session. Each supervisor notes in
the store what the next one must know, and may be killed at any moment:

| in the store | means |
|---|---|
| `boot` | the machine's boot in which the records were true last |
| `drained` | 0: commands may live; begun: everything is being stopped for good; 1: everything was stopped |
| `firing` | a stamp that the firings of this session are derived from, so that a firing can be repeated |
| `fired` | the triggers that have fired, each noted after its commands are in the store; not while they are owed |
| `crash` | the last crash file that was reported |

A new session is noted in one write, once everything that the old one left is adopted. Triggers are owed until the
automations file was valid once. That it was is part of the environment's record, stored together with what the file
says.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from supervisor.core.plans.triggers import ENVIRONMENT_START
from supervisor.host.state.store import Store
from supervisor.model.errors import MachineError, StoreError
from supervisor.model.ids import derived, fresh
from supervisor.model.spec import Trigger

_ALIVE, _DRAINING, _DRAINED = "0", "begun", "1"


class EnvironmentSession:
    """What the store says about the session, and what this supervisor adds."""

    def __init__(self, store: Store, boot: str) -> None:
        """Read only; `begin` writes. `boot`: the id of the machine's present boot."""
        self._store = store
        self._boot = boot
        before = store.get("boot")
        self.restarted = before is not None and before != boot
        """Whether the machine was restarted since: no command of the records lives."""
        self.continues = before == boot and store.get("drained") == _ALIVE
        """Whether this supervisor continues the session of the one before."""
        self._stamp = (store.get("firing") if self.continues else None) or fresh()
        self._fired = (store.get("fired") or "").split() if self.continues else []

    def begin(self) -> None:
        """Everything is adopted: from now on the next supervisor continues this session. Raises MachineError."""
        if self.continues:
            return
        try:
            self._store.put_all({"boot": self._boot, "drained": _ALIVE, "firing": self._stamp, "fired": ""})
        except StoreError as error:
            raise MachineError(
                f"cannot begin an environment: its database cannot be written: {error}"
            ) from error

    def firing(self, trigger: Trigger) -> str:
        """The stamp of a trigger's firing in this session. The triggers of an environment's start are one firing.

        Source: contract/automations-file.md, "When triggers fire".
        """
        return derived(self._stamp, "start" if trigger in ENVIRONMENT_START else trigger.value)

    def has_fired(self, trigger: Trigger) -> bool:
        """Whether this supervisor, or one before it in this session, fired the trigger."""
        return trigger.value in self._fired

    def note_fired(self, trigger: Trigger) -> None:
        """The trigger has fired, and what followed is in the store."""
        self._fired.append(trigger.value)
        self._put("fired", " ".join(self._fired))

    def unreported_crash(self, files: Sequence[Path]) -> Path | None:
        """The newest of these crash files; None: there is none, or this was asked before. The oldest file is first."""
        if not files or self._store.get("crash") == files[-1].name:
            return None
        self._put("crash", files[-1].name)
        return files[-1]

    def note_drain(self) -> None:
        """Everything is about to be stopped for good."""
        self._put("drained", _DRAINING)

    def note_end(self) -> None:
        """Everything was stopped."""
        self._put("drained", _DRAINED)

    def _put(self, key: str, value: str) -> None:
        try:
            self._store.put(key, value)
        except StoreError:
            pass  # the disk is full: the engine reports what it cannot write. At worst something starts again
