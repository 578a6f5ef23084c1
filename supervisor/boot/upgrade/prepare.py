"""The first step of an upgrade: could the program on the disk take over? It is found out before anything is given up.

The program is started with our own command line behind the words `self-check DATABASE --`. It imports everything that
it will need, parses that command line, and reads a copy of the database (`cli/commands/cmd_lifecycle`). What it prints
when it fails is the reason that the upgrade is refused with.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from supervisor.host.proc import child_process, worker_threads
from supervisor.host.users import program_files
from supervisor.model.errors import BadSettings, Precondition
from supervisor.settings.argv import absolute_arguments, absolute_variables

CHECK_S = 60.0
_SHOWN_BYTES = 2000


async def checked_version(database: Path) -> str:
    """The version of the program that would be executed. Raises Precondition with what is wrong with it."""
    argv = command_line("self-check", str(database), "--")
    try:
        done = await child_process.run(argv, CHECK_S, environment())
    except TimeoutError:
        raise _refused(f"its self-check takes longer than {CHECK_S:g} s") from None
    except OSError as error:
        raise _refused(f"{argv[0]}: {error.strerror}") from error
    said = done.output[-_SHOWN_BYTES:].decode("utf-8", "replace").strip()
    if done.status != 0:
        raise _refused(said.removeprefix("supervisor: ") or f"its self-check exits {done.status}")
    try:
        version: str = json.loads(said)["version"]
    except (ValueError, KeyError, TypeError):
        raise _refused(f"its self-check says {said!r}") from None
    return version


async def check_files(user: str) -> None:
    """See that nobody but root may write the program: root executes it, even for its self-check.

    `user`: the user that commands run as. Raises Precondition.
    """
    try:
        await worker_threads.run(program_files.check, user)
    except BadSettings as error:
        raise Precondition(f"cannot upgrade: {error}; this supervisor goes on") from None


def command_line(*before: str) -> list[str]:
    """The command line that this program was started with, as it means the same in any folder.

    `before`: words in front of the arguments.
    """
    return [sys.executable, *_python(), *before, *absolute_arguments(sys.argv[1:], os.environ)]


def environment() -> dict[str, str]:
    """Our environment, as it means the same in any folder."""
    return {**os.environ, **absolute_variables(os.environ)}


def _python() -> list[str]:
    """Python's own arguments, the script last."""
    words = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]
    if words and os.path.basename(words[-1]) == "__main__.py":
        words[-1] = sys.modules["__main__"].__file__ or words[-1]  # absolute, however it was named
    return words


def _refused(why: str) -> Precondition:
    folder = os.path.dirname(_python()[-1])
    return Precondition(
        f"cannot upgrade: the program in {folder} could not take over: {why}; this supervisor goes on"
    )
