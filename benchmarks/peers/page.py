"""The tables of docs/performance.md, from what was measured; all other text of that page is written by hand."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers import calls
from benchmarks.peers.contestants import BEFORE, FLOOR, OURS
from benchmarks.peers.measured import Measured
from benchmarks.peers.rows import ROWS, Row, shown

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
BEGIN = "<!-- from here: written by `benchmarks/run --peers --write` -->\n"
BEGIN_CALLS = "<!-- from here: written by `benchmarks/run --peers --calls --write` -->\n"
END = "<!-- to here -->\n"
_QUIET = 0.1
"""What others may use of a machine on which times are worth something."""
_SHOWN = 4
"""How many of the others the first table names in a cell; the second has all."""


def write(measured: Measured | None = None, counted: tuple[calls.Found, str] | None = None) -> None:
    """Write the tables in place of those that are there; of what is not given, nothing changes."""
    text = PAGE.read_text()
    if measured is not None:
        text = with_part(text, BEGIN, tables(measured))
    if counted is not None:
        text = with_part(text, BEGIN_CALLS, calls.table(*counted))
    PAGE.write_text(text)


def with_part(text: str, begin: str, part: str) -> str:
    """The page with this part. Raises ValueError if it has no place for it."""
    before, there, rest = text.partition(begin)
    _, end, after = rest.partition(END)
    if not there or not end:
        raise ValueError("the page has no place for it")
    return f"{before}{begin}\n{part}\n{end}{after}"


def tables(measured: Measured) -> str:
    """All that is written from the numbers, as Markdown."""
    parts = [
        _conditions(measured),
        _summary(measured),
        _verdict(measured),
        "### Everybody",
        *(_detail(row, measured) for row in ROWS if measured.values.get(row.key)),
        _who(measured),
        *([_failures(measured)] if measured.failed else []),
    ]
    return "\n\n".join(parts) + "\n"


def _conditions(measured: Measured) -> str:
    words = [f"Measured at {measured.revision}"]
    if measured.against:
        words.append(f"beside {measured.against} (“before”)")
    rounds = f"{measured.rounds} round{'s' if measured.rounds != 1 else ''}"
    text = f"{' '.join(words)}: {rounds} in {measured.minutes:.0f} minutes, all by turns. {measured.machine}."
    used = statistics.median([share for work in measured.others for share in measured.shares(work)] or [0.0])
    if used > _QUIET:
        text += (
            f" **The machine was not quiet**: others used {_percent(used, 0)} of it in the median round. Times, and"
            " their ratios, are to be measured again; memory and processor time count."
        )
    return text


def _summary(measured: Measured) -> str:
    before = bool(measured.against)
    head = ["work", "floor", "others", *(["before"] if before else []), "this supervisor"]
    head += [*(["now ÷ before"] if before else []), "at most", "", "others used"]
    lines = [
        _line(head),
        _line(["---", "---:", "---", *["---:"] * (3 if before else 1), "---:", "---", "---:"]),
    ]
    for row in ROWS:
        medians = measured.medians(row.key)
        if OURS not in medians:
            continue
        ours = medians[OURS]
        old = medians.get(BEFORE)
        peers = sorted((value, name) for name, value in medians.items() if name not in (FLOOR, OURS, BEFORE))
        cell = ", ".join(f"{name} {shown(value)}" for value, name in peers[:_SHOWN])
        cell += f", and {len(peers) - _SHOWN} more" if len(peers) > _SHOWN else ""
        cells = [row.title, _value(medians.get(FLOOR), row), cell or "no peer can"]
        cells += [_value(old, row)] if before else []
        cells += [f"**{_value(ours, row)}**"]
        cells += [f"{ours / old:.2f}" if old else ""] if before else []
        cells += _limit(row, measured, ours)
        lines.append(_line([*cells, _others(measured.shares(row.work))]))
    return "\n".join(lines)


def _limit(row: Row, measured: Measured, ours: float) -> list[str]:
    if row.limit is None:
        return ["", ""]
    value = row.limit.value(measured.medians(row.key))
    text = row.limit.text(row.unit)
    if value is None:
        return [text, "not compared"]
    shown_limit = f"{text} ({_value(value, row)})" if row.limit.of else text
    return [shown_limit, "met" if ours <= value else f"**not met** ({ours / value:.2f})"]


def _verdict(measured: Measured) -> str:
    """Who of the interpreted peers is ahead, and how memory stands beside the leanest."""
    lines = []
    for row in ROWS:
        medians = measured.medians(row.key)
        if OURS not in medians or not row.time:
            continue
        ahead = sorted(
            name
            for name, value in medians.items()
            if name not in (OURS, BEFORE)
            and measured.contestants[name]["kind"] == "interpreted"
            and value < medians[OURS]
        )
        if ahead:
            lines.append(f"- {row.title}: {', '.join(ahead)}")
    if lines:
        return "Peers in an interpreted language that are ahead of this supervisor in time:\n\n" + "\n".join(
            lines
        )
    return "No peer in an interpreted language is ahead of this supervisor in time."


def _detail(row: Row, measured: Measured) -> str:
    medians = measured.medians(row.key)
    floor, ours = medians.get(FLOOR), medians.get(OURS)
    lines = [
        f"**{row.title}**\n",
        _line(["who", "language", "median", "least to most", "÷ floor", "÷ this supervisor"]),
        _line(["---", "---", "---:", "---:", "---:", "---:"]),
    ]
    for name, median in sorted(medians.items(), key=lambda item: item[1]):
        values = measured.values[row.key][name]
        between = f"{shown(min(values))} to {shown(max(values))}"
        times = [f"{median / other:.2f}" if other else "" for other in (floor, ours)]
        lines.append(
            _line(
                [_named(name, measured), measured.contestants[name]["language"], _value(median, row), between]
            )
            + _line(times)[1:]
        )
    reasons = measured.cannot.get(row.work, {})
    if reasons:
        lines.append("\nNot in it: " + "; ".join(_grouped(reasons)) + ".")
    return "\n".join(lines)


def _grouped(reasons: dict[str, str]) -> list[str]:
    """`a, b (why)` for all that have the same reason."""
    names: dict[str, list[str]] = {}
    for name, why in reasons.items():
        names.setdefault(why, []).append(name)
    return [f"{', '.join(those)} ({why})" for why, those in names.items()]


def _who(measured: Measured) -> str:
    lines = ["### Versions, and who does less\n", _line(["who", "from", "does less"]), _line(["---"] * 3)]
    for name, about in measured.contestants.items():
        if about["origin"] or about["less"]:
            lines.append(_line([_named(name, measured), about["origin"] or "this repository", about["less"]]))
    lines += [_line([name, "not installed", why]) for name, why in measured.absent.items()]
    return "\n".join(lines)


def _failures(measured: Measured) -> str:
    lines = ["### Turns that failed twice\n"]
    for work, contestants in measured.failed.items():
        lines += [f"- {work}, {name}: {problem}" for name, those in contestants.items() for problem in those]
    return "\n".join(lines)


def _named(name: str, measured: Measured) -> str:
    return {OURS: "**this supervisor**", BEFORE: f"before ({measured.against})", FLOOR: "floor, in C"}.get(
        name, name
    )


def _others(shares: Sequence[float]) -> str:
    if not shares:
        return ""
    return f"{_percent(statistics.median(shares), 1)}, at most {_percent(max(shares), 0)}"


def _percent(share: float, digits: int) -> str:
    return f"{share * 100:.{digits}f} %"


def _value(value: float | None, row: Row) -> str:
    return "" if value is None else f"{shown(value)} {row.unit}".rstrip()


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
