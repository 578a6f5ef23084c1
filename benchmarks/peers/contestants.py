"""Who takes part, behind one face: each says how it is made to do a work, or why it cannot.

All get plain lines of one command, and the same: services, tasks, output into files where they can write any. Where
one does less than the others, its docstring says so, and `docs/performance.md` with it.
"""

from __future__ import annotations

import json
import platform
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.daemons import Circus as CircusClient
from benchmarks.daemons import Daemon, free_port
from benchmarks.daemons import Ours as OursClient
from benchmarks.daemons import Supervisord as SupervisordClient
from benchmarks.environments import node_packages, node_version, programs, version
from benchmarks.measure import GO_TASK, HONCHO, JUST
from benchmarks.peers.room import Program

FLOOD = "flood"
BEFORE = "before"
OURS = "supervisor"
FLOOR = "floor"


class CannotDo(Exception):
    """A contestant has nothing for this work; the text says what it lacks."""


class Contestant:
    """Each work's method writes what the contestant needs into a folder. Raises CannotDo."""

    name: str
    language: str
    interpreted = True
    origin = ""
    """Where it is from, and which version."""
    less = ""
    """What it does less than the others where it takes part."""

    def make_ready(self) -> None:
        """Install it, if that can be done without asking; RuntimeError, CalledProcessError otherwise."""

    def services(self, folder: Path, lines: Sequence[str]) -> Program:
        """Run these lines as services."""
        raise CannotDo("runs tasks only")

    def probes(self, folder: Path, count: int) -> Program:
        """Run so many services, and for each `ready N` every second."""
        raise CannotDo("has no probes that are commands")

    def chain(self, folder: Path, count: int) -> Program:
        """Run `mark 1` to `mark count`, each of which depends on the one before."""
        raise CannotDo("has no dependencies between commands")

    def tasks(self, folder: Path, count: int) -> Program:
        """Run `mark 1` to `mark count`, which depend on nothing."""
        raise CannotDo("starts again what has ended")

    def log(self, folder: Path) -> Program:
        """Run `flood`, and have its output in a file."""
        return self.services(folder, [FLOOD])

    def client(self, folder: Path) -> Daemon:
        """How it is asked after a kill, and started."""
        raise CannotDo("has no API that is there again after a kill")


class Floor(Contestant):
    """The smallest program in C that does the work, `programs/floor.c`, and nothing else a supervisor does."""

    name, language, interpreted = FLOOR, "C", False

    def services(self, folder: Path, lines: Sequence[str]) -> Program:
        return Program(["floor", "services", str(len(lines))])

    def probes(self, folder: Path, count: int) -> Program:
        return Program(["floor", "probes", str(count)])

    def chain(self, folder: Path, count: int) -> Program:
        return Program(["floor", "chain", str(count)])

    def tasks(self, folder: Path, count: int) -> Program:
        return Program(["floor", "tasks", str(count)])

    def log(self, folder: Path) -> Program:
        return Program(["flood"])


class Cat(Contestant):
    """A pipe and a process that writes what it reads."""

    name, language, interpreted, origin = "cat", "C", False, "coreutils"

    def services(self, folder: Path, lines: Sequence[str]) -> Program:
        raise CannotDo("is no supervisor")

    def tasks(self, folder: Path, count: int) -> Program:
        raise CannotDo("is no supervisor")

    def log(self, folder: Path) -> Program:
        return Program(["sh", "-c", "flood | cat >log"], log="log")


