"""Dependency graphs: `{node: the nodes it depends on}`. Iterative throughout: a chain may be long."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

Edges = Mapping[str, Sequence[str]]


def closure(roots: Iterable[str], edges: Edges, done: Container[str] = ()) -> list[str]:
    """The roots and all that they depend on, except what is `done`: each once, after its own dependencies.

    A node that `edges` does not list depends on nothing. `edges` must not have a cycle, see `find_cycle`.
    """
    order: list[str] = []
    placed: set[str] = set()
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


def find_cycle(edges: Edges) -> list[str] | None:
    """The nodes of one cycle in the order of dependency, the first repeated at the end; None if there is no cycle."""
    finished: set[str] = set()
    for root in edges:
        path: list[str] = []
        on_path: set[str] = set()
        stack: list[tuple[str, bool]] = [(root, False)]
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
