"""Ids are the UUIDs that the standard library would have made."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.model.ids import RunId, ServiceId, derived, fresh, service_of_run

OWNER = "00000000-0000-4000-8000-000000000000"


@given(st.uuids(), st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=3))
def test_derived_id_is_the_uuid_of_its_names(stamp: uuid.UUID, names: list[str]) -> None:
    assert derived(str(stamp), *names) == str(uuid.uuid5(stamp, "\0".join(names)))


def test_fresh_ids_are_random_uuids_and_differ() -> None:
    ids = {fresh() for _ in range(100)}
    assert len(ids) == 100
    assert {uuid.UUID(id_).version for id_ in ids} == {4}
    assert {uuid.UUID(id_).variant for id_ in ids} == {uuid.RFC_4122}


def test_stamp_that_is_no_uuid_is_refused() -> None:
    with pytest.raises(ValueError, match="hex"):
        derived("nobody", "x")


def test_ids_are_strings_at_run_time_so_that_records_are_stored_as_before() -> None:
    run_id = RunId(f"{OWNER}.7")
    assert type(run_id) is str
    assert service_of_run(run_id) == ServiceId(OWNER)
    assert service_of_run(RunId(OWNER)) == OWNER
