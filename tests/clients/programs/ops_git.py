"""Git by the SDK's `git_changes` and by raw calls: SCENARIO ARGUMENTS, as JSON."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from ona_sdk.errors import SDKError
from ops_parts import Ops, Result, check, environment, refusal, said, show


def changes(environment_id: str, arguments: Result) -> Result:
    """What `git_changes` finds."""
    found = environment(environment_id).git_changes(
        unified=arguments.get("unified", 0), base_ref=arguments.get("baseRef", "")
    )
    check(found.status)
    for file in found.files:
        check(file.diff)
    return {
        "status": said(found.status),
        "files": {each.file.path: [hunk.body for hunk in each.diff.hunks] for each in found.files},
        "binary": [each.file.path for each in found.files if each.diff.is_binary],
    }


def methods(environment_id: str, arguments: Result) -> Result:
    """The answers of the methods that the SDK never calls, and how the SDK says a refusal."""
    env = environment(environment_id)
    ops = Ops(env)
    return {
        "files": said(ops.call("GetGitDiffFiles", base_ref=arguments["baseRef"])),
        "content": said(ops.call("GetFileDiffContent", path=arguments["path"])),
        "branch": said(ops.call("GetDefaultBranch")),
        "refused": refusal(lambda: env.git_changes(base_ref="none")),
        "environment": said(environment(environment_id).proto()),
        "leads out": refusal(lambda: ops.call("GetGitDiff", path="../x")),
    }


def without(environment_id: str, _arguments: Result) -> Result:
    """How `git_changes` fails."""
    return {"refused": refusal(lambda: environment(environment_id).git_changes())}


def at_once(environment_id: str, arguments: Result) -> Result:
    """The status, asked for by many connections at one moment: the answers that differ."""
    ops, answers = Ops(environment(environment_id)), []
    barrier = threading.Barrier(arguments["count"])

    def ask() -> None:
        barrier.wait()
        answers.append(ops.call("GetGitStatus"))

    threads = [threading.Thread(target=ask) for _ in range(arguments["count"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"answers": len(answers), "different": len({answer.SerializeToString() for answer in answers})}


def meanwhile(environment_id: str, arguments: Result) -> Result:
    """`git_changes` again and again: how often, how many files it has seen, and its errors."""
    env = environment(environment_id)
    end, rounds, files, errors = time.monotonic() + arguments["seconds"], 0, 0, []
    while time.monotonic() < end:
        try:
            found = env.git_changes(unified=rounds % 4)
            files += len(found.files)
            check(found.status)
            for file in found.files:
                check(file.diff)
        except SDKError as error:
            errors.append(f"{type(error).__name__}: {error}")
        rounds += 1
    return {"rounds": rounds, "files": files, "errors": errors}


show({name: globals()[name] for name in ("changes", "methods", "without", "at_once", "meanwhile")})
