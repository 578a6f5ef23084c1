"""Events of folders, by the part of watchfiles that is written in Rust: the one module that knows the package.

Its own `awatch` is not used: its cancellation waits for its thread, up to 5 s. Here the thread is told to stop and ends
within one step. The names are private to the package: `tests/test_dependencies.py` looks for them, and pyproject.toml
has an upper bound.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify


class NoWatch(Exception):
    """Inotify does not serve here, for the reason given."""


class FolderWatch:
    """A watch on folders themselves, not on what is below them. Close it by leaving its block."""

    def __init__(self, folders: Sequence[str]) -> None:
        """Raises FileNotFoundError if one is not there, NoWatch if the machine gives no watch."""
        # The package makes a thread of its own, and panics if it gets none: that ends in a word on standard error.
        try:
            threading.Thread(target=int, daemon=True).start()
        except RuntimeError as error:
            raise NoWatch(str(error)) from error
        self._watcher = _watcher(folders)

    def wait(self, most_ms: int, step_ms: int, timeout_ms: int, stop: threading.Event) -> set[str]:
        """Block until something happened and a step was quiet, or `most_ms` after the first event.

        Returns the paths that had an event; none after `timeout_ms`, or once `stop` is set. Not to be abandoned: the
        watch cannot be closed while a thread waits for it.
        """
        batch = self._watcher.watch(most_ms, step_ms, timeout_ms, stop)
        return set() if isinstance(batch, str) else {path for _, path in batch}

    def __enter__(self) -> Self:
        self._watcher.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watcher.close()


def _watcher(folders: Sequence[str]) -> RustNotify:
    # Heavy, and not needed before the first command runs.
    from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

    try:
        return RustNotify(
            [*folders],
            debug=False,
            force_polling=False,
            poll_delay_ms=300,
            recursive=False,
            ignore_permission_denied=False,
        )
    except FileNotFoundError:
        raise
    except UnicodeEncodeError:
        raise NoWatch("the name of one is not UTF-8, so inotify cannot be used") from None
    except WatchfilesRustInternalError as error:
        # EMFILE for both of what the sentence names.
        raise NoWatch(f"{error}; raise fs.inotify.max_user_instances, or the limit of open files") from error
    except OSError as error:
        why = str(error).partition(" about [")[0]  # the rest is how Rust would print it
        raise NoWatch(f"{why}; raise fs.inotify.max_user_watches if that is the limit") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of PyO3, which derives it from BaseException
            raise
        raise NoWatch(f"its package failed: {error}") from error
