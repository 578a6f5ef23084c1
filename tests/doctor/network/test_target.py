"""From the list to what is tried."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.doctor.endpoint_list import Endpoint, Runner
from supervisor.doctor.network.target import Circumstances, Skip, Target, targets


def one(url: str, known: Circumstances | None = None, **more: Any) -> Target | Skip:
    (made,) = targets([Endpoint("G", True, url, **more)], known or Circumstances())
    return made


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("https://a.invalid", "a.invalid", 443, "/", "a.invalid"),
        ("https://a.invalid:8443/x?y=z", "a.invalid", 8443, "/x?y=z", "a.invalid:8443"),
        ("http://127.0.0.1", "127.0.0.1", 80, "/", "127.0.0.1"),
        ("https://[::1]:1", "::1", 1, "/", "[::1]:1"),
        ("udp://127.0.0.1:4242", "127.0.0.1", 4242, "/", "127.0.0.1:4242"),
    ],
)
def test_url_is_taken_apart(url: str, host: str, port: int, path: str, authority: str) -> None:
    made = one(url)

    assert isinstance(made, Target)
    assert (made.host, made.port, made.path, made.authority, made.name) == (host, port, path, authority, url)


def test_region_and_account_are_filled_in() -> None:
    made = one("https://<account-id>.dkr.<region>.invalid", Circumstances("eu-west-1", "123456789012"))

    assert made.name == "https://123456789012.dkr.eu-west-1.invalid"


@pytest.mark.parametrize(
    ("known", "option"),
    [(Circumstances(), "--region"), (Circumstances("eu-west-1"), "--account-id")],
)
def test_what_is_not_known_skips_the_endpoint_and_names_the_option(known: Circumstances, option: str) -> None:
    made = one("https://<account-id>.dkr.<region>.invalid", known)

    assert isinstance(made, Skip)
    assert made.why == f"not known on this machine; name it with {option}"


def test_example_is_tried_for_the_many_and_named() -> None:
    made = one("https://*.a.invalid:1/x", example="https://b.a.invalid:1/x")

    assert isinstance(made, Target)
    assert (made.name, made.host, made.is_example) == ("https://*.a.invalid:1/x (b)", "b.a.invalid", True)


def test_star_in_a_path_leaves_the_host_what_it_is() -> None:
    made = one("https://a.invalid/*/f", example="https://a.invalid/1/f")

    assert isinstance(made, Target)
    assert (made.path, made.is_example) == ("/1/f", False)


def test_plane_of_the_settings_takes_the_place_of_the_listed_one() -> None:
    known = Circumstances(plane_url="https://plane.invalid:1/api")
    made = one("https://a.invalid", known, plane=True)

    assert isinstance(made, Target)
    assert (made.name, made.host, made.path) == ("https://plane.invalid:1/api", "plane.invalid", "/api")
    assert one("https://a.invalid", known).name == "https://a.invalid"


def test_endpoint_of_the_other_kind_of_runner_is_skipped() -> None:
    made = one("https://a.invalid", runner=Runner.ENTERPRISE)

    assert isinstance(made, Skip)
    assert isinstance(
        one("https://a.invalid", Circumstances(runner=Runner.ENTERPRISE), runner=Runner.ENTERPRISE), Target
    )


def test_what_only_the_user_knows_is_skipped() -> None:
    made = one("", yours="Your metrics endpoint")

    assert isinstance(made, Skip)
    assert (made.name, made.why) == ("Your metrics endpoint", "put yours into a file for --endpoints")
