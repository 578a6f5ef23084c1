"""Random repositories: what is told must be what a comparison of the files themselves finds, and patches must apply."""

import os
import random
import stat
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workspace.git.patching import patched
from tests.workspace.git.random_edits import NAMES, do_something
from tests.workspace.git.real_repository import RealRepository

File = tuple[bool, bool, bytes]
"""Whether it is a link, whether it may be executed, and the content."""


def on_disk(top: Path) -> Mapping[str, File]:
    found = {}
    for folder, folders, files in os.walk(top):
        if folder == str(top):
            folders.remove(".git")
        for path in (
            Path(folder) / name for name in [*files, *(x for x in folders if (Path(folder) / x).is_symlink())]
        ):
            is_link = path.is_symlink()
            content = os.readlink(path).encode() if is_link else path.read_bytes()
            found[str(path.relative_to(top))] = (
                is_link,
                not is_link and bool(path.stat().st_mode & stat.S_IXUSR),
                content,
            )
    return found


def in_head(repository: RealRepository) -> Mapping[str, File]:
    found = {}
    for line in repository.git("ls-tree", "-r", "-z", "HEAD").split(b"\0")[:-1]:
        about, _, name = line.partition(b"\t")
        mode, _, blob = about.decode().split()
        found[name.decode()] = (mode == "120000", mode == "100755", repository.git("cat-file", "blob", blob))
    return found


def expected(repository: RealRepository) -> dict[str, str]:
    base, disk = in_head(repository), on_disk(repository.top)
    index = set(repository.git("ls-files", "-z").decode().split("\0"))
    found = {}
    for path in base.keys() | disk.keys():
        if path not in disk:
            found[path] = "DELETED"
        elif path not in base:
            found[path] = "ADDED" if path in index else "UNTRACKED"
        elif base[path] != disk[path]:
            found[path] = "MODIFIED"
    return found


@pytest.mark.slow
def test_random_histories_are_told_as_the_files_are(
    repository: RealRepository, dice: random.Random, request: pytest.FixtureRequest
) -> None:
    repository.commit()
    end = time.monotonic() + request.config.getoption("--fuzz-seconds") / 2
    while time.monotonic() < end:
        for _ in range(dice.randrange(1, 12)):
            do_something(repository, dice)
        told = repository.changes()
        assert told == expected(repository), repository.git("status", "--short").decode()
        base, disk = in_head(repository), on_disk(repository.top)
        for path in told:
            answer = repository.diff(path, unified=dice.randrange(4))
            content = repository.content(path)
            assert answer.file_change == content.file_change
            assert answer.file_change.path == path
            assert content.original_content == base.get(path, (0, 0, b""))[2]
            assert content.new_content == disk.get(path, (0, 0, b""))[2]
            assert patched(content.original_content.decode(), answer.hunks) == content.new_content.decode()
        for path in set(NAMES) - told.keys():
            assert repository.diff(path).ByteSize() == 0


texts = st.lists(
    st.sampled_from(
        ["a\n", "b\n", "\n", "c\r\n", "\r", "ü\n", "-- x\n", "++ y\n", "@@ -1 +1 @@\n", "\\ No\n", "x"]
    )
).map("".join)


@pytest.mark.slow
@settings(max_examples=3)
@given(st.lists(st.tuples(texts, texts, st.sampled_from([0, 1, 3])), min_size=6, max_size=6))
def test_a_patch_of_the_hunks_makes_the_new_content(cases: list[tuple[str, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        repository = RealRepository(Path(folder))
        repository.git("init", "--quiet")
        for number, (before, _, _) in enumerate(cases):
            repository.write(str(number), before)
        repository.commit()
        for number, (_, after, _) in enumerate(cases):
            repository.write(str(number), after)
        for number, (before, after, unified) in enumerate(cases):
            answer, content = repository.diff(str(number), unified=unified), repository.content(str(number))
            assert (content.original_content, content.new_content) == (before.encode(), after.encode())
            assert patched(before, answer.hunks) == after
            assert answer.HasField("file_change") == (before != after)
