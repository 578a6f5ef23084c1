"""A changed file before and after, whole."""

import os
from pathlib import Path

import pytest

from supervisor.workspace.git.conversion import Attributes
from supervisor.workspace.ops_error import OpsError
from tests.workspace.git.patching import patched
from tests.workspace.git.real_repository import RealRepository, kind

UNSPECIFIED = dict.fromkeys(
    ("text", "crlf", "eol", "filter", "ident", "working-tree-encoding"), "unspecified"
)


def both(repository: RealRepository, path: str) -> tuple[bytes, bytes]:
    answer = repository.content(path)
    return answer.original_content, answer.new_content


def test_each_kind_of_change(repository: RealRepository) -> None:
    content = b"".join(b"line %d\n" % line for line in range(20))
    for name in ("edited", "gone", "same"):
        repository.write(name, f"{name}\n")
    repository.write("old", content)
    (repository.top / "link").symlink_to("a target")
    repository.commit()
    repository.write("edited", "another\n")
    (repository.top / "gone").unlink()
    repository.git("mv", "old", "moved")
    repository.write("moved", content + b"more\n")
    (repository.top / "link").unlink()
    (repository.top / "link").symlink_to("another")
    repository.write("untracked", "new\n")
    repository.write("added", "new\n")
    repository.git("add", "added")

    assert both(repository, "edited") == (b"edited\n", b"another\n")
    assert both(repository, "gone") == (b"gone\n", b"")
    assert both(repository, "moved") == (content, content + b"more\n")
    assert both(repository, "link") == (b"a target", b"another")
    assert both(repository, "untracked") == (b"", b"new\n")
    assert both(repository, "added") == (b"", b"new\n")
    assert both(repository, "same") == (b"same\n", b"same\n")
    assert repository.content("moved").file_change.old_path == "old"
    assert kind(repository.content("untracked").file_change) == "UNTRACKED"
    assert not repository.content("same").HasField("file_change")


def test_an_ignored_file_is_shown_as_it_is(repository: RealRepository) -> None:
    repository.write(".gitignore", "*.env\n")
    repository.write("x.env", "A=1\n")

    answer = repository.content("x.env")

    assert (answer.original_content, answer.new_content) == (b"", b"A=1\n")
    assert not answer.HasField("file_change")


@pytest.mark.parametrize("path", ["none", "d", "link/f", ".git/config", "d/none/none", ".GIT/config"])
def test_what_is_on_neither_side_is_not_found(repository: RealRepository, path: str) -> None:
    repository.write("d/f", "x\n")
    repository.commit()
    (repository.top / "link").symlink_to("d")

    with pytest.raises(OpsError, match="neither") as raised:
        repository.content(path)

    assert raised.value.code == "not_found"


