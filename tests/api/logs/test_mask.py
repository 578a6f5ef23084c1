"""The values of secrets are hidden, whatever they are and however the text is cut."""

import os
import tempfile

from hypothesis import given
from hypothesis import strategies as st

from supervisor.api.logs.chunks import ChunkCache, file_version
from supervisor.api.logs.mask import HIDDEN, Mask


def masked(text: bytes, *secrets: str) -> bytes:
    return Mask(secrets).apply(text, 0, True).shown


def slowly_masked(text: bytes, secrets: set[str]) -> bytes:
    """The rule, byte by byte."""
    hidden = [False] * len(text)
    for value in (secret.strip("\r\n").encode() for secret in secrets):
        for at in range(len(text)):
            if value.strip() and text.startswith(value, at):
                hidden[at : at + len(value)] = [True] * len(value)
    shown = b""
    for at, byte in enumerate(text):
        if not hidden[at]:
            shown += bytes([byte])
        elif at == 0 or not hidden[at - 1]:
            shown += HIDDEN
    return shown


def test_value_is_replaced() -> None:
    assert masked(b"token=hunter2;", "hunter2") == b"token=***;"


def test_value_of_pattern_characters_is_taken_literally() -> None:
    assert masked(b"axb a.b a+b", "a.b") == b"axb *** a+b"


def test_value_of_several_lines_is_replaced_as_a_whole() -> None:
    assert masked(b"key: BEGIN\nabc\nEND.\nabc\n", "BEGIN\nabc\nEND") == b"key: ***.\nabc\n"


def test_line_ends_around_a_value_do_not_count() -> None:
    assert masked(b"<hunter2>", "hunter2\n") == b"<***>"


def test_overlapping_values_show_nothing_of_either() -> None:
    assert masked(b"-abcdef-", "abcd", "cdef") == b"-***-"


def test_value_within_another_is_replaced_alone_too() -> None:
    assert masked(b"pass password", "pass", "password") == b"*** ***"


def test_value_beside_itself_does_not_tell_how_often() -> None:
    assert masked(b"aaaaaaa.aaa", "aaa") == b"***.***"


def test_blank_values_hide_nothing() -> None:
    assert masked(b"a b\n", "", " ", "\n") == b"a b\n"


def test_value_that_no_environment_can_hold_is_no_error() -> None:
    assert masked(b"abc", "\ud800") == b"abc"


def test_bytes_that_are_no_text_are_found() -> None:
    assert masked(b"x\xffy\x00z", os.fsdecode(b"\xffy")) == b"x***\x00z"


def test_beginning_of_a_value_waits_for_what_follows() -> None:
    result = Mask(["hunter2"]).apply(b"password: hunt", 0, False)
    assert (result.shown, result.settled) == (b"password: ", 10)


def test_text_that_cannot_be_a_value_does_not_wait() -> None:
    assert Mask(["hunter2"]).apply(b"password: hint", 0, False).settled == 14


def test_beginning_of_a_value_at_the_end_of_all_is_text() -> None:
    assert masked(b"password: hunt", "hunter2") == b"password: hunt"


texts = st.lists(st.sampled_from([b"a", b"b", b"\n", b"ab", b"aba", b"\xc3", b"\xa9"])).map(b"".join)
secret_sets = st.sets(st.text("ab\n\u00e9", min_size=1, max_size=6), max_size=4)


@given(texts, secret_sets)
def test_any_text_is_masked_by_the_rule(text: bytes, secrets: set[str]) -> None:
    assert masked(text, *secrets) == slowly_masked(text, secrets)


@given(texts, secret_sets, st.lists(st.integers(0, 12)))
def test_any_chunks_are_masked_like_the_whole(text: bytes, secrets: set[str], cuts: list[int]) -> None:
    """A reader who goes on where it was, each time with the bytes before it and as many more as there are by then."""
    mask = Mask(secrets)
    shown, at, known = b"", 0, 0
    for more in [*cuts, len(text)]:
        known = min(len(text), known + more)
        begin = max(0, at - mask.longest)
        result = mask.apply(text[begin:known], at - begin, known == len(text))
        shown += result.shown
        at = begin + result.settled
    assert shown == slowly_masked(text, secrets)
    assert at == len(text)


class Known:
    """Secrets that stay the same."""

    def __init__(self, secrets: set[str]) -> None:
        self._secrets = secrets

    def values(self) -> set[str]:
        return self._secrets


@given(texts, secret_sets, st.lists(st.integers(0, 12)), st.booleans())
def test_any_growth_of_a_file_is_read_like_the_whole(
    text: bytes, secrets: set[str], cuts: list[int], as_text: bool
) -> None:
    """And every chunk begins where another ended, so a new reader may begin there."""
    shown, offset, written = b"", 0, 0
    with tempfile.NamedTemporaryFile() as file:
        for more in [*cuts, len(text)]:
            file.write(text[written : written + more])
            file.flush()
            written = min(len(text), written + more)
            final = written == len(text)
            # Another cache each time: nothing is remembered.
            version = file_version(file.name)
            chunk = ChunkCache(Known(secrets)).chunk(file.name, offset, final, as_text, version)
            assert chunk.start == offset
            shown, offset = shown + chunk.data, chunk.end
    assert (shown, offset) == (slowly_masked(text, secrets), len(text))
