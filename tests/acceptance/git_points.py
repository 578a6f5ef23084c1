"""Points 9 and 10: git against git itself, and 100,000 files."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from platform_wire import environmentopts_pb2 as pb
from tests.acceptance.trial import Trial, part, printed
from tests.clients import test_ops_files
from tests.clients.harness import Driver, Supervisor
from tests.clients.set_up import SDK_1_2
from tests.e2e.harness import Project
from tests.e2e.ops_client import OpsClient, OpsFailure
from tests.workspace.git.patching import patched
from tests.workspace.git.random_edits import do_something
from tests.workspace.git.real_repository import RealRepository, conflict, kind

PROGRAM = "ops_git.py"
ROUNDS = 7
IN_A_FOLDER = 100
MOST_FOUND = 65_536
LEADING_OUT = ("../x", "/etc/passwd", "", "a/../../x")


@contextmanager
def home(folder: Path) -> Iterator[None]:
    """Have this process's own git use the same settings as the supervisor's."""
    before = os.environ["HOME"]
    os.environ["HOME"] = str(folder)
    try:
        yield
    finally:
        os.environ["HOME"] = before


@part(9, "each kind of change, odd names and repositories against git itself")
def against_git(trial: Trial) -> str:
    return trial.tests("tests/workspace/git", *(["--all-faults"] if trial.scale >= 1 else []))


@part(9, "over TCP: 150 changes, unmerged files, odd names, against git itself")
def over_tcp(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        project = driver.supervisor.project
        with home(project.home):
            repository = RealRepository(project.folder)
            repository.git("init", "--quiet")
            for number in range(40):
                repository.write(f"kept/{number}", f"{number}\n" * 9)
            conflict(repository)
            for number in range(40):
                repository.write(f"kept/{number}", f"{number}\n" * 8 + "end")
            odd = (b"\xff", b"a\nb", b'"quoted"', b"tab\t", b" ", b"x" * 200)
            for name in odd:
                repository.write(name, "new\n")
            repository.write(b"d/" * 100 + b"x" * 100, "a long path\n")
            for number in range(150 - len(by_git(repository))):
                repository.write(f"more/{number}", "new\n")
            total = len(by_git(repository))
            found = driver.run("changes", unified=3)
        status = found["status"]
        assert (total, status["totalChangedFiles"], len(status["changedFiles"])) == (150, 150, 101), status
        assert len(found["files"]) == 101
        ops = OpsClient(driver.supervisor.port, driver.supervisor.token())
        answer = ops.unary("GetGitDiffFiles", pb.GetGitDiffFilesRequest(), pb.GetGitDiffFilesResponse)
        paths = {shown for shown in by_git(repository) if len(shown) <= 255}
        assert {each.path for each in answer.changed_files} == paths
        assert answer.total_changed_files == 150
        applied = sum(applies(ops, each.path) for each in answer.changed_files)
        return f"101 of {total} listed, {len(paths)} by GetGitDiffFiles, {applied} patches applied"

    return trial.by_both(PROGRAM, work)


def by_git(repository: RealRepository) -> list[str]:
    """The paths that `git status` tells, as answers show them."""
    out = repository.git("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames")
    return [shown(entry[3:]) for entry in out.split(b"\0") if entry]


def shown(name: bytes) -> str:
    """With U+EF00 plus the byte in place of what is not UTF-8."""
    text = name.decode("utf-8", "surrogateescape")
    return "".join(
        chr(ord(each) - 0xDC00 + 0xEF00) if 0xDC80 <= ord(each) <= 0xDCFF else each for each in text
    )


def applies(ops: OpsClient, path: str) -> bool:
    """Whether hunks, applied to the original content, give the new one; a binary file has none."""
    diff = ops.unary("GetGitDiff", pb.GetGitDiffRequest(path=path), pb.GetGitDiffResponse)
    request = pb.GetFileDiffContentRequest(path=path)
    content = ops.unary("GetFileDiffContent", request, pb.GetFileDiffContentResponse)
    assert kind(diff.file_change)
    if diff.is_binary:
        return False
    made = patched(content.original_content.decode(), diff.hunks)
    assert made == content.new_content.decode(), f"the patch of {path!r}"
    return True


@part(9, "no repository, no commit, detached; `../x`, `:(top)x`, `--output=x`")
def refusals(trial: Trial) -> str:
    with trial.calls() as (supervisor, ops):
        project = supervisor.project

        def code(path: str, base_ref: str = "") -> str:
            request = pb.GetGitDiffRequest(path=path, base_ref=base_ref)
            try:
                answer = ops.unary("GetGitDiff", request, pb.GetGitDiffResponse)
            except OpsFailure as failure:
                return failure.code
            return "" if answer == pb.GetGitDiffResponse() else "an answer"

        def status() -> pb.GetGitStatusResponse:
            return ops.unary("GetGitStatus", pb.GetGitStatusRequest(), pb.GetGitStatusResponse)

        assert code("x") == "failed_precondition"
        with home(project.home):
            repository = RealRepository(project.folder)
            repository.git("init", "--quiet")
            repository.write("x", "x\n")
            assert (status().status.branch, status().status.latest_commit) == ("main", "")
            commit = repository.commit()
            repository.git("checkout", "--quiet", "--detach")
            assert (status().status.branch, status().status.latest_commit) == ("", commit)
            repository.write("x", "changed\n")
        assert [code(path) for path in LEADING_OUT] == ["invalid_argument"] * len(LEADING_OUT)
        # These are names of files, and there are none.
        assert [code(path) for path in (":(top)x", "--output=x", ":!x", "*")] == [""] * 4
        assert [code("x", ref) for ref in ("--output=x", "none", "-")] == ["not_found"] * 3
        assert sorted(os.listdir(project.folder)) == [".git", "x"]
    return "as the contract says, and nothing was written"


@part(9, "git_changes() while files come and go")
def meanwhile(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        project, seconds = driver.supervisor.project, trial.size(60, 3)
        with home(project.home):
            repository = RealRepository(project.folder)
            repository.git("init", "--quiet")
            repository.commit()
            program, edits = driver.start("meanwhile", seconds=seconds), 0
            while program.poll() is None:
                do_something(repository, trial.dice)
                edits += 1
        found = driver.result(program, "meanwhile")
        assert found["errors"] == [], found
        assert found["rounds"] > 0, found
        return f"{found['rounds']} times, {found['files']} files seen, {edits} edits, no error"

    return trial.by_both(PROGRAM, work, 180)


@part(9, "the SDK's own errors, and twenty at once start one git")
def sdk_says(trial: Trial) -> str:
    return trial.tests("tests/clients/test_ops_git.py", "-k", "not come_and_go")


# Point 10 -------------------------------------------------------------------------------------------------------------


@contextmanager
def many_files(trial: Trial, count: int) -> Iterator[tuple[Project, Path]]:
    """A repository with so many files, packed as a clone is, and the file to which each git appends a line."""
    with trial.project() as project:
        programs, calls = project.home / "bin", project.home / "calls"
        programs.mkdir()
        (programs / "git").write_text(f'#!/bin/sh\necho "$*" >>{calls}\nexec {shutil.which("git")} "$@"\n')
        (programs / "git").chmod(0o755)
        for number in range(count // IN_A_FOLDER):
            folder = project.folder / str(number)
            folder.mkdir()
            for name in range(IN_A_FOLDER):
                (folder / str(name)).write_text(f"{number} {name}\n")
        with home(project.home):
            for words in ("init -q", "add .", "commit -qm x", "gc -q", "status"):
                subprocess.run(
                    ["git", *words.split()], cwd=project.folder, stdout=subprocess.DEVNULL, check=True
                )
            project.env["PATH"] = f"{programs}:{project.env['PATH']}"
            yield project, calls


def compared(theirs: Callable[[], object], ours: Callable[[], object]) -> tuple[float, float]:
    """The medians, in seconds, of two that are asked in turn."""
    ours()
    pairs = [(seconds(theirs), seconds(ours)) for _ in range(ROUNDS)]
    first, second = (statistics.median(times) for times in zip(*pairs, strict=True))
    return first, second


def seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


@part(10, "100,000 files: GetGitStatus beside `git status`, Find beside `find`, 20 at once start one git")
def speed(trial: Trial) -> str:
    count = trial.size(100_000, 5000) // IN_A_FOLDER * IN_A_FOLDER
    few_s = 0.2 if count < 100_000 else 0.0  # with few files it is the start of a program that is measured
    with many_files(trial, count) as (project, calls), trial.running(project) as supervisor:
        ops, said = OpsClient(supervisor.port, supervisor.token()), []

        def status() -> object:
            return ops.unary("GetGitStatus", pb.GetGitStatusRequest(), pb.GetGitStatusResponse)

        def run(*words: str) -> Callable[[], object]:
            environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
            return lambda: subprocess.run(
                words, cwd=project.folder, env=environ, stdout=subprocess.DEVNULL, check=True
            )

        for what in ("clean", "100 changed and 100 new"):
            if what != "clean":
                for number in range(100):
                    folder = project.folder / str(number % (count // IN_A_FOLDER))
                    (folder / str(number)).write_text("changed\n")
                    (project.folder / f"new {number}").touch()
            theirs, ours = compared(run("git", "status"), status)
            assert ours <= 1.5 * theirs + few_s, f"{what}: {ours:.3f} s, git status {theirs:.3f} s"
            said.append(
                f"{what}: {ours * 1000:.0f} ms, git {theirs * 1000:.0f} ms, {ours / theirs:.2f} times"
            )

        calls.unlink()
        status()
        alone = calls.read_text().splitlines()
        calls.unlink()
        at_once(supervisor, 20)
        together = calls.read_text().splitlines()
        assert len(together) <= 2 * len(alone), together
        said.append(f"processes of git: {len(alone)} for one call, {len(together)} for 20 at once")

        request = pb.FindRequest(path=".", pattern="7", type=pb.FindRequest.FILE_TYPE_FILE)

        def find() -> pb.FindResponse:
            return ops.unary("Find", request, pb.FindResponse)

        theirs, ours = compared(run("find", ".", "-name", "7", "-type", "f"), find)
        found = len(find().files)
        assert found == count // IN_A_FOLDER, found
        assert ours <= 5 * theirs + few_s, f"Find {ours:.3f} s, find {theirs:.3f} s"
        said.append(f"Find: {ours * 1000:.0f} ms, find {theirs * 1000:.0f} ms, {ours / theirs:.1f} times")
    return "; ".join(said)


def at_once(supervisor: Supervisor, count: int) -> None:
    """Ask for the status by an SDK's transport, at one moment."""
    found = Driver(SDK_1_2, PROGRAM, supervisor, 120).run("at_once", count=count)
    assert found == {"answers": count, "different": 1}, found


