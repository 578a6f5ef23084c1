import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.workspace.names import located, shown, spellings, text
from supervisor.workspace.ops_error import OpsError


def test_a_byte_that_is_no_text_is_shown_as_a_character_of_its_own() -> None:
    assert shown(b"a\xffb") == "a\uefffb"
    assert shown(b"\x80") == "\uef80"
    assert shown("größe".encode()) == "größe"


def test_a_text_field_has_a_replacement_character() -> None:
    assert text(b"a\xffb") == "a\ufffdb"


@given(st.binary().filter(lambda name: b"\0" not in name))
def test_every_name_that_is_shown_leads_back_to_its_bytes(name: bytes) -> None:
    path = shown(name)
    path.encode()  # protobuf takes no surrogates
    assert name in spellings(path)


def test_a_shown_character_means_itself_where_that_file_exists(tmp_path: Path) -> None:
    workspace = os.fsencode(tmp_path)
    for name in (b"\xff", "x\uefff".encode()):
        (tmp_path / os.fsdecode(name)).touch()

    assert located("\uefff", str(tmp_path)) == workspace + b"/\xff"
    assert located("x\uefff", str(tmp_path)) == workspace + "/x\uefff".encode()


def test_each_part_of_a_path_is_spelled_for_itself(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"raw\xff") / "lit\uefff").mkdir(parents=True)

    found = located("raw\uefff/lit\uefff/new\uefff", str(tmp_path))

    assert found == os.fsencode(tmp_path) + b"/raw\xff/" + "lit\uefff".encode() + b"/new\xff"


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("", b"/w"),
        ("a/../b", b"/w/a/../b"),
        ("/etc/x", b"/etc/x"),
        ("~/$HOME", b"/w/~/$HOME"),
        ("a/", b"/w/a/"),
        ("/e\uefff", b"/e\xff"),
        ("../\uefff/", b"/w/../\xff/"),
    ],
)
def test_a_path_means_the_root_or_the_workspace(path: str, meant: bytes) -> None:
    assert located(path, "/w") == meant


def test_a_nul_is_refused() -> None:
    with pytest.raises(OpsError) as refused:
        located("a\0b", "/w")
    assert refused.value.code == "invalid_argument"
