"""What a reader gets, and when: histories of changes and of takes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.workspace.watch.unsent_changes import (
    CREATED,
    DELETED,
    GIT_PAUSE_S,
    LONGEST_S,
    MERGED,
    MOST_SENT,
    MOST_UNSENT,
    QUIET_S,
    UPDATED,
    ChangeKind,
    FileChange,
    GitChange,
    Overflow,
    UnsentChanges,
)


def change(path: str, kind: ChangeKind = UPDATED, is_folder: bool = False) -> FileChange:
    return FileChange(path.encode(), kind, is_folder)


def noted(*changes: FileChange, at_s: float = 0.0) -> UnsentChanges:
    unsent = UnsentChanges()
    for each in changes:
        unsent.note(each, at_s)
    return unsent


def rest(unsent: UnsentChanges, now_s: float = 1000.0) -> list[FileChange]:
    found = []
    while isinstance(sent := unsent.take(now_s), list):
        found += sent
    return found


def test_every_pair_is_in_the_table() -> None:
    assert set(MERGED) == set(itertools.product(ChangeKind, ChangeKind))


@pytest.mark.parametrize(
    ("kinds", "sent"),
    [
        ((CREATED, UPDATED, UPDATED), [CREATED]),
        ((CREATED, UPDATED, DELETED), []),
        ((DELETED, CREATED), [UPDATED]),
        ((DELETED, CREATED, DELETED), [DELETED]),
        ((UPDATED, DELETED), [DELETED]),
        ((CREATED, DELETED, CREATED), [CREATED]),
    ],
)
def test_changes_of_a_path_become_one(kinds: tuple[ChangeKind, ...], sent: list[ChangeKind]) -> None:
    assert rest(noted(*(change("a", kind) for kind in kinds))) == [change("a", kind) for kind in sent]


def test_rename_is_two_paths_and_the_last_word_says_what_it_is() -> None:
    unsent = noted(
        change("a", DELETED), change("b", CREATED), change("b", UPDATED), change("a", CREATED, True)
    )
    assert rest(unsent) == [change("a", UPDATED, True), change("b", CREATED)]


def test_batch_goes_after_a_moment_of_quiet() -> None:
    unsent = noted(change("a"))
    unsent.note(change("b"), 0.06)
    assert unsent.due_s() == 0.06 + QUIET_S
    assert unsent.take(0.06 + QUIET_S - 0.01) is None
    assert unsent.take(0.06 + QUIET_S) == [change("a"), change("b")]
    assert unsent.due_s() is None


def test_batch_goes_although_it_is_never_quiet() -> None:
    unsent = UnsentChanges()
    for step in range(10):
        unsent.note(change("a"), 10 + step * 0.05)
    assert unsent.due_s() == 10 + LONGEST_S
    assert unsent.take(10 + LONGEST_S) == [change("a")]


def test_change_that_came_to_nothing_hurries_no_later_one() -> None:
    unsent = noted(change("a", CREATED), change("a", DELETED))
    assert unsent.due_s() is None
    unsent.note(change("b"), 5.0)
    assert unsent.due_s() == 5.0 + QUIET_S


def test_batch_has_its_limit_and_the_rest_follows_at_once() -> None:
    unsent = noted(*(change(str(number)) for number in range(2 * MOST_SENT + 1)))
    sizes = []
    while isinstance(sent := unsent.take(QUIET_S), list):
        sizes.append(len(sent))
    assert sizes == [MOST_SENT, MOST_SENT, 1]
    assert unsent.due_s() is None


def test_flood_goes_slowly_until_it_is_over_and_is_never_sent_twice() -> None:
    unsent, sent, now_s = UnsentChanges(), list[FileChange](), 0.0
    for number in range(4 * MOST_SENT):  # in two seconds
        now_s = number / (2 * MOST_SENT)
        unsent.note(change(str(number)), now_s)
        taken = unsent.take(now_s)
        if isinstance(taken, list):
            assert len(taken) == MOST_SENT
            sent += taken
    assert len(sent) == 3 * MOST_SENT
    sent += rest(unsent, now_s + QUIET_S)
    assert sent == [change(str(number)) for number in range(4 * MOST_SENT)]


def test_too_many_unsent_become_one_overflow_and_the_stream_goes_on() -> None:
    unsent = noted(*(change(str(number)) for number in range(MOST_UNSENT)))
    unsent.note(change("0", DELETED), 0.0)
    assert unsent.due_s() == QUIET_S
    unsent.note(change("one more"), 0.0)
    unsent.note(change("and another"), 0.05)
    assert unsent.take(0.05) is None
    sent = unsent.take(0.05 + QUIET_S)
    assert isinstance(sent, Overflow)
    assert str(MOST_UNSENT) in sent.reason
    assert unsent.due_s() is None
    unsent.note(change("a"), 1.0)
    assert rest(unsent) == [change("a")]


def test_first_reason_of_an_overflow_is_told() -> None:
    unsent = noted(change("a"))
    unsent.lose("the first", 0.0)
    unsent.lose("the second", 0.0)
    assert unsent.take(QUIET_S) == Overflow("the first")


def test_git_status_goes_at_most_once_in_its_pause() -> None:
    unsent = UnsentChanges()
    sent_at = []
    for step in range(300):  # it changes every 10 ms for 3 s
        now_s = step / 100
        unsent.note_git(now_s)
        if unsent.take(now_s) == GitChange():
            sent_at.append(now_s)
    assert sent_at[0] == QUIET_S
    assert all(later - sooner >= GIT_PAUSE_S for sooner, later in itertools.pairwise(sent_at))
    assert len(sent_at) == 3
    assert unsent.due_s() == sent_at[-1] + GIT_PAUSE_S


@dataclass
class Client:
    """Knows which paths there are from what it is sent, and asks for all after an overflow."""

    there: set[bytes]
    known: set[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.known = set(self.there)

    def take(self, unsent: UnsentChanges, now_s: float) -> None:
        while (sent := unsent.take(now_s)) is not None:
            match sent:
                case Overflow():
                    self.known = set(self.there)
                case GitChange():
                    raise AssertionError("nobody has told of git")
                case list():
                    assert 0 < len(sent) <= MOST_SENT
                    for each in sent:
                        self._learn(each)

    def _learn(self, told: FileChange) -> None:
        assert (told.path in self.known) is (told.kind is not CREATED), told
        self.known ^= {told.path} if told.kind is not UPDATED else set()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d"]),
        st.sampled_from(["toggle", "toggle", "update", "take", "lose"]),
        st.floats(0, 0.3),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sets(st.sampled_from([b"a", b"b", b"c"])), STEPS)
def test_client_knows_what_is_there_whenever_it_has_taken_all(
    there: set[bytes], steps: list[tuple[str, str, float]]
) -> None:
    client, unsent, now_s = Client(set(there)), UnsentChanges(), 0.0
    for name, what, pause_s in steps:
        now_s += pause_s
        path = name.encode()
        match what:
            case "toggle":
                unsent.note(change(name, DELETED if path in client.there else CREATED), now_s)
                client.there ^= {path}
            case "update" if path in client.there:
                unsent.note(change(name), now_s)
            case "lose":
                unsent.lose("a test", now_s)
            case "take":
                client.take(unsent, now_s)
            case _:
                pass  # what is not there is not updated
    client.take(unsent, now_s + LONGEST_S)
    assert client.known == client.there
    assert unsent.due_s() is None


@settings(max_examples=200, deadline=None, derandomize=True)
@given(STEPS)
def test_reader_that_takes_in_time_waits_for_nothing_longer_than_the_longest(
    steps: list[tuple[str, str, float]],
) -> None:
    unsent, now_s = UnsentChanges(), 0.0
    since: dict[bytes, float] = {}
    for name, _, pause_s in steps:
        end_s = now_s + pause_s
        while (due_s := unsent.due_s()) is not None and due_s <= end_s:
            sent = unsent.take(due_s)
            assert isinstance(sent, list)
            for each in sent:
                assert due_s - since.pop(each.path) <= LONGEST_S + 1e-9
        now_s = end_s
        unsent.note(change(name), now_s)
        since.setdefault(name.encode(), now_s)
    assert set(since) == {each.path for each in rest(unsent)}
