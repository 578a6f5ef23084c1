"""Reading a list of endpoints: what it may say, and what is told of one that says something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.doctor.endpoint_list import PACKAGED, Endpoint, Expect, Runner, parse_listing, read_listing
from supervisor.model.errors import SupervisorError


def group(endpoints: str, more: str = "") -> str:
    return f"groups: [{{name: G, required: true, {more} endpoints: [{endpoints}]}}]"


def problems(text: str) -> list[str]:
    """What is told of a list."""
    return [problem.render("f") for problem in parse_listing(text.encode())[1]]


def test_list_says_everything_about_an_endpoint() -> None:
    text = group(
        '{url: "https://*.a.invalid:1/x", example: "https://b.a.invalid:1/x", expect: success, plane: true, '
        "direct: true, required: false, runner: enterprise}, {yours: Your own}"
    )
    entries, wrong = parse_listing(text.encode())

    assert wrong == []
    assert entries == (
        Endpoint(
            "G",
            False,
            "https://*.a.invalid:1/x",
            "",
            "https://b.a.invalid:1/x",
            Runner.ENTERPRISE,
            Expect.SUCCESS,
            plane=True,
            direct=True,
        ),
        Endpoint("G", True, yours="Your own"),
    )


def test_json_is_a_list_as_well() -> None:
    data = {"groups": [{"name": "G", "required": True, "endpoints": [{"url": "udp://127.0.0.1:1"}]}]}

    assert parse_listing(json.dumps(data).encode()) == ((Endpoint("G", True, "udp://127.0.0.1:1"),), [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", 'f:1:1: the file is empty; it needs a list "groups"'),
        ("[]", "f:1:1: a mapping is expected here, with groups"),
        ("groups: []", "f:1:9: groups: a list with at least one item is expected here"),
        ("groups: 1", "f:1:9: groups: a list with at least one item is expected here"),
        ("group: []", 'f:1:1: group: unknown field "group"; did you mean "groups"?'),
        (group("3"), "a mapping is expected here, with url, yours"),
        (group("{}"), 'groups[0].endpoints[0]: an endpoint has either "url" or "yours"'),
        (group("{url: 'https://a', yours: b}"), 'an endpoint has either "url" or "yours"'),
        (group("{ulr: 'https://a'}"), 'unknown field "ulr"; did you mean "url"?'),
        (group("{url: 12}"), "groups[0].endpoints[0].url: a string is expected here"),
        (group("{url: 'https://a', required: yes}"), "required: a boolean is expected here"),
        (
            group("{url: 'https://a', expect: sucess}"),
            'expect: "sucess" is not allowed here; it is "answer" or "success"',
        ),
        (group("{url: 'https://a', runner: big}"), 'it is "standard" or "enterprise"'),
        (group("{url: 'ftp://a'}"), "it must begin with https://, http:// or udp://"),
        (group("{url: 'https://'}"), "it names no host"),
        (group("{url: 'https://a:99999'}"), "port out of range"),
        (group("{url: 'https://a b'}"), "it names no host"),
        (group("{url: 'https://me:pw@a'}"), "it must not hold a user or a password"),
        (group("{url: 'https://a/b c'}"), "it holds characters that a request cannot"),
        (group("{url: 'https://a/#b'}"), "it holds characters that a request cannot"),
        (group('{url: "https://a/\\r\\nx"}'), "it holds characters that a request cannot"),
        (group("{url: 'https://ä'}"), "it names no host"),
        (group("{url: 'udp://a'}"), "udp:// takes a host and a port, nothing else"),
        (group("{url: 'udp://a:1/x'}"), "udp:// takes a host and a port, nothing else"),
        (group("{url: 'https://*.a'}"), 'has a *, but there is no "example" to try'),
        (group("{url: 'https://*.a', example: 'https://b.c'}"), '"https://b.c" does not match "https://*.a"'),
        (group("{url: 'https://*.a', example: 'https://*.a'}"), "an example has no *"),
        ("groups: [{required: true, endpoints: [{yours: a}]}]", 'field "name" is missing'),
        ("groups: [{name: a, endpoints: [{yours: a}]}]", 'field "required" is missing; say true or false'),
        ("groups: [{name: a, required: true}]", "a list with at least one item is expected here"),
        ("groups: [", "f:1:"),
        ("a: 1\na: 2", "f:2:1"),
        ("\0", "NUL"),
    ],
)
def test_mistake_is_told_with_its_place(text: str, told: str) -> None:
    assert any(told in line for line in problems(text)), problems(text)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(group("{url: 12}, {ulr: a}"))

    with pytest.raises(SupervisorError) as raised:
        read_listing(path)

    first, *lines = str(raised.value).splitlines()
    assert first == "cannot use the list of endpoints:"
    assert len(lines) == 3
    assert all(line.startswith(f"{path}:1:") for line in lines)


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_file_that_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(SupervisorError, match="cannot read the file"):
        read_listing(tmp_path / name)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: group(text).encode(errors="replace")))
def test_any_bytes_are_a_list_or_have_a_mistake(data: bytes) -> None:
    entries, wrong = parse_listing(data)

    assert bool(entries) != bool(wrong)


def test_packaged_list_is_valid() -> None:
    assert read_listing() == read_listing(PACKAGED)
