"""When a value is looked at, and how a violation reads."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from connect_server.connect_errors import InvalidArgument
from connect_server.validation import Validator
from platform_wire import environment_automation_pb2 as automation
from platform_wire import environment_pb2, event_pb2
from platform_wire.rules import RULES

VALIDATOR = Validator(RULES)
UUID = "0b9e6d4c-3f1a-4c52-9d3e-6a7b8c9d0e1f"


def refusal(message: Message) -> str:
    with pytest.raises(InvalidArgument) as caught:
        VALIDATOR.validate(message)
    return str(caught.value)


def test_message_that_holds_all_rules_passes() -> None:
    VALIDATOR.validate(automation.GetServiceRequest(id=UUID))


def test_violation_names_the_field_and_what_was_given() -> None:
    with pytest.raises(InvalidArgument, match=r'^cannot accept the request: id must be a UUID, not "x"$'):
        VALIDATOR.validate(automation.GetServiceRequest(id="x"))


def test_zero_value_is_looked_at_where_nothing_can_be_unset() -> None:
    assert refusal(automation.GetServiceRequest()) == 'cannot accept the request: id must be a UUID, not ""'


def test_what_can_be_unset_is_looked_at_only_if_it_is_set() -> None:
    metadata = automation.UpdateServiceRequest.ServiceMetadata

    assert not VALIDATOR.violations(automation.UpdateServiceRequest(id=UUID))
    assert not VALIDATOR.violations(automation.UpdateServiceRequest(id=UUID, metadata=metadata()))
    assert VALIDATOR.violations(automation.UpdateServiceRequest(id=UUID, metadata=metadata(name="")))


def test_path_goes_through_messages_lists_and_maps_in_clients_spelling() -> None:
    request = automation.UpsertAutomationsFileRequest(environment_id=UUID)
    request.automations_file.services["web"].name = "Web"
    request.automations_file.services["web"].triggered_by[:] = ["manual", "never"]
    request.automations_file.tasks["my task"].name = "Task"
    request.automations_file.tasks["my task"].command = "true"

    assert [str(violation) for violation in VALIDATOR.violations(request)] == [
        "automationsFile.services.web.triggeredBy[1] must be one of manual, postEnvironmentStart, "
        'postDevcontainerStart, prebuild, not "never"',
        'automationsFile.tasks["my task"] key must have 1 to 128 letters, digits, "_" and "-", not "my task"',
    ]


def test_oneof_that_is_missing_is_told_by_its_members() -> None:
    initializer = environment_pb2.EnvironmentInitializer(specs=[{}])

    assert [str(violation) for violation in VALIDATOR.violations(initializer)] == [
        "specs[0] must have git or contextUrl"
    ]


def test_list_that_is_too_long_is_not_looked_into() -> None:
    request = automation.ListServicesRequest()
    request.filter.service_ids[:] = ["x"] * 26

    assert [str(violation) for violation in VALIDATOR.violations(request)] == [
        "filter.serviceIds must have at most 25 items, not 26"
    ]


def test_enum_is_told_by_its_name() -> None:
    watch = event_pb2.WatchEventsRequest
    kinds = [watch.ResourceTypeFilter(), watch.ResourceTypeFilter(resource_type=999)]  # type: ignore[arg-type]

    assert [str(violation) for violation in VALIDATOR.violations(watch(resource_type_filters=kinds))] == [
        "resourceTypeFilters[0].resourceType must be set",
        "resourceTypeFilters[1].resourceType must be a ResourceType, not 999",
    ]


def test_many_violations_make_a_short_message() -> None:
    request = automation.CreateTaskRequest(environment_id=UUID, depends_on=["x" * 10_000] * 100_000)

    text = refusal(request)

    assert text.endswith("; and 95 more")
    assert len(text) < 1_000


def test_key_as_long_as_a_request_makes_a_short_message() -> None:
    request = automation.UpsertAutomationsFileRequest(environment_id=UUID)
    request.automations_file.tasks["x" * 1_000_000].command = "true"

    text = refusal(request)

    assert len(text) < 1_000
