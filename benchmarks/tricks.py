"""What each trick of the start is worth: supervisors without one of them, beside the supervisor as it is.

Each is a copy of the package, changed by a text or two. Three figures of each, the supervisor's taken off:

- wall: from the start of Python to the first instruction of the first service's command, in milliseconds;
- processor: user and system time of this process until it asks for the first spawn, in milliseconds;
- million instructions of user space until then, by callgrind. They do not vary.

The first two are medians of the differences of neighbours that take turns.

`supervisor/lean/README.md` has the table that this prints; `python -m benchmarks.tricks [ROUNDS]` prints it anew.
"""

from __future__ import annotations

import compileall
import os
import re
import select
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import ROOT, TIMEOUT_S, environment, kill_group, started, workspace

ROUNDS = 15
PYTHON = str(ROOT / ".venv" / "bin" / "python")
COMMAND = "echo $$ >fifo; exec sleep 1000"
FLAGS = ("-I", "-S")


@dataclass(frozen=True, slots=True)
class Trick:
    """What a supervisor without it differs in."""

    name: str
    edits: tuple[tuple[str, str, str], ...] = ()
    """`(file, text in it, what stands there instead)`; an empty text is the whole file."""
    flags: tuple[str, ...] = FLAGS
    by_name: bool = False
    """Started as `-m supervisor`."""
    at_the_end: bool = False
    """It makes the end quicker, not the start: measured is a run that ends at once."""


TRICKS = (
    Trick(
        "lean/typing.py in place of typing",
        (("lean/typing.py", "\nif TYPE_CHECKING:", "\nif True:"),),
    ),
    Trick(
        "lean/frozen.py in place of dataclasses",
        (
            (
                "lean/frozen.py",
                "",
                "from dataclasses import dataclass as made, field, replace\n"
                "def dataclass(*, frozen, slots):\n"
                "    def make(cls):\n"
                "        for name in cls.__annotations__:\n"  # dataclasses takes a mappingproxy for mutable
                "            if (value := cls.__dict__.get(name)).__class__.__hash__ is None:\n"
                "                setattr(cls, name, field(default_factory=lambda value=value: value))\n"
                "        return made(frozen=True, slots=True)(cls)\n"
                "    return make\n"
                "def is_frozen(value): return hasattr(value, '__dataclass_fields__')\n"
                "def values_of(value): return tuple(getattr(value, name) for name in value.__match_args__)\n",
            ),
        ),
    ),
    Trick(
        "constructors compiled after 30 instances, and not at once",
        (("lean/frozen.py", "_UNCOMPILED = 30", "_UNCOMPILED = 0"),),
    ),
    Trick(
        "lean/digest.py in place of hashlib",
        (
            ("lean/digest.py", "from _sha1 import", "from hashlib import"),
            ("lean/digest.py", "from _sha256 import", "from hashlib import"),
        ),
    ),
    Trick(
        "lean/sqlite.py in place of sqlite3",
        (("lean/sqlite.py", "import _sqlite3 as sqlite", "import sqlite3 as sqlite"),),
    ),
    Trick(
        "lean/libyaml.py in place of yaml",
        (("lean/libyaml.py", '_whole() if "yaml" in sys.modules else _alone()', "_whole()"),),
    ),
    Trick(
        "lean/paths.py in place of urllib.parse",
        (("boot/prestart.py", "    import supervisor.lean.paths  # noqa: F401\n", ""),),
    ),
    Trick(
        "settings/argv.py in place of click",
        (("cli/__init__.py", "_run(arguments[1:]) if is_run", "None if is_run"),),
    ),
    Trick("without the garbage collector", (("cli/__init__.py", "gc.disable()", "pass"),)),
    Trick("-S in place of site", flags=("-I",)),
    Trick("the file __main__.py in place of -m supervisor", by_name=True),
    Trick(
        "the shim is started before the imports",
        (("cli/__init__.py", "        start_shim()\n", ""),),
    ),
    Trick(
        "_thread in place of threading",
        (("boot/prestart.py", "import _thread\n", "import _thread, threading\n"),),
    ),
    Trick(
        "the kernel is made ready for control groups",
        (("shim/cgroup_move.py", "range(_WARM_UPS)", "()"),),
    ),
    Trick(
        "os._exit at the end",
        (("__main__.py", "os._exit(status)", "sys.exit(status)"),),
        at_the_end=True,
    ),
)
"""The rest that was found and rejected or removed is in the README."""

SPAWN = re.compile(r"(    def spawn\(.*?\) -> None:\n)", re.DOTALL)
"""In `host/runs/spawn/shim_client.py`: how the first command is asked for."""


