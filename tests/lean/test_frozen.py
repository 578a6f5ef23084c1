"""What `supervisor.lean.frozen` must have in common with the standard library's frozen dataclasses."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from supervisor.lean import frozen


@frozen.dataclass(frozen=True, slots=True)
class Ours:
    name: str
    size_bytes: int = 7
    tags: list[str] = frozen.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    name: str
    size_bytes: int = 7
    tags: list[str] = dataclasses.field(default_factory=list)


both = pytest.mark.parametrize("kind", [Ours, Theirs])


@both
def test_arguments_come_by_place_and_by_name(kind: Callable[..., Any]) -> None:
    made = kind("a", tags=["x"])
    assert (made.name, made.size_bytes, made.tags) == ("a", 7, ["x"])


@both
@pytest.mark.parametrize("arguments", [(), ("a", 1, [], 4)])
def test_a_missing_or_surplus_argument_is_refused(kind: Callable[..., Any], arguments: Any) -> None:
    with pytest.raises(TypeError):
        kind(*arguments)


@pytest.mark.parametrize("made_before", [0, 100])
def test_the_first_instances_are_like_those_after_the_constructor_was_compiled(made_before: int) -> None:
    @frozen.dataclass(frozen=True, slots=True)
    class Point:
        x: int
        y: int = 2
        tags: list[str] = frozen.field(default_factory=list)

    make: Callable[..., Any] = Point
    for _ in range(made_before):
        make(1)
    assert [make(1), make(1, 3), make(x=1, tags=["a"]), make(1, y=3, tags=["a"])] == [
        make(1, 2, []),
        make(1, 3, []),
        make(1, 2, ["a"]),
        make(1, 3, ["a"]),
    ]
    surplus_or_missing: list[tuple[Any, ...]] = [(), (1, 2, [], 4)]
    for wrong in surplus_or_missing:
        with pytest.raises(TypeError, match="argument"):
            make(*wrong)
    with pytest.raises(TypeError, match="'x'"):
        make(1, x=1)
    with pytest.raises(TypeError, match="'z'"):
        make(1, z=1)


@pytest.mark.parametrize("wrong", [((), {}), ((1, 2), {}), ((1,), {"x": 1}), ((1,), {"z": 1})])
def test_the_very_first_instance_is_refused_if_its_arguments_are_wrong(wrong: tuple[Any, Any]) -> None:
    @frozen.dataclass(frozen=True, slots=True)
    class Fresh:
        x: int

    make: Callable[..., Any] = Fresh
    with pytest.raises(TypeError):
        make(*wrong[0], **wrong[1])


@both
def test_a_default_from_a_factory_is_made_for_each_instance(kind: Callable[..., Any]) -> None:
    assert kind("a").tags is not kind("a").tags


@both
def test_equal_fields_are_equal_and_another_class_is_not(kind: Callable[..., Any]) -> None:
    assert kind("a") == kind("a")
    assert kind("a") != kind("b")
    assert kind("a") != ("a", 7, [])
    assert kind("a") != (Theirs if kind is Ours else Ours)("a")


@both
def test_the_hash_follows_the_fields(kind: Callable[..., Any]) -> None:
    assert hash(kind("a", 1, ())) == hash(kind("a", 1, ()))
    assert len({kind("a", 1, ()), kind("a", 1, ()), kind("b", 1, ())}) == 2


@both
def test_nothing_can_be_changed_deleted_or_added(kind: Callable[..., Any]) -> None:
    made = kind("a")
    changes: list[Callable[[], object]] = [
        lambda: setattr(made, "name", "b"),
        lambda: setattr(made, "more", 1),
        lambda: delattr(made, "name"),
    ]
    for change in changes:
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
            change()
    assert made.name == "a"


@pytest.mark.parametrize("replace", [frozen.replace, dataclasses.replace])
def test_a_copy_has_other_values_where_they_are_given(replace: Callable[..., Any]) -> None:
    made = Ours("a", tags=["x"])
    assert replace(made, size_bytes=8, name="b") == Ours("b", 8, ["x"])
    assert made == Ours("a", 7, ["x"])
    assert replace(made) == made
    with pytest.raises(TypeError):
        replace(made, size=8)


@both
def test_the_standard_library_takes_it_for_a_dataclass(kind: type[Ours]) -> None:
    assert dataclasses.is_dataclass(kind("a"))
    names = [(field.name, field.type, field.default) for field in dataclasses.fields(kind)]
    missing = dataclasses.MISSING
    assert names == [("name", "str", missing), ("size_bytes", "int", 7), ("tags", "list[str]", missing)]
    assert [field.default_factory for field in dataclasses.fields(kind)] == [missing, missing, list]
    made: Any = kind("a")
    match made:
        case Ours(name, size):
            assert (name, size) == ("a", 7)
        case Theirs(name, size):
            assert (name, size) == ("a", 7)
        case _:
            pytest.fail("it has no __match_args__")


@both
def test_it_can_be_copied_and_pickled(kind: Callable[..., Any]) -> None:
    made = kind("a", 1, ["x"])
    assert copy.deepcopy(made) == made
    assert pickle.loads(pickle.dumps(made)) == made


def test_it_shows_its_fields() -> None:
    assert repr(Ours("a")) == "Ours(name='a', size_bytes=7, tags=[])"


def test_the_fields_are_known() -> None:
    assert frozen.values_of(Ours("a", tags=["x"])) == ("a", 7, ["x"])
    assert frozen.is_frozen(Ours)
    assert frozen.is_frozen(Ours("a"))
    assert not frozen.is_frozen(Theirs("a"))


def test_one_field_and_none_work_too() -> None:
    @frozen.dataclass(frozen=True, slots=True)
    class One:
        name: str

    @frozen.dataclass(frozen=True, slots=True)
    class Nothing:
        pass

    assert One("a") == One("a") != One("b")
    assert Nothing() == Nothing()
    assert len({One("a"), One("a"), Nothing(), Nothing()}) == 2
