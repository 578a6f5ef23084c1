"""The clients' environments: made once, made anew when what they are made from changes, never half made."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.clients import set_up
from tests.clients.set_up import LOCKS, SetUpError, is_ready, make_ready


@dataclass
class Fake:
    """A client that is made of one word."""

    folder: Path
    word: str = "first"
    broken: bool = False
    made: list[str] = field(default_factory=list)
    name: str = "fake"
    program: tuple[str, ...] = ()

    def recipe(self) -> str:
        return self.word

    def make(self) -> None:
        self.folder.mkdir()
        if self.broken:
            raise SetUpError("it is broken")
        self.made.append(self.word)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    monkeypatch.setattr(set_up, "PLACE", tmp_path / "clients")
    return Fake(tmp_path / "clients/fake")


def test_a_client_is_made_once(fake: Fake) -> None:
    assert [make_ready(fake), make_ready(fake)] == [True, False]
    assert fake.made == ["first"]


def test_a_client_is_made_anew_from_another_recipe(fake: Fake) -> None:
    make_ready(fake)
    fake.word = "second"
    make_ready(fake)
    assert fake.made == ["first", "second"]


def test_a_client_that_could_not_be_made_is_not_ready_and_made_the_next_time(fake: Fake) -> None:
    fake.broken = True
    with pytest.raises(SetUpError):
        make_ready(fake)
    assert not is_ready(fake)
    fake.broken = False
    assert make_ready(fake)


@pytest.mark.parametrize("lock", sorted(LOCKS.glob("*.lock")), ids=lambda lock: lock.name)
def test_lock_of_python_names_no_address_so_that_any_index_serves_it(lock: Path) -> None:
    assert re.findall(r"^\s*--(?!hash=sha256:).*|.*(?:://|@|/opt/).*", lock.read_text(), re.MULTILINE) == []


def test_lock_of_node_names_no_address_and_knows_every_package_by_its_hash() -> None:
    packages = json.loads((LOCKS / "gitpod-sdk-npm/package-lock.json").read_text())["packages"]
    installed = [package for path, package in packages.items() if path]

    assert installed
    assert all("resolved" not in package and "integrity" in package for package in installed)
