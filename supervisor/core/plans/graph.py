"""Dependency graphs: `{node: the nodes it depends on}`. Iterative throughout: a chain may be long."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from supervisor.lean.typing import TypeVar

N = TypeVar("N")
Edges = Mapping[N, Sequence[N]]


def closure(roots: Iterable[N], edges: Edges[N], done: Container[N] = ()) -> list[N]:
    """The roots and all that they depend on, except what is `done`: each once, after its own dependencies.

    A node that `edges` does not list depends on nothing. `edges` must not have a cycle, see `find_cycle`.
    """
    order: list[N] = []
    placed: set[N] = set()
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, expanded = stack.pop()
        if node in placed or node in done:
            continue
        if expanded:
            placed.add(node)
            order.append(node)
            continue
        stack.append((node, True))
        stack.extend((below, False) for below in reversed(edges.get(node, ())) if below not in placed)
    return order


def find_cycle(edges: Edges[N]) -> list[N] | None:
    """The nodes of one cycle in the order of dependency, the first repeated at the end; None if there is no cycle."""
    finished: set[N] = set()
    for root in edges:
        path: list[N] = []
        on_path: set[N] = set()
        stack: list[tuple[N, bool]] = [(root, False)]
        while stack:
            node, leaving = stack.pop()
            if leaving:
                path.pop()
                on_path.discard(node)
                finished.add(node)
            elif node in on_path:
                return [*path[path.index(node) :], node]
            elif node not in finished:
                path.append(node)
                on_path.add(node)
                stack.append((node, True))
                stack.extend((below, False) for below in reversed(edges.get(node, ())))
    return None
