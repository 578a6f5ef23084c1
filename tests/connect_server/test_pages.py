"""Pages of a list, and the page in the query of its URL."""

import base64
import json
from dataclasses import dataclass

import pytest

from connect_server.connect_errors import InvalidArgument
from connect_server.pages import DEFAULT_SIZE, PAGE_BYTES, page, with_query


@dataclass(frozen=True)
class Item:
    born: int


def born(items: list[Item]) -> list[int]:
    return [item.born for item in items]


def test_pages_go_on_with_older_items_whatever_came_and_went_meanwhile() -> None:
    items = [Item(number) for number in range(1, 6)]

    first, token = page(items, 2, "")
    left = [*items, Item(6)]
    left.remove(Item(4))
    second, last = page(left, 2, token)
    rest, none = page(left, 2, last)

    assert (born(first), born(second), born(rest), none) == ([5, 4], [3, 2], [1], "")


def test_page_without_a_size_has_the_default_one() -> None:
    assert len(page([Item(number) for number in range(100)], 0, "")[0]) == DEFAULT_SIZE


def test_page_that_gets_large_ends_early_and_its_token_goes_on() -> None:
    items = [Item(number) for number in range(4)]

    first, token = page(items, 4, "", lambda _: PAGE_BYTES)

    assert born(first) == [3, 2]
    assert born(page(items, 4, token)[0]) == [1, 0]


def test_pages_of_a_list_look_at_each_item_about_once() -> None:
    """A list of 5,000 in pages of 25 would otherwise look at a million."""
    items, looked = [Item(number) for number in range(5000)], 0

    def wanted(item: Item) -> bool:
        nonlocal looked
        looked += 1
        return item.born % 2 == 0

    seen: list[int] = []
    token = ""
    while True:
        shown, token = page(items, 25, token, wanted=wanted)
        seen += born(shown)
        if not token:
            break
    assert seen == list(range(4998, -1, -2))
    assert looked < 1.2 * len(items)


@pytest.mark.parametrize("token", ["x", "é", base64.urlsafe_b64encode(b"older-than:x").decode()])
def test_token_that_no_list_gave_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument, match=r"pagination\.token is not a token"):
        page([Item(1)], 1, token)


@pytest.mark.parametrize(
    ("body", "query", "expected"),
    [
        ("", {"token": "t"}, {"pagination": {"token": "t"}}),
        ('{"filter": {}}', {"pageSize": "7"}, {"filter": {}, "pagination": {"pageSize": "7"}}),
        ('{"pagination": {"pageSize": 5}}', {"token": "t"}, {"pagination": {"pageSize": 5, "token": "t"}}),
        ('{"pagination": {"token": "old"}}', {"token": "new"}, {"pagination": {"token": "new"}}),
        ('{"pagination": {"page_size": 5}}', {"pageSize": "7"}, {"pagination": {"pageSize": "7"}}),
    ],
)
def test_a_page_in_the_query_is_the_page_of_the_request(
    body: str, query: dict[str, str], expected: object
) -> None:
    assert json.loads(with_query(body.encode(), query)) == expected


@pytest.mark.parametrize("body", [b"{", b"[]", b"\x1f\x8b", b'{"pagination": 5}', b'{"filter":  {}}'])
def test_what_cannot_be_read_or_needs_nothing_stays_as_it_is(body: bytes) -> None:
    assert with_query(body, {} if b"filter" in body else {"token": "t"}) == body
