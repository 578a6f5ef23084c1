"""Makes `.venv` at the top of the checkout from a lock file. Called by `bin/set-up`; standard library only.

States of `.venv`, all judged under an exclusive lock on `.venv.lock`, which the kernel gives back when its holder dies:

- absent, without a working Python, or without any stamp (an interrupted set-up): made from nothing.
- with a stamp, but the one of the wanted lock file is missing or another: pip installs the difference on top. Not from
  nothing, because a supervisor may be running from it and still has modules to import.
- with the right stamp: somebody else made it while we waited; nothing to do.

A stamp `.venv/ready-<lock file>` is a copy of the lock file with its modification time. All are removed before the
first change and written after the last. The launchers compare only the time, which costs them no process; here the
content decides.
"""

import compileall
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
RUNTIME_LOCK = "requirements.lock"

# pip's settings that lead to other places or packages. The rest (index, proxy, cache) is the user's to say.
FOREIGN_SETTINGS = {"PIP_CONSTRAINT", "PIP_PREFIX", "PIP_REQUIREMENT", "PIP_ROOT", "PIP_TARGET", "PIP_USER"}


class SetUpError(Exception):
    """The environment cannot be made; the text says why and what to do."""


def main(name: str, lock: str) -> int:
    """Makes `.venv` ready for the lock file, and returns the exit code."""

    def say(text: str) -> None:
        print(f"{name}: {text}", file=sys.stderr, flush=True)

    try:
        with (ROOT / ".venv.lock").open("w") as guard:
            # Inherited by pip: if only we are killed, the lock is held until pip, which still writes, ends as well.
            os.set_inheritable(guard.fileno(), True)
            try:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another set-up of .venv is under way, waiting for it")
                fcntl.flock(guard, fcntl.LOCK_EX)
            make_ready(lock, say)
    except SetUpError as error:
        say(f"cannot set up .venv: {error}")
        return 1
    except ValueError as error:  # of `venv`: the checkout's path holds a colon, say
        say(f"cannot set up .venv: {error}")
        return 1
    except OSError as error:
        say(f"cannot set up .venv: {error}; the checkout must be in a folder you can write to")
        return 1
    except KeyboardInterrupt:
        say("set-up interrupted; the next start does it again")
        return 130
    return 0


def make_ready(lock: str, say: Callable[[str], None]) -> None:
    started = time.monotonic()
    stamps = list(VENV.glob("ready-*"))
    usable = PYTHON.exists() and bool(stamps)
    if usable and has_stamp(lock):
        stamp(lock)  # the same content under another time: a fresh checkout of the same lock file
        return
    if usable:
        say(f"{lock} is new or has changed: updating .venv (under half a minute)")
        for old in stamps:
            old.unlink()
    else:
        say("first use: making .venv (under half a minute)")
        create()
    install(lock)
    compileall.compile_dir(str(ROOT / "supervisor"), quiet=2)
    stamp(lock)
    if pins(RUNTIME_LOCK) <= pins(lock):
        stamp(RUNTIME_LOCK)
    say(f".venv is ready after {time.monotonic() - started:.0f} s")


def create() -> None:
    """Makes the environment with nothing but pip in it."""
    if VENV.exists():
        shutil.rmtree(VENV)
    venv.EnvBuilder(symlinks=True, prompt="supervisor").create(VENV)
    run("-m", "ensurepip", "--default-pip", why="pip cannot be installed with ensurepip")
    # Relative, so that a moved or copied checkout finds itself and not the place where it was.
    site_packages = next(VENV.glob("lib/python*/site-packages"))
    (site_packages / "supervisor-checkout.pth").write_text("../../../..\n")
    if any(site_packages.glob("setuptools")):
        # Python 3.11 brings it along. It is in no lock file, and its .pth file would cost every start a millisecond.
        run("-m", "pip", "uninstall", "-qq", "--yes", "setuptools", why="setuptools cannot be removed")


def install(lock: str) -> None:
    run(
        *("-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check", "--prefer-binary"),
        *("--require-hashes", "-r", str(ROOT / lock)),
        why="pip cannot install the packages of " + lock,
        remedy="the first use needs the network, later ones do not: check it and try again",
    )


def run(*arguments: str, why: str, remedy: str = "try again") -> None:
    environment = {key: value for key, value in os.environ.items() if key not in FOREIGN_SETTINGS}
    # The output is kept back because its last lines matter only if the program fails, to tell why.
    done = subprocess.run(
        [PYTHON, "-I", *arguments],
        env=environment | {"PIP_USER": "0"},
        close_fds=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        sys.stderr.write("".join(done.stdout.splitlines(keepends=True)[-20:]))
        raise SetUpError(f"{why} (exit code {done.returncode}, its output is above); {remedy}")


def has_stamp(lock: str) -> bool:
    try:
        return (VENV / f"ready-{lock}").read_bytes() == (ROOT / lock).read_bytes()
    except FileNotFoundError:
        return False


def stamp(lock: str) -> None:
    """Writes the stamp in one step: a launcher sees it whole with its time, or not at all."""
    new = VENV / f"new-{lock}"
    shutil.copy2(ROOT / lock, new)
    new.replace(VENV / f"ready-{lock}")


def pins(lock: str) -> set[str]:
    return set(re.findall(r"^\S+==\S+", (ROOT / lock).read_text(), re.MULTILINE))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