class Ours(Contestant):
    """This supervisor with its defaults: API, journal, logs that keep their limit."""

    name, language = OURS, "Python"
    less = "keeps of a log what its limit allows, 64 MiB"

    def __init__(self, program: str, name: str = OURS) -> None:
        self._program = program
        self.name = name

    def make_ready(self) -> None:
        subprocess.run([self._program, "--version"], stdout=subprocess.DEVNULL, check=True)

    def services(self, folder: Path, lines: Sequence[str]) -> Program:
        return self._of(folder, {"services": {f"s{n}": _service(line) for n, line in enumerate(lines, 1)}})

    def probes(self, folder: Path, count: int) -> Program:
        items = {f"s{n}": _service(f"server --port {n}", f"ready {n}") for n in range(1, count + 1)}
        return self._of(folder, {"services": items})

    def chain(self, folder: Path, count: int) -> Program:
        tasks = {f"t{n}": _task(n, [f"t{n - 1}"] if n > 1 else []) for n in range(1, count + 1)}
        tasks[f"t{count}"]["triggeredBy"] = ["postEnvironmentStart"]
        return self._of(folder, {"tasks": tasks})

    def tasks(self, folder: Path, count: int) -> Program:
        tasks = {f"t{n}": _task(n, []) for n in range(1, count)}
        last = _task(count, list(tasks)) | {"triggeredBy": ["postEnvironmentStart"]}
        return self._of(folder, {"tasks": tasks | {f"t{count}": last}})

    def client(self, folder: Path) -> Daemon:
        return OursClient(folder, self._program)

    def _of(self, folder: Path, items: dict[str, object]) -> Program:
        (folder / "automations.yaml").write_text(_yaml(items))
        argv = [self._program, "run", "automations.yaml", "--state-dir", "state", "--no-watch"]
        return Program(argv, log="state/runs/*/log")


def _service(line: str, ready: str = "") -> dict[str, object]:
    commands = {"start": line} | ({"ready": ready} if ready else {})
    return {"name": "A service", "triggeredBy": ["postEnvironmentStart"], "commands": commands}


def _task(number: int, needs: list[str]) -> dict[str, object]:
    task: dict[str, object] = {"name": "A task", "command": f"mark {number}"}
    return task | ({"dependsOn": needs} if needs else {})


def _yaml(items: dict[str, object], indent: str = "") -> str:
    """Block style, as people write it."""
    lines = []
    for key, value in items.items():
        if isinstance(value, dict):
            lines.append(f"{indent}{key}:\n{_yaml(value, indent + '  ')}")
        elif isinstance(value, list):
            lines.append(f"{indent}{key}: [{', '.join(value)}]\n")
        else:
            lines.append(f"{indent}{key}: {value}\n")
    return "".join(lines)


class LineRunner(Contestant):
    """Runs each line of a list: services and tasks are the same to it."""

    def tasks(self, folder: Path, count: int) -> Program:
        return self.services(folder, [f"mark {n}" for n in range(1, count + 1)])


