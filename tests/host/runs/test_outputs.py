"""What becomes of the lines that a command puts into its output file."""

import os
from pathlib import Path

import pytest

from supervisor.host.runs.outputs import MAX_BYTES, MAX_KEPT_BYTES, MAX_KEYS, read_output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gitpod-task-build.output"


def test_lines_become_a_map(file: Path) -> None:
    file.write_text("URL=http://localhost:8080/?a=b\nversion=1.2\n")

    assert read_output(str(file)) == ({"URL": "http://localhost:8080/?a=b", "version": "1.2"}, [])


def test_missing_file_is_an_empty_one(file: Path) -> None:
    assert read_output(str(file)) == ({}, [])


def test_later_line_wins_and_an_empty_value_unsets(file: Path) -> None:
    file.write_text("a=1\nb=1\na=2\nb=\nnever=\n\n")

    assert read_output(str(file)) == ({"a": "2"}, [])


def test_blanks_quotes_and_carriage_returns_belong_to_the_value(file: Path) -> None:
    file.write_bytes(b'a= x "y" \r\n')

    assert read_output(str(file)) == ({"a": ' x "y" \r'}, [])


def test_last_line_without_newline_counts_once_the_command_has_ended(file: Path) -> None:
    file.write_text("a=1\nb=2")

    assert read_output(str(file))[0] == {"a": "1", "b": "2"}
    assert read_output(str(file), final=False) == ({"a": "1"}, [])


def test_limits_are_in_characters_and_include_the_last_one(file: Path) -> None:
    file.write_text("ü" * 128 + "=" + "€" * 4096, encoding="utf-8")

    output, complaints = read_output(str(file))

    assert (output, complaints) == ({"ü" * 128: "€" * 4096}, [])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"k" * 129 + b"=secret", f'the key "{"k" * 32}..." has 129 characters: 128 are allowed'),
        (b"key=" + b"secret" * 683, 'the value of "key" has 4098 characters: 4096 are allowed'),
        (b"=secret", 'there is no key before the "="'),
        (b"secret", 'its 6 characters hold no "=": expected KEY=VALUE'),
        (b"key=secret\xff", "it is not UTF-8"),
    ],
)
def test_line_outside_the_limits_is_ignored_and_named_without_its_value(
    file: Path, line: bytes, why: str
) -> None:
    file.write_bytes(b"a=1\n" + line + b"\nb=2\n")

    assert read_output(str(file)) == ({"a": "1", "b": "2"}, [f"output line 2 is ignored: {why}"])


def test_many_complaints_are_counted_and_not_listed(file: Path) -> None:
    file.write_text("bad\n" * 1000 + "a=1\n")

    output, complaints = read_output(str(file))

    assert output == {"a": "1"}
    assert complaints[20:] == ["more output lines are ignored"]


def test_huge_file_is_read_up_to_a_bound(file: Path) -> None:
    with open(file, "wb") as out:
        out.write(b"a=1\n")
        out.truncate(1 << 40)
    output, complaints = read_output(str(file))

    assert output == {"a": "1"}
    assert complaints == [f"the output file is larger than {MAX_BYTES} bytes: what follows them is ignored"]


def test_only_so_many_keys_are_kept_and_those_that_there_are_may_change(file: Path) -> None:
    lines = [f"k{n}=v" for n in range(MAX_KEYS + 1)]
    file.write_text("\n".join([*lines, "k0=new", "k1=", "k200=now"]))

    output, complaints = read_output(str(file))

    assert len(output) == MAX_KEYS
    assert (output["k0"], output["k200"]) == ("new", "now")
    assert complaints == [
        'output line 129 is ignored: "k128" would be one more than the 128 keys that a command may put out'
    ]


def test_only_so_many_bytes_are_kept(file: Path) -> None:
    file.write_text("\n".join(f"k{n:02}={'ü' * 2000}" for n in range(20)), encoding="utf-8")

    output, complaints = read_output(str(file))

    assert len(output) == MAX_KEPT_BYTES // 4003
    assert len(complaints) == 20 - len(output)
    assert complaints[0].startswith(
        'output line 17 is ignored: with "k16" there would be more than the 65536 bytes'
    )


def test_what_is_no_readable_file_is_a_complaint(file: Path) -> None:
    os.mkfifo(file)
    assert read_output(str(file)) == (
        {},
        [f"cannot read the output file {file}: it is a FIFO, a socket or a device"],
    )

    file.unlink()
    file.mkdir()
    assert read_output(str(file)) == ({}, [f"cannot read the output file {file}: it is a folder"])
