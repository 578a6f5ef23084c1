"""Tokens: what is taken, and which of the other kinds a token is of."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from connect_server.http.tokens import BadToken, Fault, Issuer, Tokens

ISSUER = Issuer("demo", "demo-api", ("environment", "logs"), "env", "environment")
OTHER = Issuer("demo", "demo-api", ("environment",), "other", "environment")
KEY, OTHER_KEY = b"k" * 32, b"o" * 32
CLAIMS = {
    "iss": "demo",
    "aud": "demo-api",
    "sub": "env",
    "scope": "environment",
    "exp": 2_000_000_000,
}


def fault(tokens: Tokens, token: str) -> Fault:
    with pytest.raises(BadToken) as caught:
        tokens.check(token)
    assert token not in str(caught.value) or not token
    return caught.value.fault


def signed(key: bytes = KEY, **changes: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return jwt.encode(claims, key, "HS256")


@pytest.mark.parametrize("scope", ["environment", "logs"])
def test_a_minted_token_is_taken(scope: str) -> None:
    tokens = Tokens(KEY, ISSUER)
    claims = tokens.check(tokens.mint(scope, 3600, 1000.0), 1000.0)
    assert (claims.subject, claims.scope, claims.expires_s) == ("env", scope, 4600.0)


def test_a_token_expires_also_if_it_was_taken_before() -> None:
    tokens = Tokens(KEY, ISSUER)
    token = tokens.mint("logs", 60, 1000.0)
    tokens.check(token, 1059.9)
    for each in (tokens, Tokens(KEY, ISSUER)):
        with pytest.raises(BadToken, match="the token has expired: get a new one") as caught:
            each.check(token, 1060.0)
        assert caught.value.fault is Fault.EXPIRED


def test_a_token_of_another_environment() -> None:
    tokens = Tokens(KEY, ISSUER)
    assert fault(tokens, Tokens(OTHER_KEY, OTHER).mint("environment", 60)) is Fault.FOREIGN
    assert fault(tokens, Tokens(KEY, OTHER).mint("environment", 60)) is Fault.FOREIGN


def test_an_issuer_without_a_subject_speaks_for_many() -> None:
    tokens = Tokens(KEY, Issuer("demo", "demo-api", ("logs",)))
    for subject in ("a", "b"):
        assert tokens.check(tokens.mint("logs", 60, subject=subject)).subject == subject
    stolen = Tokens(OTHER_KEY, Issuer("demo", "demo-api", ("logs",))).mint("logs", 60, subject="a")
    assert fault(tokens, stolen) is Fault.FORGED
    with pytest.raises(ValueError, match="subject"):
        tokens.mint("logs", 60)
    assert fault(tokens, signed(sub="", scope="logs")) is Fault.FORGED


def test_a_token_signed_with_another_key() -> None:
    assert fault(Tokens(KEY, ISSUER), Tokens(OTHER_KEY, ISSUER).mint("environment", 60)) is Fault.FORGED


def test_a_token_whose_claims_were_changed() -> None:
    tokens = Tokens(KEY, ISSUER)
    head, _, signature = tokens.mint("logs", 60).split(".")
    claims = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).rstrip(b"=").decode()
    assert fault(tokens, f"{head}.{claims}.{signature}") is Fault.FORGED


def test_a_token_that_is_not_signed() -> None:
    assert fault(Tokens(KEY, ISSUER), jwt.encode(CLAIMS, "", "none")) is Fault.FORGED


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": None},
        {"exp": "soon"},
        {"exp": [1]},
        {"sub": None},
        {"scope": None},
        {"scope": "root"},
        {"scope": ["environment"]},
        {"aud": "another"},
        {"aud": None},
        {"iss": "another"},
        {"iss": None},
    ],
)
def test_a_token_that_says_something_else(changes: dict[str, Any]) -> None:
    assert fault(Tokens(KEY, ISSUER), signed(**changes)) is Fault.FORGED


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "....", "é", "\udcff", "x" * 100_000, "eyJ.eyJ.", "null"]
)
def test_what_is_no_token(token: str) -> None:
    assert fault(Tokens(KEY, ISSUER), token) is Fault.FORGED


def test_many_tokens_are_not_all_remembered() -> None:
    tokens = Tokens(KEY, ISSUER)
    for ttl_s in range(1, 500):
        tokens.check(tokens.mint("logs", ttl_s))
    assert len(tokens._verified) <= 64


def test_the_key_is_made_once_and_is_secret(tmp_path: Path) -> None:
    path = tmp_path / "token.key"
    token = Tokens.kept(path, ISSUER).mint("environment", 60)
    assert (path.stat().st_mode & 0o777, path.stat().st_size) == (0o600, 32)
    Tokens.kept(path, ISSUER).check(token)
    assert os.listdir(tmp_path) == ["token.key"]


def test_a_key_that_others_could_read_or_that_is_torn_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "token.key"
    token = Tokens.kept(path, ISSUER).mint("environment", 60)
    path.chmod(0o644)
    assert fault(Tokens.kept(path, ISSUER), token) is Fault.FORGED
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"short")
    Tokens.kept(path, ISSUER)
    assert path.stat().st_size == 32


def test_a_key_that_cannot_be_kept(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Tokens.kept(tmp_path / "none" / "token.key", ISSUER)


def test_a_link_in_the_place_of_the_key_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"k" * 32)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    token = Tokens.kept(tmp_path / "link", ISSUER).mint("environment", 60)
    Tokens.kept(tmp_path / "link", ISSUER).check(token)
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == b"k" * 32


@pytest.mark.parametrize(
    "revoke",
    [
        Path.unlink,
        lambda path: path.write_bytes(b"n" * 32),
        lambda path: path.with_name("new").write_bytes(b"n" * 32) and path.with_name("new").replace(path),
        lambda path: path.chmod(0o644),
        lambda path: path.write_bytes(b""),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), path.parent.rmdir()),
    ],
)
def test_a_key_that_is_removed_or_replaced_takes_back_its_tokens_at_once(
    tmp_path: Path, revoke: Callable[[Path], object]
) -> None:
    path = tmp_path / "state" / "token.key"
    path.parent.mkdir()
    tokens = Tokens.kept(path, ISSUER)
    token = tokens.mint("environment", 60)
    tokens.check(token)

    revoke(path)

    assert fault(tokens, token) is Fault.REVOKED
    tokens.check(tokens.mint("environment", 60))
    assert fault(tokens, token) is Fault.REVOKED
    assert tokens.generation == 1
    if path.is_file():  # the next supervisor takes the same
        Tokens.kept(path, ISSUER).check(tokens.mint("logs", 60))


def test_a_key_that_is_touched_stays(tmp_path: Path) -> None:
    tokens = Tokens.kept(tmp_path / "token.key", ISSUER)
    token = tokens.mint("environment", 60)
    os.link(tmp_path / "token.key", tmp_path / "backup")
    tokens.check(token)
