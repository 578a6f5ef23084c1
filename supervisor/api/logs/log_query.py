"""A request for a log: where to begin, how long to go on, which lines, in which encoding."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from supervisor.api.logs.frames import Encoding
from supervisor.api.logs.line_pattern import BadPattern, LinePattern
from supervisor.api.logs.log_moment import parse_moment

VERY_LARGE = 2**53 - 1
"""Stands for the end of what still grows: RFC 8673, section 2.2."""

PARAMETERS = {
    "follow": "`true` (the default): go on until the run has ended and all is sent; `false`: what is there now.",
    "offset": "Begin at this byte of the log.",
    "tail": "Begin so many lines before the end; what is looked at is bounded.",
    "cursor": "Go on after this place: an `X-Log-Cursor`, or an event's id.",
    "since": "Lines written at or after this time: RFC 3339, or a duration back from now such as `5m` or `1h30m`.",
    "until": "Lines written up to this time. A log that is followed ends at it, at once if it has passed.",
    "timestamps": "`true`: each line begins with its time, `2026-11-30T22:27:03.123Z`, and a blank. That is when its "
    "first byte came, to 10 ms, of an old line to 10 s; of output that is not pumped, when the run began.",
    "grep": "Lines in which this regular expression (Python's) finds something, in the first 8 KiB of the line. "
    "A line comes once it is whole. One in which the search takes too long passes; after ten of those the log ends, "
    "with a sentence.",
}
"""What may stand in a log's URL. `offset`, `tail` and `cursor` exclude each other; the last N lines of `tail` are those
of the lines that `since`, `until` and `grep` let pass."""
HEADERS = {
    "Accept": "`text/plain` (the default); `text/event-stream`: events whose ids are cursors, with a field "
    "`time`: that of their first byte.",
    "Range": "`bytes=N-` or `bytes=-N`: begin at byte N, or N bytes before the end. Counts where no parameter says "
    "where to begin, and all lines are sent as they are.",
    "Last-Event-ID": "The cursor of an EventSource that connects again; counts more than the parameters.",
}
"""What a log's reader may say in headers."""

_DIGITS = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_WORDS = {"true": True, "1": True, "false": False, "0": False}


class BadQuery(Exception):
    """A parameter that cannot be understood; the text names it."""


@dataclass(frozen=True, slots=True)
class WantedLines:
    """Which lines of a log are wanted, and whether with their times. Times are milliseconds of wall time."""

    since_ms: int | None = None
    until_ms: int | None = None
    timestamps: bool = False
    pattern: LinePattern | None = None

    @property
    def all_as_they_are(self) -> bool:
        """Whether the log's bytes are sent as they are."""
        return self == _ALL


_ALL = WantedLines()


@dataclass(frozen=True, slots=True)
class LogQuery:
    """A request's parameters. At most one of `cursor`, `tail`, `offset` and `last` says where to begin."""

    follow: bool
    encoding: Encoding
    cursor: str | None = None
    resumes: bool = False
    """Whether the cursor is an EventSource's own, which asks again until the answer is 204."""
    tail: int | None = None
    offset: int | None = None
    last: int | None = None
    """So many bytes before the end."""
    ranged: bool = False
    """Whether `offset` or `last` is a Range header's."""
    lines: WantedLines = _ALL


def parse(parameters: Mapping[str, str], headers: Mapping[str, str]) -> LogQuery:
    """Read a request's query and headers.

    A reconnecting EventSource repeats its URL, so its cursor counts more than what that says. Raises BadQuery.
    """
    follow = _flag(parameters, "follow", True)
    accepted = [word.partition(";")[0].strip().lower() for word in headers.get("Accept", "").split(",")]
    encoding = next(
        (each for each in (Encoding.EVENTS, Encoding.PARTS) if each.value in accepted), Encoding.TEXT
    )
    tail, offset = _number(parameters, "tail"), _number(parameters, "offset")
    cursor, resumes = parameters.get("cursor"), False
    if sum(where is not None for where in (tail, offset, cursor)) > 1:
        raise BadQuery('cannot begin at more than one of "offset", "tail" and "cursor"')
    now_ms = time.time_ns() // 1_000_000
    lines = WantedLines(
        _moment(parameters, "since", now_ms),
        _moment(parameters, "until", now_ms),
        _flag(parameters, "timestamps", False),
        _pattern(parameters, "grep"),
    )
    if encoding is Encoding.EVENTS and headers.get("Last-Event-ID"):
        tail, offset, cursor, resumes = None, None, headers["Last-Event-ID"], True
    begins = tail is not None or offset is not None or cursor is not None
    if encoding is not Encoding.TEXT or begins or not lines.all_as_they_are:
        return LogQuery(follow, encoding, cursor, resumes, tail, offset, lines=lines)
    first, last = _range(headers.get("Range", ""))
    return LogQuery(follow, encoding, offset=first, last=last, ranged=first is not None or last is not None)


def _flag(parameters: Mapping[str, str], name: str, default: bool) -> bool:
    text = parameters.get(name)
    if text is None:
        return default
    if (flag := _WORDS.get(text.lower())) is None:
        raise BadQuery(f'cannot read parameter "{name}": {text!r} is neither true nor false')
    return flag


def _moment(parameters: Mapping[str, str], name: str, now_ms: int) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    if (moment_ms := parse_moment(text, now_ms)) is None:
        raise BadQuery(
            f'cannot read parameter "{name}": {text!r} is neither a time such as "2026-11-30T22:27:03Z" '
            'nor a duration back from now such as "5m"'
        )
    return moment_ms


def _pattern(parameters: Mapping[str, str], name: str) -> LinePattern | None:
    text = parameters.get(name)
    if not text:
        return None
    try:
        return LinePattern(text)
    except BadPattern as error:
        raise BadQuery(f'cannot read parameter "{name}": {error}') from error


def _number(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    if not _DIGITS.fullmatch(text):
        raise BadQuery(f'cannot read parameter "{name}": {text!r} is not a number, 0 or more')
    return int(text)


def _range(header: str) -> tuple[int | None, int | None]:
    """First byte, or how many last ones. A range with an end is answered with the whole, which RFC 9110 allows."""
    found = _RANGE.fullmatch(header.replace(" ", ""))
    if found is None or not any(found.groups()):
        return None, None
    first, last = found.groups()
    if not first:
        return None, int(last)
    return (int(first), None) if not last or int(last) >= VERY_LARGE else (None, None)
