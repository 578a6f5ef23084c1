"""Point 12: terminals."""

from __future__ import annotations

import os
import re
import signal
import time

from tests.acceptance.trial import Trial, part, until

TESTS = "tests/e2e/test_terminals.py"
SHOWN = re.compile(rb"\npids-(\d+)-(\d+)-(\d+)-\r\n")


@part(
    12, "two readers; kill -9 and upgrade: same pid and variables, nothing lost; exit 7; attach after the end"
)
def outlives(trial: Trial) -> str:
    return trial.tests(TESTS, "-k", "outlives or answers_as or calls_answer")


@part(12, "what was answered was typed, whatever kills the supervisor")
def typed(trial: Trial) -> str:
    every = ["--all-faults"] if trial.scale >= 1 else []
    return trial.tests(TESTS, "-k", "answered_was_typed", *every)


@part(12, "the screen after a replay is that of one attached all the time; no query is answered twice")
def replay(trial: Trial) -> str:
    return trial.tests(TESTS, "tests/terminals", "-k", "attaches or session or random or queries")


@part(12, "1 MiB pasted into `cat > f`")
def pasted(trial: Trial) -> str:
    return trial.tests(TESTS, "-k", "megabyte")


@part(12, "100 MB with a reader that stops")
def stuck(trial: Trial) -> str:
    return trial.tests(TESTS, "-k", "reader_that_stops", "--terminal-megabytes", str(trial.size(100, 12)))


@part(12, "a drain, --detach, tokens")
def drain(trial: Trial) -> str:
    return trial.tests(TESTS, "-k", "drain or tokens")


@part(12, "nohup survives CloseTerminal, and what obeys a hangup does not")
def nohup(trial: Trial) -> str:
    with trial.calls() as (_, ops):
        terminal = ops.create("bash", env={"PS1": "$ "})
        reader = ops.read(terminal)
        ops.write(
            terminal, b"nohup sleep 1000 >nohup.out 2>&1 & kept=$!; sleep 2000 & echo pids-$kept-$$-$!-\n"
        )
        reader.until(SHOWN.search)
        kept, shell, gone = map(int, SHOWN.findall(reader.printed)[0])
        began = time.monotonic()
        ops.hang_up(terminal)
        assert reader.end() is None
        took_s = time.monotonic() - began
        until(lambda: not lives(gone) and not lives(shell), "the end of the shell and of its job")
        assert lives(kept)
        assert ops.terminals() == []
        os.kill(kept, signal.SIGKILL)
        reader.close()
    return f"its reader had the end after {took_s:.2f} s"


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
