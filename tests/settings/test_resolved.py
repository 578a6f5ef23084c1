"""Which source counts, and what becomes of a bad value of each."""

import pytest

from supervisor.model.errors import BadSettings
from supervisor.settings import table
from supervisor.settings.resolved import Origin, SettingSource, Spec, resolve

UUID = "07e03a28-65a5-4d98-b532-8ea67b188048"
OTHER = "17e03a28-65a5-4d98-b532-8ea67b188048"
DEFAULT_SPEC = table.DEFAULT_SPEC


def problems(flags: dict[str, str], environ: dict[str, str], spec: Spec | None = None) -> tuple[str, ...]:
    with pytest.raises(BadSettings) as caught:
        resolve(flags, environ, spec)
    return caught.value.problems


def test_flags_count_more_than_variables_than_the_spec_than_defaults() -> None:
    flags, environ = {"environment-id": UUID}, {"SUPERVISOR_ENVIRONMENT_ID": OTHER}
    spec = Spec(texts={"environmentId": OTHER.upper()})

    def origin(*sources: object) -> tuple[str | None, Origin]:
        resolved = resolve(*sources)  # type: ignore[arg-type]
        return resolved[table.ENVIRONMENT_ID], resolved.origin(table.ENVIRONMENT_ID)

    assert origin(flags, environ, spec) == (UUID, Origin(SettingSource.FLAG, "--environment-id", UUID))
    assert origin({}, environ, spec) == (
        OTHER,
        Origin(SettingSource.VARIABLE, "SUPERVISOR_ENVIRONMENT_ID", OTHER),
    )
    assert origin({}, {}, spec) == (
        OTHER,
        Origin(SettingSource.SPEC, f"environmentId in {DEFAULT_SPEC}", OTHER.upper()),
    )
    assert origin({}, {}) == (None, Origin(SettingSource.DEFAULT))


def test_values_are_typed() -> None:
    resolved = resolve(
        {"log-limit": "5", "host-name": "a,b", "drain-grace": "2m"}, {"SUPERVISOR_NO_API": "true"}
    )

    assert resolved[table.LOG_LIMIT] == 5
    assert resolved[table.HOST_NAME] == ("a", "b")
    assert resolved[table.DRAIN_GRACE] == 120.0
    assert resolved[table.NO_API] is True
    assert resolved[table.LISTEN] is not None


def test_an_empty_variable_is_unset_and_an_empty_flag_is_a_value() -> None:
    assert resolve({}, {"SUPERVISOR_LOG_LIMIT": ""}).origin(table.LOG_LIMIT).source is SettingSource.DEFAULT
    assert resolve({"public-url": ""}, {"SUPERVISOR_PUBLIC_URL": "http://a"})[table.PUBLIC_URL] is None
    assert problems({"log-limit": ""}, {}) == (
        "cannot use --log-limit: it is not a whole number from 1 to 1048576",
    )


def test_all_that_is_wrong_is_said_at_once_and_names_its_source() -> None:
    assert problems({"log-limit": "0"}, {"SUPERVISOR_ENVIRONMENT_ID": "x\n", "SUPERVISOR_NO_WATCH": "?"}) == (
        'cannot use SUPERVISOR_ENVIRONMENT_ID "x\\n": it is not a UUID; '
        "write it as 07e03a28-65a5-4d98-b532-8ea67b188048",
        'cannot use SUPERVISOR_NO_WATCH "?": it is neither true nor false; write true or false',
        'cannot use --log-limit "0": it is not a whole number from 1 to 1048576',
    )


def test_a_long_value_is_not_repeated_in_full() -> None:
    [problem] = problems({"environment-id": "x" * 5000}, {})

    assert len(problem) < 250


def test_a_bad_value_of_a_spec_that_nobody_named_is_a_notice_and_counts_as_absent() -> None:
    resolved = resolve({}, {}, Spec(texts={"environmentId": "x", "controlPlaneApiEndpoint": "https://a"}))

    assert resolved[table.ENVIRONMENT_ID] is None
    assert resolved[table.CONTROL_PLANE_URL] == "https://a"
    assert resolved.notices == (
        f'cannot use environmentId in {DEFAULT_SPEC} "x": it is not a UUID; '
        "write it as 07e03a28-65a5-4d98-b532-8ea67b188048; going on without it",
    )


@pytest.mark.parametrize("named", [({"initial-spec": "f"}, {}), ({}, {"SUPERVISOR_INITIAL_SPEC": "f"})])
def test_the_same_in_a_spec_that_was_named_is_an_error(
    named: tuple[dict[str, str], dict[str, str]],
) -> None:
    [problem] = problems(*named, Spec("f", {"environmentId": "x"}))

    assert problem.startswith('cannot use environmentId in f "x": it is not a UUID')


def test_a_bad_value_of_the_spec_does_not_matter_where_a_flag_says_better() -> None:
    resolved = resolve({"environment-id": UUID}, {}, Spec(texts={"environmentId": "x"}))

    assert (resolved[table.ENVIRONMENT_ID], resolved.notices) == (UUID, ())


def test_the_token_is_not_kept_and_not_shown() -> None:
    resolved = resolve({}, {}, Spec(texts={"environmentToken": "s3cret"}))

    assert resolved[table.ENVIRONMENT_TOKEN] is True
    assert "s3cret" not in repr(resolved)


def test_a_token_in_the_environment_is_refused_without_showing_it() -> None:
    [problem] = problems({}, {"SUPERVISOR_ENVIRONMENT_TOKEN": "s3cret"})

    assert "--environment-token-file" in problem
    assert "s3cret" not in problem


def test_a_slip_in_a_variable_earns_a_notice() -> None:
    assert resolve({}, {"SUPERVISOR_LOGLIMIT": "5"}).notices == (
        'the variable SUPERVISOR_LOGLIMIT has no effect; did you mean "SUPERVISOR_LOG_LIMIT"?',
    )


def test_variables_of_others_that_begin_alike_earn_none() -> None:
    others = ("SOCKET", "RUN_ID", "RUNS", "ENABLED", "SERVER_URL", "PROCESS_NAME", "GROUP_NAME", "PORT",
              "SERVICE_HOST", "SERVICE_PORT", "PORT_24424_TCP_ADDR", "TEST_SESSION")  # fmt: skip

    assert resolve({}, {f"SUPERVISOR_{name}": "1" for name in others}).notices == ()
