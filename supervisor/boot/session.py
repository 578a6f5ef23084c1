"""How an environment's life began, as one supervisor notes it for the next, which may come after any moment.

| in the store | means |
|---|---|
| `boot` | the machine's boot in which the records were true last |
| `drained` | 0: commands may live; begun: everything is being stopped for good; 1: everything was |
| `firing` | a stamp that the firings of this beginning follow from, so that the same one can be told from a new one |
| `crash` | the last file about a bug that was told of |
| `fired` | the triggers that were fired since, each noted after its commands are in the store; not while owed |

An environment begins anew after a clean end (also one that was cut short) and after a restart of the machine: the
triggers fire. Otherwise the supervisor before was cut off or left, and this one goes on. The new beginning is noted in
one write, when what the old one left was taken over. Triggers are owed until the file was good once; that it was stands
in the environment's record, in the same write as what the file said.
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


class Beginning:
    """What the store says about how the environment began."""

    def __init__(self, store: Store, boot: str) -> None:
        """Look, and note nothing yet. `boot`: the machine's, as it is now."""
        self._store = store
        self._boot = boot
        before = store.get("boot")
        self.restarted = before is not None and before != boot
        """Whether the machine was restarted since: nothing lives of what the records say."""
        self.resumes = before == boot and store.get("drained") == _ALIVE
        """Whether this goes on where the supervisor before was cut off."""
        self._stamp = (store.get("firing") if self.resumes else None) or fresh()
        self._fired = (store.get("fired") or "").split() if self.resumes else []

    def note(self) -> None:
        """What there was is taken over: from now on the next supervisor goes on with it. Raises MachineError."""
        if self.resumes:
            return
        try:
            self._store.put_all({"boot": self._boot, "drained": _ALIVE, "firing": self._stamp, "fired": ""})
        except StoreError as error:
            raise MachineError(
                f"cannot begin an environment: its database cannot be written: {error}"
            ) from error

    def firing(self, trigger: Trigger) -> str:
        """The stamp of a trigger's firing in this beginning; the triggers of an environment's start are one firing.

        Source: contract/automations-file.md, "When triggers fire".
        """
        return derived(self._stamp, "start" if trigger in ENVIRONMENT_START else trigger.value)

    def fired(self, trigger: Trigger) -> bool:
        """Whether it was fired, by this supervisor or one before."""
        return trigger.value in self._fired

    def note_fired(self, trigger: Trigger) -> None:
        """It was fired, and what followed is in the store."""
        self._fired.append(trigger.value)
        self._put("fired", " ".join(self._fired))

    def crashed(self, files: Sequence[Path]) -> Path | None:
        """The last of these files, unless it was told of."""
        if not files or self._store.get("crash") == files[-1].name:
            return None
        self._put("crash", files[-1].name)
        return files[-1]

    def note_drain(self) -> None:
        """Everything is to be stopped for good."""
        self._put("drained", _DRAINING)

    def note_end(self) -> None:
        """Everything was stopped."""
        self._put("drained", _DRAINED)

    def _put(self, key: str, value: str) -> None:
        try:
            self._store.put(key, value)
        except StoreError:
            pass  # the disk is full: what the engine cannot write is told; at worst something is begun again
