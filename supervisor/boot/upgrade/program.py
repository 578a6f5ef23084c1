"""The command line that this program was started with, as an upgrade executes it again.

A supervisor of another version may come to import this in the middle of an upgrade, when its files were replaced: so it
uses nothing of the package but modules that are new with it, and what has always been there.
"""

from __future__ import annotations

import os
import sys

from supervisor.settings.argv import absolute_arguments, absolute_variables


def program(*before: str) -> list[str]:
    """The command line, as it means the same in any folder; `before`: words in front of the arguments."""
    return [sys.executable, *_python(), *before, *absolute_arguments(sys.argv[1:], os.environ)]


def program_environ() -> dict[str, str]:
    """Our environment, as it means the same in any folder."""
    return {**os.environ, **absolute_variables(os.environ)}


def script() -> str:
    """The file that this program was started from."""
    return _python()[-1]


def _python() -> list[str]:
    """Python's own arguments, the script last."""
    words = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]
    if words and os.path.basename(words[-1]) == "__main__.py":
        words[-1] = sys.modules["__main__"].__file__ or words[-1]  # absolute, however it was named
    return words