def test_what_a_link_leads_to_is_never_shown(repository: RealRepository, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    repository.write("f", "x\n")
    repository.write("d/f", "x\n")
    repository.commit()
    (repository.top / "f").unlink()
    (repository.top / "f").symlink_to(secret)
    (repository.top / "d/f").unlink()
    (repository.top / "d").rmdir()
    (repository.top / "d").symlink_to(tmp_path)
    (tmp_path / "f").write_text("secret\n")

    assert both(repository, "f") == (b"x\n", str(secret).encode())
    assert both(repository, "d/f") == (b"x\n", b"")
    assert "secret\n" not in repository.diff("d/f").hunks[0].body


def test_binary_contents_are_given_on_request(repository: RealRepository) -> None:
    repository.write("f", b"\0a")
    repository.write("same", b"\0")
    repository.commit()
    repository.write("f", b"\0b\n\xff")

    answer, whole = repository.content("f"), repository.content("f", include_binary_content=True)

    assert (answer.is_binary, answer.original_content, answer.new_content) == (True, b"", b"")
    assert (whole.is_binary, whole.original_content, whole.new_content) == (True, b"\0a", b"\0b\n\xff")
    assert repository.content("same").is_binary
    assert repository.content("same", include_binary_content=True).new_content == b"\0"


@pytest.mark.slow
def test_over_128_mib_together_is_refused_with_the_sizes(repository: RealRepository) -> None:
    repository.write("f", b"")
    os.truncate(repository.top / "f", 65 << 20)
    repository.commit()
    repository.write("f", b"")
    os.truncate(repository.top / "f", 64 << 20)

    with pytest.raises(OpsError, match=rf"{65 << 20} bytes and the new one {64 << 20}") as raised:
        repository.content("f", include_binary_content=True)
    assert raised.value.code == "failed_precondition"
    os.truncate(repository.top / "f", 63 << 20)
    answer = repository.content("f", include_binary_content=True)
    assert len(answer.original_content) + len(answer.new_content) == 128 << 20
    assert repository.content("f").is_binary


@pytest.mark.parametrize("setting", [("core.autocrlf", "true"), ("core.eol", "crlf")])
def test_line_ends_are_those_of_a_checkout(repository: RealRepository, setting: tuple[str, str]) -> None:
    repository.write("f", "one\ntwo\nthree\n")
    repository.write("same", "one\n")
    repository.commit()
    repository.git("config", *setting)
    (repository.top / ".git/info/attributes").write_text("* text\n" if setting[0] == "core.eol" else "")
    repository.write("f", "one\r\n2\r\nthree\r\n")

    answer, content = repository.diff("f"), repository.content("f")

    assert [hunk.body for hunk in answer.hunks] == ["-two\n+2\n"]
    assert repository.git("diff").endswith(b"@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n")
    assert content.original_content == b"one\r\ntwo\r\nthree\r\n"
    assert content.new_content == b"one\r\n2\r\nthree\r\n"
    assert both(repository, "same") == (b"one\r\n", b"one\r\n")


def test_carriage_returns_that_git_keeps_stay(repository: RealRepository) -> None:
    repository.write("f", "one\r\ntwo\r\n")
    repository.commit()
    repository.write("f", "one\r\n2\r\n")
    assert [hunk.body for hunk in repository.diff("f").hunks] == ["-two\r\n+2\r\n"]
    assert both(repository, "f") == (b"one\r\ntwo\r\n", b"one\r\n2\r\n")

    repository.write(".gitattributes", "* text=auto\n")  # git goes on keeping what it has with CRLF
    assert [hunk.body for hunk in repository.diff("f").hunks] == ["-two\r\n+2\r\n"]
    assert both(repository, "f") == (b"one\r\ntwo\r\n", b"one\r\n2\r\n")


def test_lfs_shows_its_pointer_and_downloads_nothing(
    repository: RealRepository, settings: Path, tmp_path: Path
) -> None:
    clean, smudge = tmp_path / "clean", tmp_path / "smudge"
    clean.write_text(
        '#!/bin/sh\necho "version https://git-lfs.github.com/spec/v1"\necho "oid $(md5sum | cut -c-32)"\n'
    )
    smudge.write_text(f"#!/bin/sh\ntouch {tmp_path}/downloaded\ncat\n")
    for program in (clean, smudge):
        program.chmod(0o755)
    filters = f'[filter "lfs"]\n\tclean = {clean}\n\tsmudge = {smudge}\n\trequired = true\n'
    settings.write_text(settings.read_text() + filters)
    repository.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    repository.write("f.bin", b"\0one" * 1000)
    repository.commit()
    repository.write("f.bin", b"\0two" * 1000)

    answer, content = repository.diff("f.bin"), repository.content("f.bin")

    assert not answer.is_binary
    assert not content.is_binary
    assert content.original_content.startswith(b"version https://git-lfs.github.com/spec/v1\noid ")
    assert content.original_content != content.new_content
    assert patched(content.original_content.decode(), answer.hunks) == content.new_content.decode()
    os.truncate(repository.top / "f.bin", 129 << 20)  # it is the pointer that counts
    assert len(repository.diff("f.bin").hunks) == 1
    assert not (tmp_path / "downloaded").exists()


def test_other_conversions_are_told_as_git_keeps_the_file(repository: RealRepository) -> None:
    repository.write(".gitattributes", "utf16 text working-tree-encoding=UTF-16LE\nid ident\n")
    repository.write("utf16", "ä\n".encode("utf-16-le"))
    repository.write("id", "$Id$\n")
    repository.commit()
    repository.write("utf16", "ö\n".encode("utf-16-le"))
    repository.write("id", "$Id: 123 $\nmore\n")

    assert both(repository, "utf16") == ("ä\n".encode(), "ö\n".encode())
    assert both(repository, "id") == (b"$Id$\n", b"$Id$\nmore\n")
    assert repository.diff("utf16").hunks[0].body == "-ä\n+ö\n"


@pytest.mark.parametrize("text", ["unspecified", "set", "unset", "auto", "input"])
@pytest.mark.parametrize("eol", ["unspecified", "lf", "crlf"])
def test_line_ends_are_made_as_git_makes_them(repository: RealRepository, text: str, eol: str) -> None:
    contents = {
        "lf": b"a\nb\n",
        "mixed": b"a\r\nb\n",
        "cr": b"a\rb\n",
        "binary": b"\0\n",
        "odd": b"\1\n" * 9,
        "no": b"a",
    }
    for name, content in contents.items():
        repository.write(name, content)
    repository.commit()
    attribute = {"unspecified": "", "set": "text", "unset": "-text"}.get(text, f"text={text}")
    ending = "" if eol == "unspecified" else f"eol={eol}"
    (repository.top / ".git/info/attributes").write_text(f"* {attribute} {ending}\n")
    for autocrlf in ("false", "true", "input"):
        for core_eol in ("lf", "crlf") if autocrlf == "false" else ("lf",):
            options = ("-c", f"core.autocrlf={autocrlf}", "-c", f"core.eol={core_eol}")
            attributes = Attributes({**UNSPECIFIED, "text": text, "eol": eol}, autocrlf, core_eol)
            asked = "".join(f"HEAD:{name} {name}\n" for name in contents).encode()
            told = repository.git(*options, "cat-file", "--filters", "--batch=", stdin=asked)
            made = b"".join(b"\n" + attributes.checked_out(content) + b"\n" for content in contents.values())
            assert told == made, (autocrlf, core_eol)
