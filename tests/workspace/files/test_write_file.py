import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from platform_wire.environmentopts_pb2 import WriteFileRequest
from supervisor.workspace.files import write_file as module
from supervisor.workspace.files.write_file import write_file
from supervisor.workspace.jobs import Job
from supervisor.workspace.ops_error import OpsError

ANY, CREATE, TRUNCATE, CREATE_OR_TRUNCATE, APPEND = range(5)


@pytest.fixture
def nameless(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the filesystem has files without a name. Some have not (overlay, network)."""
    if not request.param:
        monkeypatch.setattr(module, "_nameless", lambda *_: None)
    return bool(request.param)


both = pytest.mark.parametrize("nameless", [True, False], ids=["aside", "in-place"], indirect=True)


def write(folder: Path, path: str, content: bytes = b"new", mode: int = ANY) -> int:
    request = WriteFileRequest(path=path, content=content, mode=mode)  # type: ignore[arg-type]
    return write_file(request, Job(str(folder))).bytes_written


def code(folder: Path, path: str, content: bytes = b"new", mode: int = ANY) -> str:
    with pytest.raises(OpsError) as refused:
        write(folder, path, content, mode)
    return refused.value.code


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@both
@pytest.mark.usefixtures("nameless")
@pytest.mark.parametrize(
    ("mode", "to_missing", "to_present"),
    [
        (ANY, b"new", b"new"),
        (CREATE, b"new", "already_exists"),
        (TRUNCATE, "not_found", b"new"),
        (CREATE_OR_TRUNCATE, b"new", b"new"),
        (APPEND, "not_found", b"oldnew"),
    ],
)
def test_modes(tmp_path: Path, mode: int, to_missing: bytes | str, to_present: bytes | str) -> None:
    (tmp_path / "present").write_bytes(b"old")

    for path, expected in (("missing", to_missing), ("present", to_present)):
        if isinstance(expected, str):
            assert code(tmp_path, path, mode=mode) == expected
        else:
            assert write(tmp_path, path, mode=mode) == 3
            assert (tmp_path / path).read_bytes() == expected

    assert names(tmp_path) == ["present"] if isinstance(to_missing, str) else ["missing", "present"]
    assert (tmp_path / "present").read_bytes() in (b"old", to_present)


@both
@pytest.mark.usefixtures("nameless")
def test_missing_folders_are_made_by_the_modes_that_create(tmp_path: Path) -> None:
    write(tmp_path, "a/b/../c/file", mode=CREATE)

    assert (tmp_path / "a/c/file").read_bytes() == b"new"
    assert code(tmp_path, "x/y", mode=APPEND) == "not_found"
    assert code(tmp_path, "x/y", mode=TRUNCATE) == "not_found"
    assert not (tmp_path / "x").exists()


@both
@pytest.mark.usefixtures("nameless")
def test_a_new_file_gets_what_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path, "folder/new")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "folder/new").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o750


@both
@pytest.mark.parametrize("mode", [TRUNCATE, CREATE_OR_TRUNCATE, APPEND])
def test_an_existing_file_keeps_mode_and_attributes(tmp_path: Path, nameless: bool, mode: int) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"old")
    file.chmod(0o4751)
    try:
        os.setxattr(file, "user.mark", b"kept")
    except OSError:
        pytest.skip("this filesystem has no attributes")
    before = file.stat()

    write(tmp_path, "f", mode=mode)

    assert file.stat().st_mode == before.st_mode
    assert os.getxattr(file, "user.mark") == b"kept"
    assert os.listxattr(file) == ["user.mark"]
    assert (file.stat().st_ino == before.st_ino) is (mode == APPEND or not nameless)
    assert names(tmp_path) == ["f"]


def test_an_existing_file_keeps_its_owner(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    (tmp_path / "f").write_bytes(b"old")
    os.chown(tmp_path / "f", 4711, 4712)

    write(tmp_path, "f")

    assert ((tmp_path / "f").stat().st_uid, (tmp_path / "f").stat().st_gid) == (4711, 4712)


def test_the_target_of_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("d/target")
    (tmp_path / "dangling").symlink_to("d/made")

    write(tmp_path, "link")
    write(tmp_path, "dangling")

    assert (tmp_path / "link").readlink() == Path("d/target")
    assert (tmp_path / "d/target").read_bytes() == b"new"
    assert (tmp_path / "d/made").read_bytes() == b"new"
    assert names(tmp_path / "d") == ["made", "target"]
    assert code(tmp_path, "dangling", mode=CREATE) == "already_exists"


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nothing")
    (tmp_path / "loop").symlink_to("loop")

    assert code(tmp_path, "dangling", mode=TRUNCATE) == "not_found"
    assert code(tmp_path, "dangling", mode=APPEND) == "not_found"
    assert code(tmp_path, "dangling", mode=CREATE) == "already_exists"
    assert code(tmp_path, "loop", mode=TRUNCATE) == "failed_precondition"


@pytest.mark.parametrize("mode", [TRUNCATE, APPEND])
def test_a_file_with_two_names_keeps_both(tmp_path: Path, mode: int) -> None:
    (tmp_path / "one").write_bytes(b"old")
    os.link(tmp_path / "one", tmp_path / "two")

    write(tmp_path, "one", b"n", mode)

    assert (tmp_path / "two").read_bytes() == (b"oldn" if mode == APPEND else b"n")
    assert (tmp_path / "one").stat().st_nlink == 2


def test_folders_may_be_many(tmp_path: Path) -> None:
    try:
        write(tmp_path, "a/" * 1500 + "f")
        assert (tmp_path / ("a/" * 1500 + "f")).read_bytes() == b"new"
    finally:  # what clears the folder up calls itself for each
        (tmp_path / ("a/" * 1500 + "f")).unlink(missing_ok=True)
        for depth in range(1500, 0, -1):
            with suppress(FileNotFoundError):
                os.rmdir(tmp_path / ("a/" * depth))


def test_a_mount_point_is_written_in_place(tmp_path: Path) -> None:
    for name in ("f", "point"):
        (tmp_path / name).write_bytes(b"old")
    # A namespace of its own: the mount goes with the process.
    outside = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*outside, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    program = f"""
import subprocess
from pathlib import Path
from tests.workspace.files.test_write_file import write
folder = Path({str(tmp_path)!r})
subprocess.run(["mount", "--bind", folder / "f", folder / "point"], check=True)
write(folder, "point")
"""
    subprocess.run([*outside, sys.executable, "-c", program], check=True)

    assert [(tmp_path / name).read_bytes() for name in ("f", "point")] == [b"new", b"old"]
    assert names(tmp_path) == ["f", "point"]


@pytest.mark.parametrize(
    ("path", "mode", "expected"),
    [
        ("", ANY, "invalid_argument"),
        ("a\0b", ANY, "invalid_argument"),
        ("f", 9, "invalid_argument"),
        ("folder", ANY, "failed_precondition"),
        ("folder", APPEND, "failed_precondition"),
        ("new/", ANY, "failed_precondition"),
        ("/dev/null", ANY, "failed_precondition"),
        ("fifo", APPEND, "failed_precondition"),
        ("f/below", ANY, "failed_precondition"),
        ("f/below", CREATE, "failed_precondition"),
        ("f/below", APPEND, "not_found"),
        ("x" * 300, CREATE, "invalid_argument"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, path: str, mode: int, expected: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "f").write_bytes(b"old")
    os.mkfifo(tmp_path / "fifo")

    assert code(tmp_path, path, mode=mode) == expected
    assert names(tmp_path) == ["f", "fifo", "folder"]
    assert (tmp_path / "f").read_bytes() == b"old"


def test_more_than_one_request_may_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 2)

    assert code(tmp_path, "f", b"123") == "resource_exhausted"
    assert write(tmp_path, "f", b"12") == 2


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    write(tmp_path, "x\uefff", mode=CREATE)
    write(tmp_path, "x\uefff", b"!", mode=APPEND)

    assert (tmp_path / os.fsdecode(b"x\xff")).read_bytes() == b"new!"


@both
@pytest.mark.usefixtures("nameless")
def test_of_many_that_create_one_wins(tmp_path: Path) -> None:
    contents = [b"%d" % number * 1000 for number in range(20)]

    def create(content: bytes) -> str:
        try:
            write(tmp_path, "f", content, CREATE)
        except OpsError as error:
            return error.code
        return ""

    with ThreadPoolExecutor(20) as threads:
        outcomes = list(threads.map(create, contents))

    assert sorted(outcomes) == ["", *["already_exists"] * 19]
    assert (tmp_path / "f").read_bytes() == contents[outcomes.index("")]
    assert names(tmp_path) == ["f"]


def test_many_that_add_and_replace_at_once_lose_nothing_that_was_told(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    pieces = [bytes([65 + number]) * 5000 for number in range(20)]

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda piece: write(tmp_path, "f", piece, APPEND), pieces))
        content = (tmp_path / "f").read_bytes()
        assert sorted(content[at : at + 5000] for at in range(0, len(content), 5000)) == pieces
        writes = [(b"", TRUNCATE), *((piece, APPEND) for piece in pieces)]
        list(threads.map(lambda each: write(tmp_path, "f", *each), writes))

    content = (tmp_path / "f").read_bytes()
    assert len(content) % 5000 == 0
    assert all(len(set(content[at : at + 5000])) == 1 for at in range(0, len(content), 5000))


def test_readers_see_the_old_or_the_new_content(tmp_path: Path) -> None:
    contents = [bytes([65 + number]) * 300_000 for number in range(2)]
    write(tmp_path, "f", contents[0])
    stop = threading.Event()
    seen: set[bytes] = set()

    def look() -> None:
        while not stop.is_set():
            seen.add((tmp_path / "f").read_bytes())

    reader = threading.Thread(target=look)
    reader.start()
    for round_ in range(100):
        write(tmp_path, "f", contents[round_ % 2])
    stop.set()
    reader.join()

    assert seen <= set(contents)
    assert names(tmp_path) == ["f"]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Lets files have so many bytes: a limit of the process, which the kernel keeps as it keeps a full disk."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("mode", [CREATE, TRUNCATE, APPEND])
@pytest.mark.parametrize("links", [1, 2])
def test_a_full_disk_leaves_the_old_content(
    tmp_path: Path, full_disk: Callable[[int], None], mode: int, links: int
) -> None:
    path = "new" if mode == CREATE else "f"
    (tmp_path / "f").write_bytes(b"old" * 1000)
    if links == 2:
        os.link(tmp_path / "f", tmp_path / "g")
    before = names(tmp_path)

    full_disk(1 << 16)
    found = code(tmp_path, path, b"n" * (1 << 17), mode)
    full_disk(-1)

    assert found == "resource_exhausted"
    assert (tmp_path / "f").read_bytes() == b"old" * 1000
    assert names(tmp_path) == before


def test_another_file_that_comes_in_its_place_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"first")
    real = module._is_at
    moved: list[int] = []

    def late(where: bytes, status: os.stat_result) -> bool:
        if not moved:
            moved.append(1)
            (tmp_path / "other").write_bytes(b"second")
            (tmp_path / "other").rename(tmp_path / "f")
        return real(where, status)

    monkeypatch.setattr(module, "_is_at", late)

    write(tmp_path, "f", b"!", APPEND)

    assert (tmp_path / "f").read_bytes() == b"second!"


def test_a_file_that_goes_away_meanwhile_is_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"first")
    real = os.stat

    def gone(path: Any, *arguments: Any, **named: Any) -> os.stat_result:
        found = real(path, *arguments, **named)
        if path == os.fsencode(tmp_path / "f"):
            (tmp_path / "f").unlink()
        return found

    monkeypatch.setattr(os, "stat", gone)

    assert code(tmp_path, "f", mode=APPEND) == "not_found"
