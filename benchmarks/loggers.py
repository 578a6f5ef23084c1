"""What brings a command's output into a file, behind one face, for `logs`.

Each runs the same writers in a folder. The sizes of its logs say when all is there, so none of them removes anything of
a log but this supervisor, whose logs keep their size when their beginning is given back.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from benchmarks.environments import programs, version
from benchmarks.measure import SUPERVISOR, environment, kill_group, running, runs_begun, started, until

Argv = Sequence[str]


class Logger(Protocol):
    """Runs writers, each with a log of its own."""

    title: str
    settle_s: float
    """How long after its writers wait it has nothing more to do for its own start."""

    def run(self, folder: Path, writer: Argv, count: int) -> Iterator[tuple[int, ...]]:
        """Start so many writers, and yield the pids of what logs; stop all when asked for more."""

    def logs(self, folder: Path) -> list[Path]:
        """The logs of all writers: files, or folders of files."""


class Straight:
    """No logger: the writers have their logs as standard output."""

    title = "straight into files"
    settle_s = 0.3

    def run(self, folder: Path, writer: Argv, count: int) -> Iterator[tuple[int, ...]]:
        """Start the writers."""
        (folder / "logs").mkdir()
        with _group() as processes:
            for number in range(count):
                with open(folder / f"logs/{number}", "wb") as log:
                    processes.append(_started(writer, folder, stdout=log))
            yield ()

    def logs(self, folder: Path) -> list[Path]:
        """The files."""
        return list((folder / "logs").iterdir())


class Piped(Straight):
    """A process for each writer, which reads the other end of its pipe."""

    title = "`cat > file`"

    def run(self, folder: Path, writer: Argv, count: int) -> Iterator[tuple[int, ...]]:
        """Start both ends of each pipe."""
        (folder / "logs").mkdir()
        with _group() as processes:
            readers = []
            for number in range(count):
                source = _started(writer, folder, stdout=subprocess.PIPE)
                reader = self._reader(folder, source, folder / f"logs/{number}")
                assert source.stdout is not None
                source.stdout.close()
                processes += source, reader
                readers.append(reader.pid)
            yield tuple(readers)

    def _reader(self, folder: Path, source: subprocess.Popen[bytes], log: Path) -> subprocess.Popen[bytes]:
        with open(log, "wb") as file:
            return _started(["cat"], folder, stdin=source.stdout, stdout=file)


class S6Log(Piped):
    """s6-log, which here begins a new file after 256 MiB, its most, and keeps all."""

    title = "s6-log"

    def _reader(self, folder: Path, source: subprocess.Popen[bytes], log: Path) -> subprocess.Popen[bytes]:
        return _started(["s6-log", "n100", "s268435455", str(log)], folder, stdin=source.stdout)


class Supervisord:
    """supervisord, with files that it never begins anew."""

    title = f"supervisord {version('supervisord')}"
    settle_s = 0.3

    def run(self, folder: Path, writer: Argv, count: int) -> Iterator[tuple[int, ...]]:
        """Start it."""
        (folder / "logs").mkdir()
        (folder / "supervisord.conf").write_text(
            "[supervisord]\nnodaemon=true\nlogfile=daemon.log\npidfile=daemon.pid\n"
            f"[program:writer]\ncommand={shlex.join(writer)}\nnumprocs={count}\nprocess_name=%(process_num)d\n"
            "startsecs=0\nautorestart=false\nredirect_stderr=true\nstopsignal=KILL\n"
            "stdout_logfile=logs/%(process_num)d\nstdout_logfile_maxbytes=0\n"
        )
        with started(
            [str(programs("supervisord") / "supervisord"), "-c", "supervisord.conf"], folder
        ) as process:
            yield (process.pid,)
            process.terminate()
            process.wait(60)

    def logs(self, folder: Path) -> list[Path]:
        """The files."""
        return list((folder / "logs").iterdir())


class Ours:
    """This supervisor, with a transport."""

    settle_s = 2.5  # it imports what it may need later

    def __init__(self, transport: str) -> None:
        self.title = f"this supervisor, `{transport}`"
        self._options = ["--log-transport", transport]

    def run(self, folder: Path, writer: Argv, count: int) -> Iterator[tuple[int, ...]]:
        """Start it."""
        items = (
            f"  writer-{number}:\n    name: writer\n    triggeredBy: [postEnvironmentStart]\n"
            f"    commands:\n      start: exec {shlex.join(writer)}\n"
            for number in range(count)
        )
        (folder / "automations.yaml").write_text(f"services:\n{''.join(items)}")
        argv = [SUPERVISOR, "run", "automations.yaml", "--state-dir", "state", *self._options]
        with running(argv, folder) as pids:
            until(lambda: runs_begun(folder / "state") == count)
            yield pids

    def logs(self, folder: Path) -> list[Path]:
        """The files."""
        return list(folder.glob("state/runs/*/log"))


@contextmanager
def _group() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes, each with a session of its own, that are killed at the end."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        yield processes
    finally:
        for process in processes:
            kill_group(process.pid)
            process.wait()


def _started(
    argv: Argv, folder: Path, stdin: object = subprocess.DEVNULL, stdout: object = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        cwd=folder,
        env=environment(folder),
        stdin=stdin,
        stdout=stdout,
        start_new_session=True,  # type: ignore[call-overload]
    )


LOGGERS: tuple[Logger, ...] = (Straight(), Piped(), S6Log(), Supervisord(), Ours("file"), Ours("pipe"))
