"""Plans: what they hold, and that those of one firing share what they have in common."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.plans.graph import Edges, closure
from supervisor.core.plans.planner import Planner
from supervisor.model.ids import TaskId, derived, item_id
from supervisor.model.record import Plan, Source, Task
from tests.core.playbook import SEED, task


def planner(edges: Edges[str]) -> Planner:
    tasks = {
        TaskId(name): Task(TaskId(name), task(name, *below), Source.FILE, 0.0, tuple(map(item_id, below)))
        for name, below in edges.items()
    }
    return Planner(derived(SEED, "firing"), tasks, {})


def references(plan: Plan) -> list[list[str]]:
    return [[step.reference for step in group] for group in plan]


def layers(order: Iterable[str], edges: Edges[str]) -> list[list[str]]:
    """`order`, as `closure` gives it, in layers: a node stands one layer above its highest dependency."""
    level: dict[str, int] = {}
    result: list[list[str]] = []
    for node in order:
        height = max((level[below] + 1 for below in edges.get(node, ())), default=0)
        level[node] = height
        if height == len(result):
            result.append([])
        result[height].append(node)
    return result


def acyclic(draw: st.DrawFn) -> dict[str, list[str]]:
    names = "abcdefghij"
    return {
        name: draw(st.lists(st.sampled_from(names[:at]), max_size=4, unique=True)) if at else []
        for at, name in enumerate(names)
    }


@given(st.composite(acyclic)())
def test_plan_places_each_step_above_its_highest_dependency(edges: dict[str, list[str]]) -> None:
    made = planner(edges)
    for name in reversed(edges):
        assert references(made.plan(TaskId(name))) == layers(closure([name], edges), edges)


def test_plans_of_a_chain_share_all_that_is_below() -> None:
    made = planner({"c": ["b"], "b": ["a"], "a": []})
    assert made.plan(TaskId("c")).below is made.plan(TaskId("b"))
    assert made.plan(TaskId("b")).below is made.plan(TaskId("a"))


def test_what_is_depended_on_twice_is_shared_as_well() -> None:
    made = planner({"d": ["c", "b", "a"], "c": ["b", "a"], "b": ["a"], "a": []})
    assert made.plan(TaskId("d")).below is made.plan(TaskId("c"))
    assert made.plan(TaskId("c")).below is made.plan(TaskId("b"))
