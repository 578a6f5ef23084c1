"""The lines of a log in which a regular expression finds something.

Patterns come from clients, and Python's matcher takes exponential time for some (`(a+)+$`), without letting go of the
interpreter: in a thread it would stop the event loop all the same. But on the main thread it looks for signals every
few thousand steps. So a timer of the processor time that we use goes off after MOST_MS, and its handler raises. That
costs 1 microsecond for a piece of a log. RE2, which needs no timer, has neither all of Python's expressions nor wheels
for all machines that we run on.

Expressions that people write, such as two words one after the other, take quadratic time on a long line of one word. A
line in which the search takes too long passes: it is better to see it than to miss it. After MOST_SLOW_LINES of them
the search ends.
"""

from __future__ import annotations

import gc
import re
import signal
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

MOST_CHARACTERS = 1000
"""Of an expression."""
MOST_BYTES = 8192
"""Of a line, in which is searched."""
MOST_MS = 20
"""Of processor time, for one expression or for LINES_AT_ONCE lines."""
LINES_AT_ONCE = 2000
"""So many lines are searched before others have their turn: one or two milliseconds."""
MOST_SLOW_LINES = 10
"""In which one reader's search may take too long."""


class BadPattern(Exception):
    """An expression that cannot be used; the text says why."""


class TooSlow(Exception):
    """The search takes too long, again and again."""


class _TimeIsUp(Exception):
    """MOST_MS are used up."""


class LinePattern:
    """A regular expression, for one reader."""

    __slots__ = ("_search", "_slow_lines")

    def __init__(self, text: str) -> None:
        """Raises BadPattern."""
        if len(text) > MOST_CHARACTERS:
            raise BadPattern(f"it has {len(text)} characters, and may have {MOST_CHARACTERS}")
        try:
            with _time_limit(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what a later Python may read in another way
                self._search = re.compile(text).search
        except (re.error, RecursionError, OverflowError, ValueError) as error:
            raise BadPattern(f"{text!r} is not a regular expression: {error}") from error
        except _TimeIsUp as error:
            raise BadPattern(f"{text!r} is too complex") from error
        self._slow_lines = 0

    def matching(self, lines: Iterable[bytes]) -> list[bool]:
        """Which of the lines, at most LINES_AT_ONCE, pass; of the first ones alone, if that takes long.

        Raises TooSlow.
        """
        search = self._search
        passing: list[bool] = []
        try:
            with _time_limit():
                for line in lines:
                    text = line[:MOST_BYTES].decode("utf-8", "replace").rstrip("\r\n")
                    passing.append(search(text) is not None)
        except _TimeIsUp:
            if not passing:
                self._slow_lines += 1
                if self._slow_lines > MOST_SLOW_LINES:
                    raise TooSlow from None
                return [True]
        return passing


@contextmanager
def _time_limit() -> Iterator[None]:
    """Raise _TimeIsUp in the body once it has used MOST_MS. Without effect in a thread other than the main one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # What is raised while the garbage collector has an object tell its end is lost, and the limit with it.
    collects = gc.isenabled()
    gc.disable()
    if signal.getsignal(signal.SIGVTALRM) is not _ALARM.expire:
        signal.signal(signal.SIGVTALRM, _ALARM.expire)
    _ALARM.is_armed = True
    signal.setitimer(signal.ITIMER_VIRTUAL, MOST_MS / 1000)
    try:
        yield
    finally:
        _ALARM.is_armed = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if collects:
            gc.enable()


class _Alarm:
    """The handler of the timer's signal. It stays: a signal that comes late, or by mistake, does nothing."""

    def __init__(self) -> None:
        self.is_armed = False
        self.expire = self._expire  # one object, that getsignal gives back

    def _expire(self, number: int, frame: FrameType | None) -> None:
        if self.is_armed:
            self.is_armed = False
            raise _TimeIsUp


_ALARM = _Alarm()
