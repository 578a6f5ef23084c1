"""Where the file of a workspace is looked for, and in which order."""

from pathlib import Path

import pytest

from supervisor.config import Found, Presence, find_file
from supervisor.config.lookup import PLACES


def put(workspace: Path, place: str) -> Path:
    path = workspace / place
    path.parent.mkdir(exist_ok=True)
    path.touch()
    return path


def test_order_of_the_places() -> None:
    assert PLACES == (
        ".ona/automations.yaml",
        ".ona/automations.yml",
        ".gitpod/automations.yaml",
        ".gitpod/automations.yml",
        "automations.yaml",
    )


@pytest.mark.parametrize("first", range(len(PLACES)))
def test_first_place_that_exists_is_the_one(tmp_path: Path, first: int) -> None:
    paths = [put(tmp_path, place) for place in PLACES[first:]]

    assert find_file(tmp_path) == Found(paths[0], Presence.DISCOVERED)


def test_without_a_file_it_is_absent(tmp_path: Path) -> None:
    assert find_file(tmp_path) == Found(None, Presence.ABSENT)
    assert find_file(tmp_path / "no workspace") == Found(None, Presence.ABSENT)


def test_directory_of_that_name_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".ona" / "automations.yaml").mkdir(parents=True)
    path = put(tmp_path, "automations.yaml")

    assert find_file(tmp_path).path == path


def test_link_that_leads_nowhere_is_a_hit(tmp_path: Path) -> None:
    (tmp_path / ".ona").mkdir()
    link = tmp_path / ".ona" / "automations.yaml"
    link.symlink_to("none")
    put(tmp_path, "automations.yaml")

    assert find_file(tmp_path).path == link


def test_specified_path_overrides_and_need_not_exist(tmp_path: Path) -> None:
    put(tmp_path, ".ona/automations.yaml")

    assert find_file(tmp_path, "my/own.yaml") == Found(tmp_path / "my" / "own.yaml", Presence.SPECIFIED)
    assert find_file(tmp_path, Path("/etc/own.yaml")) == Found(Path("/etc/own.yaml"), Presence.SPECIFIED)


def test_presence_has_the_words_of_the_status() -> None:
    assert [presence.value for presence in Presence] == ["ABSENT", "DISCOVERED", "SPECIFIED"]
