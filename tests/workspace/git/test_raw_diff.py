"""The records of `git diff --raw -z`."""

import pytest

from supervisor.workspace.git.raw_diff import LINK, RawEntry, entries

ID, ZEROS = "1" * 40, "0" * 40


def test_entries_and_what_follows_them() -> None:
    output = (
        f":100644 100644 {ID} {ZEROS} M\0a:b\n\0"
        f":100644 100755 {ID} {ID} R097\0old\0new\0"
        f":120000 000000 {ID} {ZEROS} D\0link\0"
    ).encode()

    assert entries(output + b"\0diff --git") == (
        [
            RawEntry("M", b"a:b\n", b"", 0o100644, 0o100644, ID),
            RawEntry("R", b"new", b"old", 0o100644, 0o100755, ID),
            RawEntry("D", b"link", b"", LINK, 0, ID),
        ],
        b"diff --git",
    )
    assert entries(output)[1] == b""


def test_nothing_differs() -> None:
    assert entries(b"") == ([], b"")


@pytest.mark.parametrize("output", [b":100644 100644 M\0f\0", b":100644 000000 1 2 D\0f", b":1 2\0"])
def test_half_an_entry_is_refused(output: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        entries(output)