@part(10, "over 65,536 hits: ignored ones are cut first")
def truncated(trial: Trial) -> str:
    with trial.calls() as (supervisor, ops):
        folder = supervisor.project.folder
        (folder / ".gitignore").write_text("ignored/\n")
        kept, ignored = trial.size(60_000, 60_000), 10_000
        for name, count in (("ignored", ignored), ("kept", kept)):
            (folder / name).mkdir()
            for number in range(count):
                os.close(os.open(folder / name / f"{number}", os.O_CREAT | os.O_WRONLY))
        with home(supervisor.project.home):
            subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        began = time.monotonic()
        request = pb.FindRequest(path=".", pattern="[0-9]*", type=pb.FindRequest.FILE_TYPE_FILE)
        answer = ops.unary("Find", request, pb.FindResponse)
        took_s = time.monotonic() - began
        names = [each.path.rpartition("/")[0].rpartition("/")[2] for each in answer.files]
        assert (len(names), answer.truncated) == (MOST_FOUND, True)
        assert names == ["kept"] * kept + ["ignored"] * (MOST_FOUND - kept)
    return (
        f"{MOST_FOUND} of {kept + ignored} in {took_s:.2f} s, {kept} that are not ignored before all others"
    )


@part(10, "Find among 100,000 files by an SDK: names, globs, paths, fuzzy")
def searches(trial: Trial) -> str:
    full = trial.scale >= 1
    work = partial(printed, test_ops_files.test_searches_among_many_files)
    return trial.by_both("ops_files.py", lambda driver: work(driver, full), 120)
