"""Points 11 and 13: Watch, capabilities, profiles, and what is no proper request."""

from __future__ import annotations

from platform_wire import environmentopts_pb2 as pb
from tests.acceptance.trial import Trial, part, until
from tests.clients import test_ops_environment, test_ops_watch
from tests.clients.harness import Driver
from tests.e2e.ops_client import OpsStream

PROGRAM = "ops_watch.py"


@part(11, "an edit within 1 s, ignored ones never; a commit: git_status_changed")
def told(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        found = driver.run("watch")
        assert found["toldAfterS"] < 1.0, found
        assert found["events"] == ["+edited", "+written"], found
        assert found["commitToldAfterS"] < 2.5, found
        assert found["eventsOfGit"] == [], found
        edit_ms, commit_ms = found["toldAfterS"] * 1000, found["commitToldAfterS"] * 1000
        return f"an edit after {edit_ms:.0f} ms, a commit after {commit_ms:.0f} ms, of ignored files and .git nothing"

    return trial.by_both(PROGRAM, work)


@part(11, "a commit in a terminal: git_status_changed")
def commit(trial: Trial) -> str:
    with trial.calls() as (_, ops):
        terminal = ops.create("sh", env={"PS1": "$ "})
        shown = ops.read(terminal)
        ops.write(terminal, b"git init -q && touch f && git add f && git commit -qm one; echo 'beg''un'\n")
        shown.until_printed(b"begun\r\n")
        request = pb.WatchRequest(event_types=[pb.WATCH_EVENT_TYPE_GIT_STATUS])
        stream = ops.stream("Watch", request, pb.WatchResponse)
        ops.write(terminal, b"git commit -q --allow-empty -m two; echo 'commit''ted'\n")
        shown.until_printed(b"committed\r\n")
        until(lambda: stream.messages, "git_status_changed")
        assert all(each.HasField("git_status_changed") for each in stream.messages), stream.messages
        for each in (shown, stream):
            close(each)
        ops.hang_up(terminal)
    return "told, and nothing else is"


def close(stream: OpsStream[pb.WatchResponse] | OpsStream[pb.ReadTerminalResponse]) -> None:
    stream.close()


@part(11, "a checkout that changes 20,000 files: overflow, then as before")
def checkout(trial: Trial) -> str:
    count = trial.size(20_000, 12_000)

    def work(driver: Driver) -> str:
        found = driver.run("many", count=count)
        # A reader that keeps up with a slow disk is told of each file.
        assert found["overflows"] >= 1 or found["told"] >= count, found
        assert found["events"] == ["*many/7"], found
        how = f"overflows: {found['overflows']}, events: {found['told']}"
        return f"{count} files in {found['checkoutS']:.1f} s, {how}, then an edit is told"

    return trial.by_both(PROGRAM, work, 180)


@part(11, "a reader that stops; few inotify watches")
def stops(trial: Trial) -> str:
    return trial.tests("tests/workspace/watch/test_watch_job.py", "-k", "stops or few_watches or very_many")


@part(11, "GetGitStatus in a loop: no event")
def asking(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        test_ops_watch.test_asking_for_the_status_changes_nothing(driver)
        return "none"

    return trial.by_both(PROGRAM, work)


@part(11, "kill -9: the stream breaks, a new one works")
def broken(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        test_ops_watch.test_stream_breaks_with_the_supervisor_and_a_new_one_works(driver, trial.folder)
        for name in ("ready", "again"):
            (trial.folder / name).unlink()
        return "as it must be"

    return trial.by_both(PROGRAM, work)


# Point 13 -------------------------------------------------------------------------------------------------------------


@part(13, "ListCapabilities, StartBrowser, what a plane would serve")
def capabilities(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        found = driver.run("workspace")["capabilities"]
        assert found == {"capabilities": ["CAPABILITY_WATCH"]}, found
        test_ops_environment.test_every_method_that_is_not_served_is_named_and_never_not_found(driver)
        test_ops_environment.test_what_needs_a_plane_is_unimplemented(driver)
        return "[WATCH]; StartBrowser and each method of a plane: unimplemented by name"

    return trial.by_both("ops_environment.py", work, 120)


@part(13, "profiles with equal names, switched off, missing")
def profiles(trial: Trial) -> str:
    return trial.tests("tests/e2e/test_terminals.py", "tests/api", "-k", "profile")


@part(13, "garbage bodies, half messages, huge numbers, clients that leave at every byte")
def garbage(trial: Trial) -> str:
    every = ["--all-faults"] if trial.scale >= 1 else []
    return trial.tests("tests/security/test_ops_garbage.py", "tests/security/test_malformed.py", *every)
