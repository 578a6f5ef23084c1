"""Starts a shim, which is the first thing that the program does.

The shim boots while the supervisor imports the rest of itself. So this module imports next to nothing, and starting
waits for nothing.

A shim that is started later, because the first was lost, comes from memory: by then the program's files may be gone, or
belong to another version, whose shim this supervisor would not understand.
"""

from __future__ import annotations

import os
import socket
import sys

_FOLDER = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.dirname(os.path.dirname(_FOLDER))
"""The folder that the package `supervisor` is in."""
_SHIM = os.path.join(_FOLDER, "shim.py")
_SCRIPT_FD = 4
_held = -1
"""A file in memory that holds the whole shim as one script; -1: none."""
_LOADER = """\
import sys, types
def load(name, path, text):
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = []
    exec(compile(text, path, "exec"), module.__dict__)
    above, _, last = name.rpartition(".")
    if above:
        setattr(sys.modules[above], last, module)
for part in {parts!r}:
    load(*part)
__file__ = {path!r}
exec(compile({text!r}, __file__, "exec"))
"""


def hold() -> None:
    """Keep the shim in memory, and start later ones from there. Without effect where that is not possible."""
    global _held
    if _held < 0:
        _held = in_memory(_SHIM)


def in_memory(program: str) -> int:
    """A descriptor of a file in memory that holds the whole program as one script; -1: that is not possible."""
    try:
        fd = os.memfd_create(os.path.basename(program), os.MFD_CLOEXEC)
    except (AttributeError, OSError):
        return -1
    try:
        data = script(program).encode()
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        os.close(fd)
        return -1
    return fd


def start(*words: str) -> tuple[socket.socket, int]:
    """Start a shim; returns a socket to it and its pid, before it runs. Raises OSError.

    `words`: what it has to put right, see `inheritance.shim_words`.
    """
    ours, its = socket.socketpair()
    program, argv, actions = executed(_SHIM, _held)
    try:
        its.set_inheritable(True)
        pid = os.posix_spawn(
            program,
            [*argv, "3", *words],
            os.environ,
            # The shim outlives us: it must not hold open a terminal, or a pipe that some process reads to its end.
            file_actions=[
                *actions,
                (os.POSIX_SPAWN_DUP2, its.fileno(), 3),
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ],
            setsid=True,
            setsigmask=[],
        )
    except BaseException:
        ours.close()
        raise
    finally:
        its.close()
    return ours, pid


def executed(program: str, held: int) -> tuple[str, list[str], list[tuple[int, int, int]]]:
    """What to execute for a program of ours, its command line, and what to do about descriptors first.

    `held`: as of `in_memory`.
    """
    if held < 0:
        return sys.executable, [sys.executable, "-I", "-S", program], []
    # The program of this very process, also if the environment's link to it is gone. It finds the standard library by
    # its own name. The unknown -X is ignored, and shows in a list of processes what this one is.
    name = getattr(sys, "_base_executable", None) or sys.executable
    argv = [name, "-I", "-S", "-X", program, f"/proc/self/fd/{_SCRIPT_FD}"]
    return "/proc/self/exe", argv, [(os.POSIX_SPAWN_DUP2, held, _SCRIPT_FD)]


def script(program: str) -> str:
    """A whole program as one script: the file `program`, and what it imports of this package. Raises OSError."""
    text = _text(program)
    parts: dict[str, tuple[str, str, str]] = {}
    _gather(text, parts)
    return _LOADER.format(parts=[*parts.values()], path=program, text=text)


def _gather(text: str, parts: dict[str, tuple[str, str, str]]) -> None:
    """Add what a module imports of this program to `{name: (name, path, text)}`, each after what it imports itself."""
    import re

    for imported in re.findall(r"^from (supervisor[\w.]*) import", text, re.MULTILINE):
        above = [imported[: match.start()] for match in re.finditer(r"\.", imported)]
        for name in (*above, imported):
            if name not in parts:
                path = _path(name)
                found = _text(path)
                _gather(found, parts)
                parts[name] = name, path, found


def _path(name: str) -> str:
    """The file of a module or package of this program, which may not be imported here."""
    path = os.path.join(_ROOT, *name.split("."))
    return os.path.join(path, "__init__.py") if os.path.isdir(path) else f"{path}.py"


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
