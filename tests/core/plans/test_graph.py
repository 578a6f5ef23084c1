"""Graphs: order, cycles, and that depth is no limit."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.plans.graph import closure, find_cycle

DEEP = {str(n): [str(n + 1)] for n in range(50_000)}


def test_closure_puts_dependencies_first_and_each_once() -> None:
    edges = {"a": ["b", "c"], "b": ["d"], "c": ["d"], "other": ["a"]}
    assert closure(["a"], edges) == ["d", "b", "c", "a"]


def test_cycle_is_given_as_its_whole_path() -> None:
    assert find_cycle({"x": ["a"], "a": ["b"], "b": ["c"], "c": ["a"]}) == ["a", "b", "c", "a"]


def test_self_dependency_is_a_cycle() -> None:
    assert find_cycle({"a": ["a"]}) == ["a", "a"]


def test_diamond_is_no_cycle() -> None:
    assert find_cycle({"a": ["b", "c"], "b": ["d"], "c": ["d"]}) is None


def test_long_chain_needs_no_recursion() -> None:
    assert len(closure(["0"], DEEP)) == 50_001
    assert find_cycle(DEEP) is None
    assert find_cycle({**DEEP, "50000": ["0"]}) is not None


graphs = st.dictionaries(
    st.sampled_from("abcdefg"), st.lists(st.sampled_from("abcdefg"), max_size=3, unique=True)
)


@given(graphs)
def test_closure_puts_every_dependency_before_unless_there_is_a_cycle(edges: dict[str, list[str]]) -> None:
    cycle = find_cycle(edges)
    if cycle is not None:
        assert cycle[0] == cycle[-1]
        assert all(below in edges[above] for above, below in pairwise(cycle))
        return
    order = closure(edges, edges)
    place = {node: n for n, node in enumerate(order)}
    assert len(place) == len(order)
    assert all(place[below] < place[node] for node in order for below in edges.get(node, ()))
