"""A page that is written from the code, and what it is made of."""

from __future__ import annotations

from collections.abc import Iterable

MARK = "<!-- Written by docs/generate.py from the code. Do not edit. -->"


def page(title: str, *paragraphs: str) -> str:
    return "\n\n".join([MARK, f"# {title}", *(text for text in paragraphs if text)]) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    return f"`{text}`" if text else ""
