"""Whether the program that stands on the disk now could take over: found out before anything is given up.

It is run and asked for a self-check: to import all that it will need, to understand the command line that this
supervisor was started with, and to read a copy of the database. What it says against that is the error.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from supervisor.boot.upgrade.program import program, program_environ, script
from supervisor.model.errors import BadSettings, Precondition

CHECK_S = 60.0
_SHOWN_BYTES = 2000


async def checked_version(database: Path) -> str:
    """The version of the program that would be executed. Raises Precondition with what is wrong with it."""
    from supervisor.host.proc import child_process

    argv = program("self-check", str(database), "--")
    try:
        done = await child_process.run(argv, CHECK_S, program_environ())
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


async def see_that_nobody_else_wrote_it(user: str) -> None:
    """Before root executes it, even for its self-check. `user`: who commands run as. Raises Precondition."""
    from supervisor.host.proc import worker_threads
    from supervisor.host.users import program_files

    try:
        await worker_threads.run(program_files.check, user)
    except BadSettings as error:
        raise Precondition(f"cannot upgrade: {error}; this supervisor goes on") from None


def _refused(why: str) -> Precondition:
    return Precondition(
        f"cannot upgrade: the program in {os.path.dirname(script())} could not take over: {why}; "
        "this supervisor goes on"
    )