@contextmanager
def variant(trick: Trick | None, folder: Path) -> Iterator[Path]:
    """A checkout without the trick; None: as it is. Raises ValueError if a text does not stand where it should.

    The one beside it, `until-spawn`, ends where it would ask for the first command.
    """
    root = folder / "checkout"
    for package in ("supervisor", "connect_server", "platform_wire", "schemas"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file, old, new in trick.edits if trick else ():
        path = root / "supervisor" / file
        text = path.read_text()
        if old not in text:
            raise ValueError(f"{file} has no {old!r} any more")
        path.write_text(text.replace(old, new) if old else new)
    shutil.copytree(root, folder / "until-spawn")
    client = folder / "until-spawn/supervisor/host/runs/spawn/shim_client.py"
    client.write_text(SPAWN.sub(r"\1        os._exit(0)\n", client.read_text()))
    compileall.compile_dir(folder, quiet=2)
    try:
        yield root
    finally:
        shutil.rmtree(root)
        shutil.rmtree(folder / "until-spawn")


def command_line(trick: Trick | None, root: Path) -> list[str]:
    """How the supervisor of a variant is started."""
    if trick and trick.by_name:
        # What -m costs over the file: the variant's package is found by this path and no other.
        code = f"import sys; sys.path[:0] = [{str(root)!r}]; import runpy; runpy._run_module_as_main('supervisor')"
        return [PYTHON, *trick.flags, "-c", code]
    return [PYTHON, *(trick.flags if trick else FLAGS), str(root / "supervisor" / "__main__.py")]


def first_instruction_s(argv: Sequence[str]) -> float:
    """From the start of the program to the first instruction of a service's command."""
    with one_service() as folder:
        os.mkfifo(folder / "fifo")
        fifo = os.open(folder / "fifo", os.O_RDWR | os.O_NONBLOCK)
        try:
            began = time.perf_counter()
            with started([*argv, "run", "automations.yaml", "--listen", "none"], folder):
                if not select.select([fifo], [], [], TIMEOUT_S)[0]:
                    raise TimeoutError("the first service did not start")
                took = time.perf_counter() - began
                kill_group(int(os.read(fifo, 32)))
        finally:
            os.close(fifo)
        return took


def whole_run_s(argv: Sequence[str]) -> float:
    """A run of one short task, to its end."""
    with workspace() as folder:
        (folder / "automations.yaml").write_text(
            "tasks:\n  t:\n    name: t\n    triggeredBy: [postEnvironmentStart]\n    command: 'true'\n"
        )
        began = time.perf_counter()
        done = [*argv, "run", "automations.yaml", "--exit-when-done", "--listen", "none"]
        subprocess.run(
            done, cwd=folder, env=environment(folder), capture_output=True, check=True, timeout=TIMEOUT_S
        )
        return time.perf_counter() - began


def processor_s(trick: Trick | None, root: Path) -> float:
    """User and system time until the first spawn."""
    with one_service() as folder:
        process = subprocess.Popen(until_spawn(trick, root), cwd=folder, env=environment(folder))
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return used.ru_utime + used.ru_stime


def instructions(trick: Trick | None, root: Path) -> float:
    """Millions, of user space, until the first spawn."""
    with one_service() as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *until_spawn(trick, root)],
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S * 5,
            check=True,
        )
        [count] = re.findall(r"Collected : (\d+)", done.stderr)
        return int(count) / 1e6


def until_spawn(trick: Trick | None, root: Path) -> list[str]:
    return [*command_line(trick, root.parent / "until-spawn"), "run", "automations.yaml", "--listen", "none"]


@contextmanager
def one_service() -> Iterator[Path]:
    """A folder with a file that has one service."""
    with workspace() as folder:
        (folder / "automations.yaml").write_text(
            "services:\n  web:\n    name: web\n    triggeredBy: [postEnvironmentStart]\n"
            f"    commands:\n      start: {COMMAND}\n"
        )
        yield folder


def difference_ms(one: Callable[[], float], other: Callable[[], float], rounds: int) -> float:
    """How much more time `one` takes: the median of rounds in which both take a turn; the first does not count."""
    return statistics.median([one() - other() for _ in range(rounds + 1)][1:]) * 1e3


def main(rounds: int) -> None:
    with workspace() as folder, variant(None, folder) as base:
        as_it_is = command_line(None, base)
        before = instructions(None, base)
        wall = statistics.median(first_instruction_s(as_it_is) for _ in range(rounds)) * 1e3
        processor = statistics.median(processor_s(None, base) for _ in range(rounds)) * 1e3
        print("| trick | wall | processor | instructions |\n|---|---:|---:|---:|")
        print(f"| as it is | {wall:.1f} ms | {processor:.1f} ms | {before:.1f} M |", flush=True)
        for trick in TRICKS:
            with workspace() as other, variant(trick, other) as root:
                print(
                    f"| {trick.name} | {' | '.join(figures(trick, root, base, before, rounds))} |", flush=True
                )


def figures(trick: Trick, root: Path, base: Path, before: float, rounds: int) -> list[str]:
    """What a supervisor without the trick takes more; in the way of its cells."""
    measure = whole_run_s if trick.at_the_end else first_instruction_s
    argv, as_it_is = command_line(trick, root), command_line(None, base)
    cells = [f"{difference_ms(lambda: measure(argv), lambda: measure(as_it_is), rounds):.1f} ms"]
    if trick.at_the_end or trick.flags != FLAGS:  # without -S, site finds the package of this checkout
        return [*cells, "", ""]
    more = difference_ms(lambda: processor_s(trick, root), lambda: processor_s(None, base), rounds)
    return [*cells, f"{more:.1f} ms", f"{instructions(trick, root) - before:.1f} M"]


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS)
