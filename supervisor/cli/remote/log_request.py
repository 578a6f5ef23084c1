"""What is asked of logs: which items, which of their runs, which lines; and the moments that people write."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from supervisor.model.timestamp import rfc3339

KINDS = ("start", "ready", "stop")
"""The commands of a service, by the name that the automations file gives them."""
_DURATION = re.compile(r"(?:[0-9]{1,9}[smhd])+")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class LogRequest(NamedTuple):
    """The options of one `logs` command."""

    follow: bool = False
    tail: int | None = None
    """Lines of each item."""
    since_s: float | None = None
    until_s: float | None = None
    grep: str | None = None
    timestamps: bool = False
    utc: bool = False
    previous: bool = False
    run: str | None = None
    kinds: tuple[str, ...] = ()
    """Empty: what the start commands of services and the tasks print."""

    @property
    def filters(self) -> dict[str, str]:
        """The parameters of a log's URL that leave lines out, wherever its reader begins."""
        since = {} if self.since_s is None else {"since": rfc3339(self.since_s)}
        until = {} if self.until_s is None else {"until": rfc3339(self.until_s)}
        return since | until | ({} if self.grep is None else {"grep": self.grep})

    @property
    def goes_on(self) -> bool:
        """Whether runs that begin later are meant too."""
        return self.follow and not self.previous and self.run is None

    @property
    def picks_runs(self) -> bool:
        """Whether it names runs, or a time in which there may be several."""
        return self.previous or self.run is not None or bool(self.kinds) or self.in_time

    @property
    def in_time(self) -> bool:
        """Whether it is for the lines of some time."""
        return self.since_s is not None or self.until_s is not None

    @property
    def is_plain(self) -> bool:
        """Whether every version of the supervisor can answer it."""
        return not (self.picks_runs or self.timestamps or self.grep is not None)


if TYPE_CHECKING:
    _FloatType = click.ParamType[float]
    _TextType = click.ParamType[str]
else:  # the oldest click that we take has no parameter there
    _FloatType = _TextType = click.ParamType


class Moment(_FloatType):
    """A time: so long ago (`90s`, `5m`, `1h30m`, `2d`), or as RFC 3339 has it. Its value is seconds since the epoch."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The time. Raises click.BadParameter."""
        if isinstance(value, float):
            return value
        try:
            return moment(str(value), time.time())
        except (ValueError, OverflowError):
            self.fail(
                f'"{value}" is not a time: write 90s, 5m, 1h30m, 2d or 2026-11-30T22:27:03Z', param, ctx
            )


class Pattern(_TextType):
    """A regular expression; an error shows what is wrong with it."""

    name = "regex"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The expression as it is. Raises click.BadParameter."""
        try:
            re.compile(value)
        except (re.error, RecursionError, OverflowError) as error:
            self.fail(f'"{value}" is not a regular expression: {error}', param, ctx)
        return str(value)


def moment(text: str, now_s: float) -> float:
    """The time that a person means, in seconds since the epoch, 0 or more. Raises ValueError, OverflowError."""
    if _DURATION.fullmatch(text):
        parts = re.findall(r"([0-9]+)([smhd])", text)
        return max(0.0, now_s - sum(int(number) * _UNITS_S[unit] for number, unit in parts))
    # Not at the top: only a command that names a time waits for the import.
    from datetime import datetime

    at = datetime.fromisoformat(text)  # without an offset it is local time
    if len(text) < len("2026-11-30T22:27"):
        raise ValueError
    return max(0.0, at.timestamp())


def seconds_of(stamp: str) -> float:
    """Seconds since the epoch, of a time that the supervisor names."""
    from datetime import datetime

    return datetime.fromisoformat(stamp).timestamp()
