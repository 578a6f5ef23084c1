"""Leaders: of the executions of one firing whose plans begin alike, one runs the groups that they have in common.

A part of a plan, from its first group up to some group, is led by the execution that reached it first. Another
execution whose plan begins with that part follows: it does not decide until the leader has passed the part or is over.
So the cost of a firing grows with its tasks, and not with the steps of all plans: n²/2 for a chain of n tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from supervisor.lean.frozen import dataclass
from supervisor.model.ids import ExecutionId
from supervisor.model.record import Execution


@dataclass(frozen=True, slots=True)
class Lead:
    """The execution that another one follows, and for how many groups."""

    leader_id: ExecutionId
    groups: int


class Leaders:
    """Which execution leads and which follows. Holds ids of live executions only."""

    def __init__(self) -> None:
        """Begin without leaders."""
        self._parts: dict[str, dict[str, ExecutionId]] = {}
        """{firing: {id of a part of a plan: the execution that leads it}}"""
        self._led: dict[ExecutionId, list[str]] = {}
        """{leader: the ids of the parts}"""
        self._followed: dict[ExecutionId, Lead] = {}
        """{follower: its lead}"""
        self._followers: dict[ExecutionId, dict[int, dict[ExecutionId, None]]] = {}
        """{leader: {number of groups: the executions that follow it for so many}}"""
        self._heirs: dict[ExecutionId, dict[ExecutionId, None]] = {}
        """{leader: the executions that follow it, or did and have not taken over yet}"""
        self._released: dict[ExecutionId, tuple[Execution, int]] = {}
        """{follower: its leader as it was when it released it, and the number of groups in common}"""

    def join(self, execution: Execution) -> Lead | None:
        """Before an execution starts a group: the lead that it may follow; None: it leads, now every free part."""
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

    def follow(self, follower_id: ExecutionId, lead: Lead) -> None:
        """An execution follows a lead from now on."""
        self._followed[follower_id] = lead
        self._followers.setdefault(lead.leader_id, {}).setdefault(lead.groups, {})[follower_id] = None
        self._heirs.setdefault(lead.leader_id, {})[follower_id] = None

    def passed(self, leader: Execution, groups_before: int) -> list[ExecutionId]:
        """A leader has passed groups. Returns the executions that no longer wait for it."""
        waiting = self._followers.get(leader.id)
        if not waiting:
            return []
        reached: Iterable[int] = range(groups_before + 1, leader.group + 1)
        if len(waiting) <= leader.group - groups_before:
            reached = sorted(groups for groups in waiting if groups <= leader.group)
        return self._let_go([id_ for groups in reached for id_ in waiting.get(groups, ())], leader)

    def ended(self, leader: Execution) -> list[ExecutionId]:
        """A leader is over. Returns the executions that no longer wait for it."""
        self._disown(leader)
        waiting = self._followers.get(leader.id, {})
        return self._let_go([id_ for groups in waiting.values() for id_ in groups], leader)

    def leave(self, follower: Execution, leader: Execution) -> None:
        """An execution stops following its leader."""
        self._let_go([follower.id], leader)

    def lead_of(self, execution_id: ExecutionId) -> Lead | None:
        """The lead that an execution follows; None if it does not follow."""
        return self._followed.get(execution_id)

    def first(self, execution_id: ExecutionId, known: dict[ExecutionId, ExecutionId]) -> ExecutionId:
        """The leader at the end of the chain, which does not follow; the execution itself, if it does not follow.

        `known`: {execution: its first leader}, filled in, for callers that ask for many.
        """
        ids = [execution_id]
        while ids[-1] not in known and (lead := self._followed.get(ids[-1])) is not None:
            ids.append(lead.leader_id)
        first = known.get(ids[-1], ids[-1])
        known.update(dict.fromkeys(ids, first))
        return first

    def released(self, execution: Execution) -> tuple[Execution, int] | None:
        """The leader that it followed and the number of groups in common, if it must take over. Returned once."""
        found = self._released.pop(execution.id, None)
        if found is not None:
            leader_id = found[0].id
            heirs = self._heirs[leader_id]
            del heirs[execution.id]
            if not heirs:
                del self._heirs[leader_id]
            self._disown(execution)  # the parts below are free, so it looks again from the end
        return found

    def heirs(self, execution_id: ExecutionId) -> Iterator[ExecutionId]:
        """All executions that wait for it, or have not taken over from it yet, and those that wait for them."""
        stack = [execution_id]
        while stack:
            heirs = self._heirs.get(stack.pop(), ())
            yield from heirs
            stack.extend(heirs)

    def _let_go(self, follower_ids: list[ExecutionId], leader: Execution) -> list[ExecutionId]:
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
