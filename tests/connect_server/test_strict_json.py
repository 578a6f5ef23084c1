"""JSON is read strictly, the first mistake named by its place, and written as protobuf's JSON mapping says."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from connect_server.connect_errors import InvalidArgument
from connect_server.strict_json import decode, encode
from platform_wire import environment_automation_pb2 as automation
from platform_wire import environment_pb2 as environment
from platform_wire import environmentopts_pb2 as ops
from platform_wire import event_pb2 as event

CreateService = automation.CreateServiceRequest
Upsert = automation.UpsertAutomationsFileRequest
ListServices = automation.ListServicesRequest
UpdateEnvironment = environment.UpdateEnvironmentRequest


def test_both_spellings_are_read_and_camel_case_is_written() -> None:
    for spelling in ("environmentId", "environment_id"):
        message = decode(json.dumps({spelling: "x"}).encode(), CreateService)

        assert message.environment_id == "x"
        assert encode(message) == b'{"environmentId":"x"}'


def test_written_form_has_names_of_enums_texts_for_large_numbers_and_utc() -> None:
    service = automation.Service()
    service.spec.spec_version = 2**64 - 1
    service.spec.desired_phase = automation.SERVICE_PHASE_RUNNING
    service.spec.readiness_timeout.seconds = 600
    service.metadata.created_at.seconds = 1_700_000_000
    service.metadata.name = "Büro"

    assert json.loads(encode(service)) == {
        "metadata": {"name": "Büro", "createdAt": "2023-11-14T22:13:20Z"},
        "spec": {
            "specVersion": "18446744073709551615",
            "desiredPhase": "SERVICE_PHASE_RUNNING",
            "readinessTimeout": "600s",
        },
    }
    assert decode(encode(service), automation.Service) == service


def test_what_protobuf_allows_to_be_written_in_other_ways_is_read() -> None:
    assert decode(b'{"spec": {"desiredPhase": 2, "specVersion": 3}}', CreateService) == CreateService(
        spec={"desired_phase": automation.SERVICE_PHASE_RUNNING, "spec_version": 3}
    )
    assert decode(b'{"pagination": {"pageSize": 1e1}}', ListServices).pagination.page_size == 10
    assert decode(b'{"pagination": {"pageSize": "10"}}', ListServices).pagination.page_size == 10
    assert decode(b'{"content": "_-8"}', ops.WriteFileRequest).content == b"\xff\xef"
    assert decode(b'{"content": "/+8="}', ops.WriteFileRequest).content == b"\xff\xef"


def test_null_leaves_a_field_unset_and_an_empty_object_sets_it() -> None:
    assert not decode(b'{"spec": null}', CreateService).HasField("spec")
    assert decode(b'{"spec": {}}', CreateService).HasField("spec")


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (
            CreateService,
            '{"metadat": {}}',
            "metadat is an unknown field; gitpod.v1.CreateServiceRequest has no such name",
        ),
        (
            Upsert,
            '{"automationsFile": {"services": {"web": {"start": "x"}}}}',
            "automationsFile.services.web.start is an unknown field; "
            "gitpod.v1.AutomationsFile.Service has no such name",
        ),
        (CreateService, '{"metadata": {"name": 5}}', "metadata.name must be a string, not 5"),
        (CreateService, '{"spec": 7}', "spec must be an object, not 7"),
        (CreateService, '{"spec": []}', "spec must be an object, not a list"),
        (CreateService, '{"spec": ""}', 'spec must be an object, not the string ""'),
        (CreateService, '{"spec": {"env": {}}}', "spec.env must be a list, not an object"),
        (CreateService, '{"spec": {"env": [null]}}', "spec.env[0] must be an object, not null"),
        (
            CreateService,
            '{"metadata": {"triggeredBy": [{"manual": true}, {"manual": "yes"}]}}',
            'metadata.triggeredBy[1].manual must be true or false, not the string "yes"',
        ),
        (
            CreateService,
            '{"metadata": {"triggeredBy": [{"manual": true, "prebuild": true}]}}',
            "metadata.triggeredBy[0].prebuild cannot be set beside manual",
        ),
        (
            CreateService,
            '{"metadata": {"role": "boss"}}',
            'metadata.role must be a ServiceRole, such as SERVICE_ROLE_DEFAULT, not the string "boss"',
        ),
        (
            CreateService,
            '{"metadata": {"role": true}}',
            "metadata.role must be a ServiceRole, such as SERVICE_ROLE_DEFAULT, not true",
        ),
        (
            CreateService,
            '{"spec": {"readinessTimeout": 5}}',
            "spec.readinessTimeout must be a duration in seconds, such as 600s, not 5",
        ),
        (
            UpdateEnvironment,
            '{"metadata": {"lockdownAt": "now"}}',
            'metadata.lockdownAt must be a time such as 2006-01-02T15:04:05Z, not the string "now"',
        ),
        (
            ListServices,
            '{"pagination": {"pageSize": 1.5}}',
            "pagination.pageSize must be a whole number, not 1.5",
        ),
        (
            ListServices,
            '{"pagination": {"pageSize": true}}',
            "pagination.pageSize must be a whole number, not true",
        ),
        (
            ListServices,
            '{"pagination": {"pageSize": 2147483648}}',
            "pagination.pageSize must be from -2147483648 to 2147483647, not 2147483648",
        ),
        (
            ListServices,
            '{"pagination": {"pageSize": 1, "page_size": 2}}',
            "pagination.page_size cannot be set beside pageSize",
        ),
        (Upsert, '{"automationsFile": {"tasks": []}}', "automationsFile.tasks must be an object, not a list"),
        (ops.WriteFileRequest, '{"content": "a*b"}', 'content must be base64, not the string "a*b"'),
        (CreateService, '{"environmentId": "a", "environmentId": "b"}', "environmentId appears twice"),
        (
            CreateService,
            r'{"environmentId": "\ud800"}',
            "environmentId must be Unicode; it has half of a surrogate pair",
        ),
        (CreateService, "[]", "the body must be an object, not a list"),
        (CreateService, "null", "the body must be an object, not null"),
        (CreateService, "", "the body is not JSON: Expecting value at line 1 column 1"),
        (ListServices, '{"pagination": {"pageSize": NaN}}', "the body is not JSON: NaN"),
        (CreateService, "[" * 100_000, "the body is nested too deeply"),
        (CreateService, '{"environmentId": 1' + "0" * 5_000 + "}", "the body has a number that is too long"),
    ],
)
def test_mistake_is_named_by_its_place(kind: type[Message], body: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        decode(body.encode(), kind)

    assert str(caught.value) == f"cannot accept the request: {message}"


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="the body is not UTF-8 at byte 7"):
        decode(b'{"id":"\xff"}', automation.GetServiceRequest)


# Random bodies of the names that messages have, so that many are nearly right.

KINDS: list[type[Message]] = [
    CreateService,
    Upsert,
    ListServices,
    UpdateEnvironment,
    event.WatchEventsRequest,
]


def names(kind: Any) -> set[str]:
    found = set()
    for field in kind.fields:
        found |= {field.name, field.json_name}
        if field.message_type and not field.message_type.full_name.startswith("google."):
            found |= names(field.message_type)
    return found


WORDS = sorted(set().union(*(names(kind.DESCRIPTOR) for kind in KINDS)))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(["5s", "-1s", "2020-01-01T00:00:00Z", "manual", "SERVICE_PHASE_RUNNING", "1", "\ud800"]),
)
BODIES = st.dictionaries(
    st.sampled_from(WORDS),
    st.recursive(
        SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, max_size=2),
            st.dictionaries(st.sampled_from([*WORDS, "x y", ""]), inner, max_size=3),
        ),
        max_leaves=8,
    ),
    max_size=3,
)


@given(kind=st.sampled_from(KINDS), body=BODIES)
def test_any_body_is_a_message_as_protobuf_reads_it_or_an_invalid_argument(
    kind: type[Message], body: Any
) -> None:
    text = json.dumps(body).encode()
    try:
        message = decode(text, kind)
    except InvalidArgument:
        return

    assert message == json_format.Parse(text, kind())
    assert decode(encode(message), kind) == message


@given(kind=st.sampled_from(KINDS), body=st.binary(max_size=20) | st.text(max_size=20).map(str.encode))
def test_any_bytes_are_a_message_or_an_invalid_argument(kind: type[Message], body: bytes) -> None:
    with contextlib.suppress(InvalidArgument):
        decode(body, kind)
