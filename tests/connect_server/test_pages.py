"""The page of a list in the query of its URL."""

import json

import pytest

from connect_server.pages import with_query


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
