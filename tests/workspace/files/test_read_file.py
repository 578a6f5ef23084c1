import hashlib
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from platform_wire.environmentopts_pb2 import ReadFileRequest, ReadFileResponse
from supervisor.workspace.files import read_file as module
from supervisor.workspace.files.read_file import MOST_BYTES, read_file
from supervisor.workspace.jobs import Job
from supervisor.workspace.ops_error import Cancelled, OpsError


def answer(folder: Path, path: str, **fields: Any) -> ReadFileResponse:
    return read_file(ReadFileRequest(path=path, **fields), Job(str(folder)))


def code(folder: Path, path: str, **fields: Any) -> str:
    with pytest.raises(OpsError) as refused:
        answer(folder, path, **fields)
    assert path in refused.value.message or not path or "\0" in path or fields
    return refused.value.code


@pytest.mark.parametrize(
    ("offset", "length", "data"),
    [(0, 0, b"0123456789"), (3, 0, b"3456789"), (3, 4, b"3456"), (8, 100, b"89"), (10, 0, b""), (99, 5, b"")],
)
def test_a_part_of_a_file(tmp_path: Path, offset: int, length: int, data: bytes) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")

    content = answer(tmp_path, "f", offset=offset, length=length).content

    assert content.data == data
    assert content.total_size == 10
    assert content.content_hash == hashlib.sha256(data).hexdigest()


def test_an_empty_file_is_content(tmp_path: Path) -> None:
    (tmp_path / "f").touch()

    assert answer(tmp_path, "f").WhichOneof("result") == "content"
    for offset in (3, 2**63 - 2, 2**63 - 1):
        content = answer(tmp_path, "f", offset=offset).content
        assert (content.data, content.total_size) == (b"", 0)
    assert answer(tmp_path, "f").content.content_hash == hashlib.sha256(b"").hexdigest()


def test_a_file_larger_than_one_answer_is_read_in_parts(tmp_path: Path) -> None:
    size = 5 << 30
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(size)
        file.seek(size - 3)
        file.write(b"end")

    with pytest.raises(OpsError, match=str(size)) as refused:
        answer(tmp_path, "sparse")
    assert refused.value.code == "failed_precondition"
    assert "offset" in refused.value.message
    tail = answer(tmp_path, "sparse", offset=size - 5).content
    assert (tail.data, tail.total_size) == (b"\0\0end", size)
    assert code(tmp_path, "sparse", offset=size - MOST_BYTES - 1) == "failed_precondition"


def test_a_length_that_is_too_large_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 4)
    (tmp_path / "f").write_bytes(b"0123456789")

    content = answer(tmp_path, "f", length=2**63 - 1).content

    assert (content.data, content.total_size) == (b"0123", 10)


def test_files_of_proc_are_read_to_their_end(tmp_path: Path) -> None:
    content = answer(tmp_path, "/proc/self/status").content

    assert content.data.startswith(b"Name:")
    assert content.total_size == len(content.data)
    part = answer(tmp_path, "/proc/version", offset=6, length=7).content
    assert part.data == Path("/proc/version").read_bytes()[6:13]
    assert part.total_size == len(Path("/proc/version").read_bytes())


def test_a_file_of_proc_that_hardly_ends_is_read_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1 << 20)

    assert code(tmp_path, f"/proc/{os.getppid()}/pagemap") == "failed_precondition"
    assert len(answer(tmp_path, f"/proc/{os.getppid()}/pagemap", length=16).content.data) == 16


def test_the_memory_of_the_process_that_reads_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc/self")

    for path in ("/proc/self/environ", f"/proc/{os.getpid()}/maps", "/proc/thread-self/mem", "link/smaps"):
        assert code(tmp_path, path) == "permission_denied"


def test_files_of_sys_claim_more_than_they_have(tmp_path: Path) -> None:
    path = "/sys/kernel/mm/transparent_hugepage/enabled"
    if not os.path.exists(path):
        pytest.skip("this kernel has no such file")

    content = answer(tmp_path, path).content

    assert 0 < content.total_size == len(content.data) < os.stat(path).st_size


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))

        for path in ("fifo", "s", "loop", "/dev/zero"):
            assert code(tmp_path, path) == "failed_precondition"


@pytest.mark.parametrize(
    ("path", "fields", "expected"),
    [
        ("", {}, "invalid_argument"),
        ("a\0b", {}, "invalid_argument"),
        ("f", {"offset": -1}, "invalid_argument"),
        ("f", {"length": -1}, "invalid_argument"),
        ("missing", {}, "not_found"),
        ("missing/f", {}, "not_found"),
        ("f/below", {}, "not_found"),
        ("x" * 300, {}, "invalid_argument"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, path: str, fields: dict[str, int], expected: str) -> None:
    (tmp_path / "f").touch()

    assert code(tmp_path, path, **fields) == expected


def test_paths_mean_the_root_or_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "out").write_text("outside")
    (tmp_path / "w/link").symlink_to("../out")

    for path in ("../out", f"{tmp_path}/out", "link"):
        assert answer(tmp_path / "w", path).content.data == b"outside"


def test_a_folder_is_listed_by_name_with_what_links_lead_to(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    (folder / "sub/deeper").mkdir(parents=True)
    (folder / "b").write_text("four")
    (folder / "a").symlink_to("b")
    (folder / "l").symlink_to("sub")
    (folder / "broken").symlink_to("nothing")
    (folder / os.fsdecode(b"x\xff")).write_text("!")

    entries = answer(tmp_path, "d", offset=5, length=1).directory.entries

    assert [(entry.path, entry.is_directory, entry.size) for entry in entries] == [
        ("d/a", False, 4),
        ("d/b", False, 4),
        ("d/broken", False, 0),
        ("d/l", True, 0),
        ("d/sub", True, 0),
        ("d/x\uefff", False, 1),
    ]
    assert answer(tmp_path, f"{folder}/").directory.entries[0].path == f"{folder}/a"
    assert answer(tmp_path, "d/x\uefff").content.data == b"!"


def test_an_empty_folder_is_a_directory(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()

    assert answer(tmp_path, "d").WhichOneof("result") == "directory"


def test_a_read_that_nobody_waits_for_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "f").open("wb") as file:
        file.truncate(100 << 20)
    job = Job(str(tmp_path))
    real = os.pread

    def slow(fd: int, size: int, offset: int) -> bytes:
        threading.Thread(target=job.cancel).run()
        return real(fd, size, offset)

    monkeypatch.setattr(os, "pread", slow)

    with pytest.raises(Cancelled):
        read_file(ReadFileRequest(path="f"), job)
