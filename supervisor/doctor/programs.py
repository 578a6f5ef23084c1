"""The programs that commands and the supervisor use: a shell, git and docker."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

from supervisor.doctor.findings import State, Verdict

TIMEOUT_S = 5.0


def docker() -> Verdict:
    """Whether `runsOn: docker` can work: a client, and a daemon that answers it."""
    code, text = _run("docker", "version", "--format", "{{.Server.Version}}")
    if code is None:
        return Verdict(State.WARNING, f"{text}: items with runsOn docker fail here")
    if code != 0:
        return Verdict(
            State.WARNING, f"the client is there, its daemon is not: {text or f'exit code {code}'}"
        )
    return Verdict(State.OK, text)


def git() -> Verdict:
    """Whether git is there."""
    code, text = _run("git", "--version")
    return Verdict(State.OK if code == 0 else State.WARNING, text or f"git exits {code}")


def shell() -> Verdict:
    """Whether commands have a shell: bash, or else sh."""
    code, text = _run("bash", "-c", 'echo "bash $BASH_VERSION"')
    if code == 0:
        return Verdict(State.OK, text)
    code, why = _run("sh", "-c", "echo sh")
    if code == 0:
        return Verdict(State.WARNING, f"{text}; commands run in sh, which can do less")
    return Verdict(State.FAILED, f"{text}; {why}: no command can run")


def _run(*argv: str) -> tuple[int | None, str]:
    """The exit code and the first line of output, or None and why the program did not run to its end."""
    path = shutil.which(argv[0])
    if path is None:
        return None, f"{argv[0]} is not on the PATH"
    try:
        # A session of its own: a program that hangs is killed together with its children, which may hold the pipe.
        process = subprocess.Popen(
            [path, *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return None, f"{path} does not run: {(error.strerror or '').lower()}"
    with process:
        try:
            output, _ = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            _kill(process)
            return None, f"{argv[0]} gives no answer within {TIMEOUT_S:g} s"
        except BaseException:
            _kill(process)
            raise
    return process.returncode, output.decode(errors="replace").strip().partition("\n")[0]


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