class Supervisord(LineRunner):
    """supervisord, with its API on loopback and a log for each program."""

    name, language, origin = "supervisord", "Python", f"PyPI {version('supervisord')}"

    def make_ready(self) -> None:
        programs("supervisord")

    def client(self, folder: Path) -> Daemon:
        return SupervisordClient(folder)

    def services(self, folder: Path, lines: Sequence[str]) -> Program:
        head = (
            "[supervisord]\nnodaemon=true\nlogfile=daemon.log\npidfile=daemon.pid\nminfds=4096\n"
            f"[inet_http_server]\nport=127.0.0.1:{free_port()}\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        )
        items = (
            f"[program:s{n}]\ncommand={line}\nstartsecs=0\nautorestart=false\nredirect_stderr=true\n"
            f"stdout_logfile=logs/{n}\nstdout_logfile_maxbytes=0\n"
            for n, line in enumerate(lines, 1)
        )
        (folder / "supervisord.conf").write_text(head + "".join(items))
        return Program([str(programs("supervisord") / "supervisord"), "-c", "supervisord.conf"], log="logs/1")


class Circus(LineRunner):
    """circusd, with its endpoint on loopback and a log for each watcher."""

    name, language, origin = "circus", "Python", f"PyPI {version('circus')}"

    def make_ready(self) -> None:
        programs("circus")

    def client(self, folder: Path) -> Daemon:
        return CircusClient(folder)

    def services(self, folder: Path, lines: Sequence[str]) -> Program:
        endpoint, pubsub = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
        head = f"[circus]\nendpoint = {endpoint}\npubsub_endpoint = {pubsub}\n"
        items = (
            f"[watcher:s{n}]\ncmd = {line}\nrespawn = False\ncopy_env = True\n"
            f"stdout_stream.class = FileStream\nstdout_stream.filename = logs/{n}\n"
            for n, line in enumerate(lines, 1)
        )
        (folder / "circus.ini").write_text(head + "".join(items))
        return Program([str(programs("circus") / "circusd"), "circus.ini"], log="logs/1")


class Honcho(Contestant):
    """honcho, which prints all output together."""

    name, language, origin = "honcho", "Python", f"PyPI {version('runners', 'honcho')}"
    less = "no API; all output in one stream; ends when one command has ended"

    def services(self, folder: Path, lines: Sequence[str]) -> Program:
        (folder / "Procfile").write_text("".join(f"s{n}: {line}\n" for n, line in enumerate(lines, 1)))
        return Program([HONCHO, "start"])

    def tasks(self, folder: Path, count: int) -> Program:
        raise CannotDo("ends everything when one command has ended")


class Concurrently(LineRunner):
    """concurrently, which prints all output together."""

    name, language = "concurrently", "JavaScript"
    less = "no API; all output in one stream"

    def __init__(self) -> None:
        self.origin = f"npm {node_version('concurrently')}"

    def make_ready(self) -> None:
        node_packages()

    def services(self, folder: Path, lines: Sequence[str]) -> Program:
        return Program([str(node_packages() / ".bin/concurrently"), *lines])


class Pm2(LineRunner):
    """pm2 as pm2-runtime, in the foreground, with its socket and a log for each program."""

    name, language = "pm2", "JavaScript"

    def __init__(self) -> None:
        self.origin = f"npm {node_version('pm2')}"

    def make_ready(self) -> None:
        node_packages()

    def services(self, folder: Path, lines: Sequence[str]) -> Program:
        apps = [
            {
                "name": f"s{n}",
                "script": line.split()[0],
                "args": line.split()[1:],
                "interpreter": "none",
                "exec_mode": "fork",
                "autorestart": False,
                "vizion": False,
                "out_file": f"logs/{n}",
                "error_file": f"logs/{n}",
            }
            for n, line in enumerate(lines, 1)
        ]
        (folder / "apps.json").write_text(json.dumps({"apps": apps}))
        return Program(
            [str(node_packages() / ".bin/pm2-runtime"), "start", "apps.json"],
            log="logs/1",
            variables=(("PM2_HOME", str(folder / "home/pm2")),),
        )


class Mprocs(LineRunner):
    """mprocs, on a terminal whose pictures are read and dropped."""

    name, language, interpreted = "mprocs", "Rust", False
    less = "no API unless asked for"

    def __init__(self) -> None:
        self.origin = f"npm {node_version('mprocs')}"

    def make_ready(self) -> None:
        node_packages()

    def log(self, folder: Path) -> Program:
        raise CannotDo("takes more than a minute, by way of the terminal that it emulates")

    def services(self, folder: Path, lines: Sequence[str]) -> Program:
        procs = {f"s{n}": {"shell": line} for n, line in enumerate(lines, 1)}
        (folder / "mprocs.yaml").write_text(json.dumps({"procs": procs}))
        machine = f"linux-{platform.machine().replace('arm64', 'aarch64')}-musl"
        (program,) = (node_packages() / "mprocs").glob(f"mprocs-*-{machine}/mprocs")
        return Program([str(program), "--log-dir", "logs"], stop=b"q", terminal=True)


class S6(Contestant):
    """s6-svscan with an s6-supervise for each service and for each s6-log."""

    name, language, interpreted = "s6", "C", False
    less = "no API but FIFOs"

    def __init__(self) -> None:
        self.origin = _debian("s6")

    def make_ready(self) -> None:
        _installed("s6-svscan", "s6")

    def services(self, folder: Path, lines: Sequence[str]) -> Program:
        _write_run_scripts(folder, lines, "s6-log n100 s268435455")
        return Program(["s6-svscan", "scan"], log="logs/1/*")


class Runit(Contestant):
    """runsvdir with a runsv for each service with its svlogd."""

    name, language, interpreted = "runit", "C", False
    less = "no API but FIFOs"

    def __init__(self) -> None:
        self.origin = _debian("runit")

    def make_ready(self) -> None:
        _installed("runsvdir", "runit")

    def services(self, folder: Path, lines: Sequence[str]) -> Program:
        _write_run_scripts(folder, lines, "svlogd")
        for number in range(1, len(lines) + 1):
            (folder / f"logs/{number}/config").write_text("s0\nn0\n")  # no new file, whatever its size
        return Program(["runsvdir", "scan"], stop=signal.SIGHUP, log="logs/1/*")


def _write_run_scripts(folder: Path, lines: Sequence[str], logger: str) -> None:
    """A folder for each service, with that of its logger, which is given the folder of the log."""
    for number, line in enumerate(lines, 1):
        log = folder / "logs" / str(number)
        log.mkdir(parents=True)
        _write_script(folder / f"scan/s{number}", line)
        _write_script(folder / f"scan/s{number}/log", f"{logger} {shlex.quote(str(log))}")


def _write_script(place: Path, line: str) -> None:
    place.mkdir(parents=True)
    script = place / "run"
    script.write_text(f"#!/bin/sh\nexec {line}\n")
    script.chmod(0o755)


class Just(Contestant):
    """just, which runs one recipe after the other; with `[parallel]` what does not depend on each other."""

    language, interpreted = "Rust", False
    origin = f"PyPI {version('runners', 'rust-just')}"
    less = "no supervisor: keeps no output, nothing goes on without it"

    def __init__(self, parallel: bool = False) -> None:
        self.name = "just `[parallel]`" if parallel else "just"
        self._parallel = parallel

    def chain(self, folder: Path, count: int) -> Program:
        if self._parallel:
            raise CannotDo("has nothing here to run in parallel")
        recipes = (f"t{n}: {f't{n - 1}' if n > 1 else ''}\n    @mark {n}\n" for n in range(1, count + 1))
        return self._of(folder, recipes, f"t{count}")

    def tasks(self, folder: Path, count: int) -> Program:
        recipes = [f"t{n}:\n    @mark {n}\n" for n in range(1, count)]
        needs = " ".join(f"t{n}" for n in range(1, count))
        attribute = "[parallel]\n" if self._parallel else ""
        return self._of(folder, [*recipes, f"{attribute}last: {needs}\n    @mark {count}\n"], "last")

    def _of(self, folder: Path, recipes: Iterable[str], last: str) -> Program:
        (folder / "justfile").write_text("".join(recipes))
        return Program([JUST, last])


class GoTask(Contestant):
    """go-task, with a shell of its own in place of sh."""

    name, language, interpreted = "go-task", "Go", False
    origin = f"PyPI {version('runners', 'go-task-bin')}"
    less = "no supervisor: keeps no output, nothing goes on without it"

    def chain(self, folder: Path, count: int) -> Program:
        tasks = {
            f"t{n}": {"deps": [f"t{n - 1}"] if n > 1 else [], "cmds": [f"mark {n}"]}
            for n in range(1, count + 1)
        }
        return self._of(folder, tasks, f"t{count}")

    def tasks(self, folder: Path, count: int) -> Program:
        tasks: dict[str, object] = {f"t{n}": {"cmds": [f"mark {n}"]} for n in range(1, count)}
        return self._of(folder, tasks | {"last": {"deps": list(tasks), "cmds": [f"mark {count}"]}}, "last")

    def _of(self, folder: Path, tasks: object, last: str) -> Program:
        (folder / "Taskfile.yml").write_text(json.dumps({"version": "3", "silent": True, "tasks": tasks}))
        return Program([GO_TASK, last])


def _installed(program: str, package: str) -> None:
    if shutil.which(program) is None:
        raise RuntimeError(f"{program} is not installed; it is in Debian's package {package}")


def _debian(package: str) -> str:
    words = ["dpkg-query", "--show", "--showformat=${Version}", package]
    try:
        found = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "not installed"
    return f"Debian {found}"


def contestants(ours: str, before: str | None) -> list[Contestant]:
    """All of them. `ours`, `before`: launchers of this tree and, if it takes part, of an earlier version."""
    return [
        Floor(),
        Ours(ours),
        *([Ours(before, BEFORE)] if before else []),
        Supervisord(),
        Circus(),
        Honcho(),
        Pm2(),
        Concurrently(),
        Mprocs(),
        S6(),
        Runit(),
        Just(),
        Just(parallel=True),
        GoTask(),
        Cat(),
    ]
