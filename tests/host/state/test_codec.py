"""Records as JSON: the text is what the standard library writes."""

import enum
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.host.state import codec
from supervisor.host.state.codec import record_writer, to_json
from supervisor.host.state.record_reader import from_plain
from supervisor.lean.frozen import is_frozen, replace, values_of
from supervisor.model.exit import ExitCode, ExitSignal
from supervisor.model.ids import RunId, ServiceId
from supervisor.model.phase import Want
from supervisor.model.record import Service, Source
from supervisor.model.spec import Docker, EnvVar, SecretRef, ServiceItem, ServiceSpec, Trigger
from supervisor.model.states import AtRest, Running, ServiceSession, Starting, Stopping


def as_the_library_does(value: object) -> str:
    def default(value: object) -> Any:
        if is_frozen(value):
            kind: Any = type(value)
            return {"_": kind.__name__} | dict(zip(kind.__match_args__, values_of(value), strict=True))
        if isinstance(value, enum.Enum):
            return value.value
        assert isinstance(value, Mapping)
        return dict(value)

    return json.dumps(value, default=default, separators=(",", ":"))


texts = st.text(st.characters(codec=None))  # lone surrogates too: they stand for bytes that are not UTF-8
numbers = st.floats(allow_nan=False) | st.sampled_from([float("inf"), float("-inf")])
specs = st.builds(
    ServiceSpec,
    texts,
    texts,
    runs_on=st.none() | st.builds(Docker, texts, st.lists(texts, max_size=2).map(tuple)),
    env=st.lists(st.builds(EnvVar, texts, texts | st.builds(SecretRef, texts)), max_size=2).map(tuple),
    readiness_timeout_s=numbers,
)
sessions = st.builds(
    ServiceSession,
    texts,
    specs,
    texts.map(RunId),
    st.dictionaries(texts, texts, max_size=2).map(MappingProxyType),
)
ends = st.none() | st.builds(ExitCode, st.integers()) | st.builds(ExitSignal, st.integers(), st.booleans())
states = (
    st.builds(AtRest, st.none() | sessions, texts, exit=ends)
    | st.builds(Starting, sessions, st.none() | numbers)
    | st.builds(Running, sessions)
    | st.builds(Stopping, sessions, st.none() | numbers, st.booleans(), exit=ends)
)
items = st.builds(
    ServiceItem, texts, texts, specs, texts, st.lists(st.sampled_from(Trigger), max_size=2).map(tuple)
)
services = st.builds(
    Service,
    texts.map(ServiceId),
    items,
    st.sampled_from(Source),
    numbers,
    st.sampled_from(Want),
    state=states,
    kept_runs=st.lists(texts.map(RunId), max_size=2).map(tuple),
    revision=st.integers(),
)


@given(services)
def test_a_record_is_written_as_the_standard_library_does_and_read_again(service: Service) -> None:
    for record in (service, replace(service, revision=7)):  # its item is known the second time
        assert to_json(record) == as_the_library_does(record)
        assert from_plain(Service, json.loads(to_json(record))) == record
    some = record_writer(Service, {"item": None, "session": lambda record: record.id, "more": lambda _: "\n"})
    changed = json.loads(to_json(service)) | {"session": service.id, "more": "\n"}
    del changed["item"]
    assert json.loads(some(service)) == changed


@given(
    st.recursive(
        texts | numbers | st.booleans() | st.none() | st.integers(), lambda inner: st.lists(inner, max_size=3)
    )
)
def test_values_that_json_knows_are_written_as_the_standard_library_does(value: object) -> None:
    assert to_json(value) == as_the_library_does(value)


def test_what_is_no_part_of_a_record_is_refused() -> None:
    for value in (object(), b"bytes", {1, 2}):
        with pytest.raises(TypeError, match="not a part of any record"):
            to_json(value)


def test_the_texts_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_MOST_TEXTS", 3)
    for number in range(10):
        item = ServiceItem(f"s{number}", "", ServiceSpec(f"echo {number}"))
        service = Service(ServiceId("id"), item, Source.FILE, 0.0)
        assert to_json(service) == as_the_library_does(service)
        assert 0 < len(codec._texts) <= 3
