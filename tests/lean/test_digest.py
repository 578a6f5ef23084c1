"""The digests that ids and folders are named with are those that everyone computes."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from supervisor.lean.digest import sha1, sha256


@given(st.binary())
def test_digests_are_those_of_the_standard_library(data: bytes) -> None:
    assert sha1(data) == hashlib.sha1(data, usedforsecurity=False).digest()
    assert sha256(data) == hashlib.sha256(data).digest()
