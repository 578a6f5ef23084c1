"""Which runs past executions still show: a run's directory is kept as long as one of them does."""

from __future__ import annotations

from collections.abc import Iterable

from supervisor.model.record import Passed


class RunRefs:
    """Counts what refers to runs: groups that were passed, which executions and longer ways share."""

    def __init__(self) -> None:
        """Nothing refers to anything."""
        self._ways: dict[str, int] = {}
        """{id of a way passed: how many executions and longer ways end in it}"""
        self._runs: dict[str, int] = {}
        """{run id: in how many groups it is}"""

    def run_ids(self) -> Iterable[str]:
        """All runs that are referred to."""
        return self._runs

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._runs

    def __len__(self) -> int:
        return len(self._ways) + len(self._runs)

    def take(self, passed: Passed) -> None:
        """An execution has passed these groups."""
        for way in passed.down_to(0):
            known = self._ways.get(way.id, 0)
            self._ways[way.id] = known + 1
            if known:
                return
            for state in way.last:
                if state.run_id is not None:
                    self._runs[state.run_id] = self._runs.get(state.run_id, 0) + 1

    def drop(self, passed: Passed) -> list[str]:
        """An execution is forgotten or has come further. Returns the runs that no group refers to any more."""
        freed: list[str] = []
        for way in passed.down_to(0):
            self._ways[way.id] -= 1
            if self._ways[way.id]:
                break
            del self._ways[way.id]
            freed += [state.run_id for state in way.last if state.run_id and self._is_last(state.run_id)]
        return freed

    def _is_last(self, run_id: str) -> bool:
        self._runs[run_id] -= 1
        if self._runs[run_id]:
            return False
        del self._runs[run_id]
        return True
