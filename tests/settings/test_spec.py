"""Whatever the runner's spec is, it is read in bounds and without waiting, and what is wrong with it is said."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.model.errors import BadSettings
from supervisor.settings import table
from supervisor.settings.initial_spec import LIMIT_BYTES, parse_spec, read_settings
from supervisor.settings.plane_token import Token, TokenUnavailable, token_of
from supervisor.settings.resolved import SettingSource

UUID = "07e03a28-65a5-4d98-b532-8ea67b188048"
SPEC = {
    "controlPlaneApiEndpoint": "https://app.example.com/api",
    "environmentToken": "t0ken",
    "environmentId": UUID,
}


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "initial-spec.json"
    path.write_text(json.dumps(SPEC | {"sshPublicKeys": [], "future": {"a": 1}}))
    return path


def said(path: Path) -> str:
    """What is said of a bad spec at the default place, where the environment runs all the same."""
    resolved = read_settings({}, {}, str(path))
    assert resolved[table.CONTROL_PLANE_URL] is None
    [notice] = resolved.notices
    assert notice.startswith(f"cannot use the runner's spec {path}: ")
    assert notice.endswith("; going on without it")

    with pytest.raises(BadSettings) as caught:
        read_settings({"initial-spec": str(path)}, {})
    [problem] = caught.value.problems
    assert f"{problem}; going on without it" == notice
    return problem.partition(f"{path}: ")[2]


def test_a_spec_is_read_and_keys_of_others_are_passed_over(spec: Path) -> None:
    resolved = read_settings({}, {}, str(spec))

    assert resolved[table.CONTROL_PLANE_URL] == "https://app.example.com/api"
    assert resolved[table.ENVIRONMENT_ID] == UUID
    assert resolved[table.ENVIRONMENT_TOKEN]
    assert resolved.origin(table.ENVIRONMENT_ID).source is SettingSource.SPEC
    assert resolved.notices == ()


@pytest.mark.parametrize("by", ["flag", "variable"])
def test_a_spec_is_named(spec: Path, by: str) -> None:
    resolved = (
        read_settings({"initial-spec": str(spec)}, {})
        if by == "flag"
        else read_settings({}, {"SUPERVISOR_INITIAL_SPEC": str(spec)})
    )

    assert resolved[table.ENVIRONMENT_ID] == UUID


def test_no_spec_at_the_default_place_is_nothing_to_talk_about(tmp_path: Path) -> None:
    assert read_settings({}, {}, str(tmp_path / "none/spec.json")).notices == ()


def test_no_spec_where_one_was_named_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="none: no such file or directory"):
        read_settings({"initial-spec": str(tmp_path / "none")}, {})


def test_a_partial_spec_says_what_it_says(spec: Path) -> None:
    spec.write_text(
        json.dumps({"environmentId": UUID, "environmentToken": None, "controlPlaneApiEndpoint": ""})
    )
    resolved = read_settings({}, {}, str(spec))

    assert resolved[table.ENVIRONMENT_ID] == UUID
    assert (resolved[table.CONTROL_PLANE_URL], token_of(resolved), resolved.notices) == (None, None, ())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is not JSON at line 1, column 1"),
        (b'{\n "environmentToken": "s3cret', "it is not JSON at line 2, column 22"),
        (b"[]", "it is not a JSON object"),
        (b"null", "it is not a JSON object"),
        (b'{"environmentId": "\xff"}', "it is not UTF-8 at byte 19"),
        (b"[" * 100_000, "it is not JSON that makes sense"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "it is not JSON that makes sense"),
        (b" " * (LIMIT_BYTES + 1), "it is larger than 1 MiB"),
    ],
    ids=["empty", "cut off", "list", "null", "not UTF-8", "deep", "huge number", "huge"],
)  # fmt: skip
def test_a_malformed_spec(spec: Path, content: bytes, why: str) -> None:
    spec.write_bytes(content)

    assert said(spec) == why


def test_a_spec_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert said(tmp_path / "pipe") == "it is a named pipe"
    assert said(tmp_path) == "it is a directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_spec_that_may_not_be_read(spec: Path) -> None:
    spec.chmod(0)

    assert said(spec) == "permission denied"


def test_a_byte_order_mark_is_no_error(spec: Path) -> None:
    spec.write_bytes(b"\xef\xbb\xbf" + spec.read_bytes())

    assert read_settings({}, {}, str(spec))[table.ENVIRONMENT_ID] == UUID


def test_a_value_that_is_no_text(spec: Path) -> None:
    spec.write_text(json.dumps({"environmentToken": ["s3cret"], "environmentId": UUID}))
    resolved = read_settings({}, {}, str(spec))

    assert resolved.notices == (
        f"cannot use environmentToken in {spec}: it is not a text; going on without it",
    )
    assert resolved[table.ENVIRONMENT_ID] == UUID


@given(
    st.binary(max_size=200)
    | st.text(max_size=100).map(lambda text: json.dumps({"environmentId": text}).encode())
)
def test_any_bytes_are_a_spec_or_a_problem(content: bytes) -> None:
    spec = parse_spec("f", content)

    assert not spec.texts or not spec.problems
    assert all(isinstance(text, str) for text in spec.texts.values())


# The token


def test_a_token_of_the_spec_is_read_anew(spec: Path) -> None:
    token = token_of(read_settings({}, {}, str(spec)))
    # The spec is where the settings say, so a default one elsewhere needs its name here.
    assert token == Token(Path(table.DEFAULT_SPEC), in_spec=True)
    token = Token(spec, in_spec=True)
    assert token.read() == "t0ken"

    spec.write_text(json.dumps(SPEC | {"environmentToken": "another"}))
    assert token.read() == "another"

    spec.write_text("{")
    with pytest.raises(TokenUnavailable, match="not JSON"):
        token.read()
    spec.write_text("{}")
    with pytest.raises(TokenUnavailable, match="it is empty"):
        token.read()


def test_a_token_of_a_file_counts_more_and_is_read_anew(spec: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    token = token_of(read_settings({"environment-token-file": str(file)}, {}, str(spec)))
    assert token == Token(file, in_spec=False)

    with pytest.raises(TokenUnavailable, match="no such file"):
        token.read()
    file.write_text("first\n")
    assert token.read() == "first"
    file.write_text("second")
    assert token.read() == "second"
    file.write_bytes(b"\n")
    with pytest.raises(TokenUnavailable, match="it is empty"):
        token.read()


@pytest.mark.parametrize("content", [b"two words", b"two\nlines", b"\xff", b"nul\0"])
def test_what_is_no_token_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)

    with pytest.raises(TokenUnavailable) as caught:
        Token(tmp_path / "token", in_spec=False).read()
    assert (
        str(caught.value)
        == f"cannot use the environment's token in {tmp_path}/token: it holds what no token may hold"
    )
