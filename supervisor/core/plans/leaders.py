"""Who leads: of the executions of one firing whose plans begin alike, one runs what they have in common.

A part of a plan, from its first group up to one, is led by the execution that came to it first. Another one whose plan
begins with that part follows: it is not looked at until the leader has passed the part or is over. So a firing
costs what its tasks cost, and not what all plans list together: of a chain of n tasks, n²/2 steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from supervisor.lean.frozen import dataclass
from supervisor.model.record import Execution


@dataclass(frozen=True, slots=True)
class Lead:
    """Whom an execution follows, and for how many groups."""

    leader_id: str
    groups: int


class Leaders:
    """Who leads and who follows. Holds ids of live executions only."""

    def __init__(self) -> None:
        """Nobody follows anybody."""
        self._parts: dict[str, dict[str, str]] = {}
        """{firing: {id of a part of a plan: the execution that leads it}}"""
        self._led: dict[str, list[str]] = {}
        """{leader: the ids of the parts}"""
        self._followed: dict[str, Lead] = {}
        """{follower: whom it follows}"""
        self._followers: dict[str, dict[int, dict[str, None]]] = {}
        """{leader: {groups: who follows it for so many}}"""
        self._heirs: dict[str, dict[str, None]] = {}
        """{leader: who followed it and has not taken over yet}"""
        self._released: dict[str, tuple[Execution, int]] = {}
        """{follower: its leader as it was when it let go, and the groups in common}"""

    def join(self, execution: Execution) -> Lead | None:
        """Before it starts a group: whom it may follow; None if it leads. It leads what nobody else does."""
        parts, mine = self._parts.setdefault(execution.firing, {}), self._led.setdefault(execution.id, [])
        for part in execution.plan.down_to(execution.group):
            leader_id = parts.get(part.id)
            if leader_id == execution.id:
                return None
            if leader_id is not None:
                return Lead(leader_id, part.size)
            parts[part.id] = execution.id
            mine.append(part.id)
        return None

    def follow(self, follower_id: str, lead: Lead) -> None:
        """It waits from now on."""
        self._followed[follower_id] = lead
        self._followers.setdefault(lead.leader_id, {}).setdefault(lead.groups, {})[follower_id] = None
        self._heirs.setdefault(lead.leader_id, {})[follower_id] = None

    def passed(self, leader: Execution, groups_before: int) -> list[str]:
        """A leader has come further. Returns those that wait no more."""
        waiting = self._followers.get(leader.id)
        if not waiting:
            return []
        reached: Iterable[int] = range(groups_before + 1, leader.group + 1)
        if len(waiting) <= leader.group - groups_before:
            reached = sorted(groups for groups in waiting if groups <= leader.group)
        return self._let_go([id_ for groups in reached for id_ in waiting.get(groups, ())], leader)

    def ended(self, leader: Execution) -> list[str]:
        """A leader is over. Returns those that wait no more."""
        self._disown(leader)
        waiting = self._followers.get(leader.id, {})
        return self._let_go([id_ for groups in waiting.values() for id_ in groups], leader)

    def leave(self, follower: Execution, leader: Execution) -> None:
        """It does not want to wait any more."""
        self._let_go([follower.id], leader)

    def lead_of(self, execution_id: str) -> Lead | None:
        """Whom it follows; None if it follows nobody."""
        return self._followed.get(execution_id)

    def first(self, execution_id: str, known: dict[str, str]) -> str:
        """The leader that follows nobody; the execution itself, if it does not follow.

        `known`: what was found so far, for whoever asks for many.
        """
        ids = [execution_id]
        while ids[-1] not in known and (lead := self._followed.get(ids[-1])) is not None:
            ids.append(lead.leader_id)
        first = known.get(ids[-1], ids[-1])
        known.update(dict.fromkeys(ids, first))
        return first

    def released(self, execution: Execution) -> tuple[Execution, int] | None:
        """The leader that it followed and the groups in common, if it is to take over; once."""
        found = self._released.pop(execution.id, None)
        if found is not None:
            leader_id = found[0].id
            heirs = self._heirs[leader_id]
            del heirs[execution.id]
            if not heirs:
                del self._heirs[leader_id]
            self._disown(execution)  # what comes below is free, so it looks again from the end
        return found

    def heirs(self, execution_id: str) -> Iterator[str]:
        """All that wait for it, or have not taken over yet, and those that wait for them."""
        stack = [execution_id]
        while stack:
            heirs = self._heirs.get(stack.pop(), ())
            yield from heirs
            stack.extend(heirs)

    def _let_go(self, follower_ids: list[str], leader: Execution) -> list[str]:
        """Returns the same ids."""
        for follower_id in follower_ids:
            lead = self._followed.pop(follower_id)
            waiting = self._followers[leader.id]
            del waiting[lead.groups][follower_id]
            if not waiting[lead.groups]:
                del waiting[lead.groups]
            if not waiting:
                del self._followers[leader.id]
            self._released[follower_id] = leader, lead.groups
        return follower_ids

    def _disown(self, execution: Execution) -> None:
        parts = self._parts.get(execution.firing, {})
        for part in self._led.pop(execution.id, ()):
            del parts[part]
        if not parts:
            self._parts.pop(execution.firing, None)
