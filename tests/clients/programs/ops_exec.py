"""Commands, as gitpod-sdk 1.2.0 and ona-sdk 0.1.1 have them run: SCENARIO ARGUMENTS, as JSON."""

from __future__ import annotations

import hashlib
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from ops_parts import Ops, Result, check, environment, refusal, said, show

STOPPING = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
IGNORED = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
"""By default."""


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and the seconds that it takes."""
    begun = time.monotonic()
    return call(), time.monotonic() - begun


def shown(result: Any) -> list:
    """A result as JSON."""
    return [result.exit_code, result.stdout, result.stderr]


def results(environment_id: str, arguments: Result) -> Result:
    """What commands print, and how they end."""
    found = environment(environment_id)

    def run(command: str, **more: Any) -> list:
        result = found.run_command(command, **more)
        return shown(result)

    ending = [number for number in signal.valid_signals() if number not in STOPPING | IGNORED]
    background, took_s = timed(lambda: run("sleep 300 & echo hi"))
    return {
        "codes": [run(f"exit {code}")[0] for code in arguments["codes"]],
        "signals": {
            int(number): run(f"kill -{int(number)} $$")[0] for number in ending[:: arguments["step"]]
        },
        "ignored": [run(f"kill -{int(number)} $$; exit 3")[0] for number in IGNORED],
        "streams": run("echo out; echo err >&2; exit 5"),
        "no newline": run("printf out; printf err >&2"),
        "odd bytes": run(r"printf 'a\000b\377c\303\n'"),
        "stdin": run("read x; echo $?; [ -t 0 ] || echo no terminal"),
        "long": run(f": {'x' * 200_000}; echo done"),
        "not found": run("/no/such/program")[0],
        "folder": run("pwd", working_directory="sub"),
        "workspace": run("pwd"),
        "background": background,
        "backgroundSeconds": took_s,
        "many": run("seq 200000")[1][-20:],
    }


def limits(environment_id: str, _arguments: Result) -> Result:
    """A limit that is over, of a command that obeys."""
    found = environment(environment_id)
    result, took_s = timed(lambda: found.run_command("echo begun; sleep 60", timeout_seconds=1))
    return {"result": shown(result), "seconds": took_s}


def stubborn(environment_id: str, arguments: Result) -> Result:
    """A limit that is over, of a tree that ignores SIGTERM and has left its session."""
    found = environment(environment_id)
    mark = arguments["mark"]
    command = f"trap '' TERM; setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done; : {mark}' & sleep 60; sleep 60"
    result, took_s = timed(lambda: found.run_command(command, timeout_seconds=1))
    return {"result": shown(result), "seconds": took_s}


def cancelled(environment_id: str, arguments: Result) -> Result:
    """Three callers of one id, while it is cancelled; one more afterwards; ids that nobody knows."""
    ops = Ops(environment(environment_id))
    request = {
        "operation_id": "one",
        "command": "echo begun; touch begun; trap 'exit 7' TERM; sleep 60 & wait",
    }
    answers: list = []
    callers = [
        threading.Thread(target=lambda: answers.append(said(ops.call("Exec", **request)))) for _ in range(3)
    ]
    for caller in callers:
        caller.start()
    while not Path(arguments["workspace"], "begun").exists():
        time.sleep(0.01)
    cancel = ops.call("CancelExec", operation_id="one")
    for caller in callers:
        caller.join()
    return {
        "answers": answers,
        "cancel": said(cancel),
        "later": said(ops.call("Exec", **request)),
        "again": said(ops.call("CancelExec", operation_id="one")),
        "unknown": said(ops.call("CancelExec", operation_id="two")),
        "empty": said(ops.call("CancelExec")),
    }


def refused(environment_id: str, _arguments: Result) -> Result:
    """What is not run."""
    found = environment(environment_id)
    ops = Ops(found)
    return {
        "negative": refusal(lambda: found.run_command("true", timeout_seconds=-1)),
        "long id": refusal(lambda: ops.call("Exec", operation_id="x" * 257, command="true")),
        "longest id": refusal(lambda: ops.call("Exec", operation_id="x" * 256, command="true")),
        "NUL": refusal(lambda: ops.call("Exec", command="echo \0")),
        "missing": refusal(lambda: found.run_command("true", working_directory="no/such/timeout")),
        "missing with an id": refusal(
            lambda: ops.call("Exec", operation_id="mended", command="true", working_directory="none")
        ),
        "mended": said(ops.call("Exec", operation_id="mended", command="echo ran")),
        "no folder": refusal(lambda: found.run_command("true", working_directory="file")),
        "closed": refusal(lambda: found.run_command("true", working_directory="closed")),
    }


def patience(environment_id: str, arguments: Result) -> Result:
    """A client that does not wait for the end."""
    found = environment(environment_id)
    seconds = arguments.get("seconds", 1)
    command = f"sleep {seconds + 2}; echo done > done"
    error, took_s = timed(lambda: refusal(lambda: found.run_command(command, timeout=seconds)))
    return {"error": error, "seconds": took_s}


def side_by_side(environment_id: str, arguments: Result) -> Result:
    """Several scenarios at once."""
    found: Result = {}

    def carry_out(scenario: Callable[[str, Result], Result]) -> None:
        found[scenario.__name__] = scenario(environment_id, arguments)

    threads = [
        threading.Thread(target=carry_out, args=(each,))
        for each in (results, limits, cancelled, refused, patience)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def upgraded(environment_id: str, _arguments: Result) -> Result:
    """A command during which the supervisor is upgraded, with an id that only the SDK knows."""
    found = environment(environment_id)
    result = found.run_command(
        "echo begun; touch begun; until [ -e go ]; do sleep 0.02; done; echo done >&2; exit 9"
    )
    return {"result": shown(result)}


def large(environment_id: str, arguments: Result) -> Result:
    """A command that prints much."""
    result = environment(environment_id).run_command(arguments["command"])
    check(result) if hasattr(result, "DESCRIPTOR") else None
    digest = hashlib.sha256(result.stdout.encode()).hexdigest()
    return {"code": result.exit_code, "bytes": len(result.stdout.encode()), "sha256": digest}


def quickly(environment_id: str, arguments: Result) -> Result:
    """How long `true` takes, again and again, in milliseconds."""
    found = environment(environment_id)
    found.run_command("true")
    return {"ms": [timed(lambda: found.run_command("true"))[1] * 1000 for _ in range(arguments["count"])]}


def slow(environment_id: str, arguments: Result) -> Result:
    """A command that takes long, and is waited for."""
    result, took_s = timed(lambda: environment(environment_id).run_command(arguments["command"]))
    return {"result": shown(result), "seconds": took_s}


def gap(environment_id: str, arguments: Result) -> Result:
    """A command that prints more than is kept: what comes before the line that says so, and after it."""
    result = environment(environment_id).run_command(arguments["command"])
    before, missing, after = re.split(r"supervisor: (\d+) bytes are missing here[^\n]*\n", result.stdout)
    parts = {"before": before.encode(), "after": after.encode()}
    return {
        "code": result.exit_code,
        "missing": int(missing),
        **{name: {"bytes": len(data), "first": data[:64].decode()} for name, data in parts.items()},
        "alike": all(data == (data[:64] * (len(data) // 64 + 1))[: len(data)] for data in parts.values()),
    }


SINGLE = (results, limits, cancelled, refused, patience, side_by_side)
SCENARIOS = (*SINGLE, stubborn, upgraded, large, quickly, slow, gap)
show({each.__name__: each for each in SCENARIOS})
