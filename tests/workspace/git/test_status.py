"""GetGitStatus beside its files, GetDefaultBranch, and how git's refusals are told."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from supervisor.workspace.git.remotes import clone_url
from supervisor.workspace.jobs import UNARY, Job
from supervisor.workspace.ops_error import Cancelled, OpsError
from tests.workspace.git.real_repository import RealRepository


def cloned(repository: RealRepository, tmp_path: Path, *options: str) -> RealRepository:
    repository.git("clone", "--quiet", *options, f"file://{repository.top}", str(tmp_path / "clone"))
    return RealRepository(tmp_path / "clone")


def refused(repository: RealRepository, method: str, **fields: str) -> OpsError:
    with pytest.raises(OpsError) as raised:
        repository.call(method, **fields)
    return raised.value


def test_before_the_first_commit(repository: RealRepository) -> None:
    status = repository.status()

    assert (status.branch, status.latest_commit, status.total_unpushed_commits) == ("main", "", 0)
    assert status.clone_url == ""


def test_on_a_branch_and_detached(repository: RealRepository) -> None:
    commit = repository.commit("one")
    repository.git("switch", "--quiet", "--create", "feature/ü")
    assert repository.status().branch == "feature/ü"
    assert repository.status().latest_commit == commit
    repository.git("switch", "--quiet", "--detach")
    assert repository.status().branch == ""
    assert repository.status().latest_commit == commit


def test_unpushed_commits_are_those_of_head_and_the_branches(
    repository: RealRepository, tmp_path: Path
) -> None:
    repository.commit("pushed")
    clone = cloned(repository, tmp_path)
    assert clone.status().total_unpushed_commits == 0
    clone.git("switch", "--quiet", "--create", "other")
    environ = "GIT_COMMITTER_DATE"
    os.environ[environ] = "2030-01-01T00:00:00Z"
    try:
        clone.commit("on a branch: ü\n\nwith a body")
        os.environ[environ] = "2031-01-01T00:00:00Z"
        clone.git("switch", "--quiet", "--detach", "origin/main")
        newest = clone.commit("on no branch")
    finally:
        del os.environ[environ]

    commits = list(clone.status().unpushed_commits)

    assert [commit.partition(": ")[2] for commit in commits] == ["on no branch", "on a branch: ü"]
    assert newest.startswith(commits[0].partition(": ")[0])
    assert clone.status().total_unpushed_commits == 2


def test_at_most_101_commits_are_listed_and_all_are_counted(repository: RealRepository) -> None:
    stream = "".join(
        f"commit refs/heads/main\ncommitter D <d@x> {number} +0000\ndata <<E\nnumber {number}\nE\n"
        for number in range(150)
    )
    repository.git("fast-import", "--quiet", stdin=stream.encode())

    status = repository.status()

    assert len(status.unpushed_commits) == 101
    assert status.unpushed_commits[0].endswith(": number 149")
    assert status.total_unpushed_commits == 150


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com/a/b.git", "https://example.com/a/b.git"),
        ("https://user:secret@example.com/a/b", "https://example.com/a/b"),
        ("https://u:p@ss@example.com:8443/a", "https://example.com:8443/a"),
        ("HTTPS://example.com/a", "https://example.com/a"),
        ("git@example.com:a/b.git", "https://example.com/a/b.git"),
        ("example.com:a/b.git", "https://example.com/a/b.git"),
        ("git@example.com:/a/b.git", "https://example.com/a/b.git"),
        ("ssh://git@example.com/a/b.git", "https://example.com/a/b.git"),
        ("ssh://git@example.com:22/a/b.git", "https://example.com/a/b.git"),
        ("ssh://git:secret@[::1]:22/a", "https://[::1]/a"),
        ("[::1]:a/b", "https://[::1]/a/b"),
        ("git+ssh://git@example.com/a", "https://example.com/a"),
        ("http://example.com/a", ""),
        ("git://example.com/a", ""),
        ("file:///a/b", ""),
        ("/a/b", ""),
        ("./a:b", ""),
        ("../a", ""),
        ("ext::sh -c x", ""),
        ("git@example.com:~/a", ""),
        ("ssh://-oProxyCommand=x/a", ""),
        ("https:///a", ""),
        ("https://example.com/a\nb", ""),
        ("", ""),
    ],
)
def test_the_clone_url_is_https_and_has_no_secret(url: str, shown: str) -> None:
    assert clone_url(url) == shown


def test_the_clone_url_is_that_of_origin_else_of_the_only_remote(
    repository: RealRepository, settings: Path
) -> None:
    repository.git("remote", "add", "first", "git@example.com:first/x.git")
    assert repository.status().clone_url == "https://example.com/first/x.git"
    repository.git("remote", "add", "second", "https://example.com/second")
    assert repository.status().clone_url == ""
    repository.git("remote", "add", "origin", "https://me:secret@example.com/origin")
    repository.git("remote", "set-url", "--push", "origin", "https://example.com/pushed")
    assert repository.status().clone_url == "https://example.com/origin"
    settings.write_text(settings.read_text() + '[url "https://example.com/"]\n\tinsteadOf = "gh:"\n')
    repository.git("remote", "set-url", "origin", "gh:short/x")
    assert repository.status().clone_url == "https://example.com/short/x"


def test_the_default_branch_is_the_remotes(repository: RealRepository, tmp_path: Path) -> None:
    repository.commit()
    repository.git("branch", "--move", "trunk/x")
    repository.git("branch", "master")
    clone = cloned(repository, tmp_path)
    clone.git("branch", "main")
    assert clone.call("GetDefaultBranch").branch == "trunk/x"
    clone.git("remote", "set-head", "origin", "--delete")
    assert clone.call("GetDefaultBranch").branch == "master"
    clone.git("update-ref", "-d", "refs/remotes/origin/master")
    assert refused(clone, "GetDefaultBranch").code == "not_found"


def test_the_default_branch_without_a_remote(repository: RealRepository, settings: Path) -> None:
    assert refused(repository, "GetDefaultBranch").code == "not_found"
    repository.commit()
    repository.git("branch", "--move", "only")
    assert repository.call("GetDefaultBranch").branch == "only"
    repository.git("branch", "other")
    assert refused(repository, "GetDefaultBranch").code == "not_found"
    repository.git("branch", "master")
    assert repository.call("GetDefaultBranch").branch == "master"
    repository.git("branch", "main")
    assert repository.call("GetDefaultBranch").branch == "main"
    settings.write_text(settings.read_text().replace("= main", "= other"))
    assert repository.call("GetDefaultBranch").branch == "other"


@pytest.mark.parametrize(
    "method", ["GetGitStatus", "GetGitDiffFiles", "GetGitDiff", "GetFileDiffContent", "GetDefaultBranch"]
)
def test_each_method_says_what_is_wrong(
    repository: RealRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    fields = {"path": "f"} if method in ("GetGitDiff", "GetFileDiffContent") else {}
    elsewhere = RealRepository(tmp_path / "no repository")

    error = refused(elsewhere, method, **fields)
    assert (error.code, f"no git repository at {elsewhere.top}" in error.message) == (
        "failed_precondition",
        True,
    )
    elsewhere.top.mkdir()
    error = refused(elsewhere, method, **fields)
    assert (error.code, f"no git repository at {elsewhere.top}" in error.message) == (
        "failed_precondition",
        True,
    )
    (repository.top / ".git/config").write_text("[core\n")
    error = refused(repository, method, **fields)
    assert (error.code, "bad config line 1" in error.message) == ("failed_precondition", True)
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refused(repository, method, **fields)
    assert (error.code, "unsupported" in error.message) == ("failed_precondition", True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to others")
def test_a_repository_of_somebody_else_is_refused_in_gits_words(repository: RealRepository) -> None:
    os.chown(repository.top, 12345, 12345)
    os.chown(repository.top / ".git", 12345, 12345)

    error = refused(repository, "GetGitStatus")

    assert (error.code, "detected dubious ownership" in error.message) == ("failed_precondition", True)
    assert "\n" not in error.message


def test_damage_is_told_in_gits_words(repository: RealRepository) -> None:
    repository.write("f", "x\n")
    commit = repository.commit()
    tree = repository.git("rev-parse", "HEAD^{tree}").decode().strip()
    (repository.top / ".git/objects" / tree[:2] / tree[2:]).unlink()

    error = refused(repository, "GetGitStatus")

    assert (error.code, f"bad tree object {commit}" in error.message) == ("failed_precondition", True)
    (repository.top / ".git/index").write_bytes(b"nonsense")
    assert refused(repository, "GetGitDiff", path="f").code == "failed_precondition"


def test_a_bare_repository_is_refused(repository: RealRepository) -> None:
    repository.git("config", "core.bare", "true")

    assert "must be run in a work tree" in refused(repository, "GetGitStatus").message


@pytest.mark.parametrize(
    "base_ref", ["none", "-x", "--output=x", "HEAD~9", "HEAD:f", "main..main", "^main", " ", "a\0"]
)
def test_a_base_that_is_no_commit_is_not_found(repository: RealRepository, base_ref: str) -> None:
    repository.write("f", "x\n")
    repository.commit()

    for method, fields in {
        "GetGitDiffFiles": {},
        "GetGitDiff": {"path": "f"},
        "GetFileDiffContent": {"path": "f"},
    }.items():
        assert refused(repository, method, base_ref=base_ref, **fields).code == "not_found"


def test_bases_by_any_name_of_a_commit(repository: RealRepository) -> None:
    repository.write("f", "x\n")
    commit = repository.commit()
    repository.git("tag", "-am", "v1", "v1")
    repository.write("f", "y\n")
    repository.commit()

    for base_ref in ("HEAD~1", commit, commit[:9], "v1", "@^", ":/a commit", "main@{1}"):
        expected = {} if base_ref == ":/a commit" else {"f": "MODIFIED"}
        assert repository.changes(base_ref) == expected, base_ref


def test_histories_without_a_common_commit(repository: RealRepository, tmp_path: Path) -> None:
    first = repository.commit()
    repository.git("switch", "--quiet", "--orphan", "other")
    assert repository.changes("main") == {}  # before the first commit all is compared with nothing
    repository.write("f")
    repository.commit()
    assert refused(repository, "GetGitDiffFiles", base_ref="main").code == "failed_precondition"

    repository.git("switch", "--quiet", "main")
    repository.commit()
    repository.git("branch", "third", first)
    shallow = cloned(repository, tmp_path, "--depth=1", "--no-single-branch")
    error = refused(shallow, "GetGitDiffFiles", base_ref="origin/third")
    assert (error.code, "shallow" in error.message) == ("failed_precondition", True)


def test_the_lock_of_another_git_does_not_matter_and_nothing_is_written(repository: RealRepository) -> None:
    repository.write("f", "x\n")
    repository.commit()
    os.utime(repository.top / "f", (1, 1))  # a git with locks would write this to the index
    (repository.top / ".git/index.lock").touch()
    repository.write("g", "x\n")
    before = {path: path.stat().st_mtime_ns for path in repository.top.rglob("*")}

    assert repository.changes() == {"g": "UNTRACKED"}
    assert repository.diff("g").hunks[0].body == "+x\n"
    assert repository.content("g").new_content == b"x\n"
    assert {path: path.stat().st_mtime_ns for path in repository.top.rglob("*")} == before


def test_no_remote_is_asked_for_what_a_partial_clone_lacks(
    repository: RealRepository, tmp_path: Path
) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    repository.write("f", "one\n" * 50)
    first = repository.commit()
    repository.write("f", "two\n" * 50)
    repository.commit()
    clone = cloned(repository, tmp_path, "--filter=blob:none")

    assert clone.changes() == {}
    assert clone.changes(first) == {"f": "MODIFIED"}
    assert refused(clone, "GetGitDiff", path="f", base_ref=first).code == "failed_precondition"
    shutil.rmtree(repository.top)
    assert refused(clone, "GetFileDiffContent", path="f", base_ref=first).code == "failed_precondition"


def test_a_branch_named_as_head_is_no_error(repository: RealRepository) -> None:
    commit = repository.commit()
    repository.git("update-ref", "refs/heads/HEAD", commit)

    assert repository.status().latest_commit == commit


@pytest.mark.skipif(os.getuid() == 0, reason="root may enter everything")
def test_a_workspace_that_may_not_be_entered_is_refused(repository: RealRepository) -> None:
    repository.top.chmod(0)
    try:
        assert refused(repository, "GetGitStatus").code == "permission_denied"
    finally:
        repository.top.chmod(0o755)


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(repository: RealRepository) -> None:
    repository.write("f", "x\n")
    repository.commit()
    repository.write("f", "longer\n").chmod(0)

    assert repository.changes() == {"f": "MODIFIED"}
    assert refused(repository, "GetGitDiff", path="f").code == "permission_denied"
    assert refused(repository, "GetFileDiffContent", path="f").code == "permission_denied"


@pytest.mark.parametrize("method", ["GetGitStatus", "GetGitDiff"])
def test_git_ends_when_nobody_waits_any_more(
    repository: RealRepository, settings: Path, tmp_path: Path, method: str
) -> None:
    slow = f'[filter "slow"]\n\tclean = "touch {tmp_path}/began; sleep 600"\n'  # a bare ; begins a comment
    repository.write("f", "x\n")
    repository.commit()
    settings.write_text(settings.read_text() + slow)
    (repository.top / ".git/info/attributes").write_text("* filter=slow\n")
    repository.write("f", "longer\n")
    job, raised = Job(str(repository.top)), list[BaseException]()

    def call() -> None:
        try:
            request_class, function = UNARY[method]
            function(request_class(**({"path": "f"} if method == "GetGitDiff" else {})), job)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    while not (tmp_path / "began").exists() and thread.is_alive():
        thread.join(0.01)
    job.cancel()
    thread.join(10)

    assert [type(error) for error in raised] == [Cancelled]
