"""Tables for people, in plain columns, and what stands in them: phases, durations, times.

Not with rich: a dozen lines do the same, and its import takes a third of the time that `status` may take in all.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Sequence

from supervisor.cli.terminal.visible import style, visible

COLOURS = {
    "running": "green",
    "succeeded": "green",
    "ok": "green",
    "failed": "red",
    "starting": "yellow",
    "pending": "yellow",
    "stopping": "yellow",
    "warning": "yellow",
    "unknown": "yellow",
}
"""The colours of phases and of the doctor's results. A phase at rest has none."""
_GAP = "  "


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A head and rows, with columns as wide as necessary. On a terminal the last column is cut at its edge."""
    rows = [[plain(cell) for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in [list(head), *rows]) for index in range(len(head) - 1)]
    room = _room(sum(widths) + len(_GAP) * len(widths))
    lines = [_row([style(name.ljust(width), "bold") for name, width in zip(head, [*widths, 0], strict=True)])]
    for row in rows:
        *cells, last = row
        shown = [_coloured(cell, width) for cell, width in zip(cells, widths, strict=True)]
        lines.append(_row([*shown, last if len(last) <= room else last[: room - 1] + "…"]))
    return "\n".join(lines)


def phase_of(item: dict[str, object]) -> str:
    """The phase of an item of the API in one plain word: `running`."""
    status = item.get("status")
    phase = status.get("phase", "") if isinstance(status, dict) else ""
    return str(phase).partition("_PHASE_")[2].lower()


def duration(seconds: float) -> str:
    """A duration in at most two units: `1 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, hours, days = seconds / 60, seconds / 3600, seconds / 86400
    if minutes < 60:
        return f"{int(minutes)} min {int(seconds % 60)} s"
    return f"{int(hours)} h {int(minutes % 60)} min" if hours < 24 else f"{int(days)} d {int(hours % 24)} h"


def size(number: int) -> str:
    """A number of bytes in a unit that people read: `1.4 MiB`."""
    if number < 1024:
        return f"{number} B"
    amount, unit = number / 1024, "KiB"
    for larger in ("MiB", "GiB"):
        if amount >= 1000:
            amount, unit = amount / 1024, larger
    return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"


def local_time(timestamp: str) -> str:
    """An RFC 3339 time as local time; today's without the date."""
    if not timestamp:
        return ""
    from datetime import datetime

    at = datetime.fromisoformat(timestamp.replace("Z", "+00:00")).astimezone()
    today = at.strftime("%Y-%m-%d") == time.strftime("%Y-%m-%d")
    return at.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M")


def plain(text: str) -> str:
    """The first line of any text, in its visible form, so that its length is its width."""
    return visible(text.partition("\n")[0].replace("\t", " "))


def _coloured(cell: str, width: int) -> str:
    colour = COLOURS.get(cell)
    return style(cell.ljust(width), colour)


def _row(cells: Iterable[str]) -> str:
    return _GAP.join(cells).rstrip()


def _room(taken: int) -> int:
    """The width that is left for the last column."""
    if not sys.stdout.isatty():
        return sys.maxsize
    return max(10, shutil.get_terminal_size().columns - taken)
