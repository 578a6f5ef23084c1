"""A program that watches a workspace on a machine that gives few watches: what it is told, as JSON.

Runs in a user namespace of its own, whose limit it sets: `unshare -Ur python few_watches.py WORKSPACE LIMIT`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))

from supervisor.workspace.watch import shared_watch
from tests.workspace.watch.watching import Watching, git


def main(workspace: Path, limit: str) -> None:
    Path("/proc/sys/user/max_inotify_watches").write_text(limit)
    shared_watch.POLL_S = 0.1
    found: dict[str, object] = {}
    with Watching(workspace) as watching:
        for number in range(
            int(limit)
        ):  # the last of these is one too many, if there were enough at the beginning
            (workspace / f"new{number}").mkdir()
        watching.until(lambda: watching.overflows, "the overflow")
        found["overflows"] = watching.overflows
        watching.all()
        (workspace / "a/b/file").touch()
        (workspace / "out/file").touch()
        (workspace / "kept").write_text("changed")
        (workspace / "link").symlink_to("a")
        found["created"] = sorted(watching.all())
        os.rename(workspace / "a/b", workspace / "a/c")
        os.chmod(workspace / "kept", 0o600)
        found["renamed"] = sorted(watching.all())
        watching.until(lambda: watching.git_changes, "the change of the status")
        watching.came.clear()
        git(workspace, "commit", "-q", "--allow-empty", "-m", "second")
        watching.until(lambda: watching.git_changes, "a commit")
        found["instances"] = [
            link
            for fd in os.listdir("/proc/self/fd")
            if os.path.lexists(f"/proc/self/fd/{fd}")
            and "inotify" in (link := os.readlink(f"/proc/self/fd/{fd}"))
        ]
        with Watching(workspace) as second:
            second.until(lambda: second.overflows, "the overflow of one who comes later")
            found["second"] = second.overflows
    print(json.dumps(found))


main(Path(sys.argv[1]), sys.argv[2])
