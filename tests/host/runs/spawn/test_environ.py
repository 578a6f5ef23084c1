"""What commands see of the supervisor's environment, and what they do not."""

import os
import subprocess

import pytest

from supervisor.host.runs.spawn.environ import cleaned, compose
from supervisor.model.errors import NotFound, Precondition
from supervisor.model.spec import EnvVar, SecretRef


def composed(
    base: dict[str, str] | None = None,
    given: dict[str, str] | None = None,
    item: tuple[EnvVar, ...] = (),
    secrets: dict[str, str] | None = None,
    environment_id: str = "env-1",
    socket: str = "/state/api.sock",
) -> dict[str, str]:
    return compose(
        base or {},
        given or {},
        item,
        (secrets or {}).get,
        workspace="/workspace",
        run_id="run-1",
        environment_id=environment_id,
        output="/state/runs/run-1/gitpod-task-build.output",
        socket=socket,
    )


def test_cleaned_keeps_what_is_the_users() -> None:
    users = {"HOME": "/root", "LANG": "C", "PYTHONUNBUFFERED": "1", "GITPOD_GIT_USER": "me", "EMPTY": ""}

    assert cleaned(users, "/opt/supervisor/.venv") == users


@pytest.mark.parametrize(
    "name",
    [
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONSAFEPATH",
        "PYTHONNOUSERSITE",
        "__PYVENV_LAUNCHER__",
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_FDNAMES",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "SUPERVISOR_TOKEN",
        "SUPERVISOR_RUN_ID",
        "SUPERVISOR_SOCKET",
        "GITPOD_OUTPUT",
        "OLDPWD",
        "SHLVL",
        "_",
    ],
)
def test_cleaned_drops_what_is_the_supervisors(name: str) -> None:
    assert cleaned({name: "x"}, "") == {}


def test_cleaned_takes_its_own_virtual_environment_out_of_the_path() -> None:
    own = {
        "VIRTUAL_ENV": "/opt/supervisor/.venv/",
        "VIRTUAL_ENV_PROMPT": "(.venv)",
        "PATH": "/opt/supervisor/.venv/bin:/usr/bin::/opt/supervisor//.venv/bin/:/bin",
    }

    assert cleaned(own, "/opt/supervisor/.venv") == {"PATH": "/usr/bin::/bin"}


def test_cleaned_leaves_the_users_virtual_environment_alone() -> None:
    users = {"VIRTUAL_ENV": "/workspace/.venv", "PATH": "/workspace/.venv/bin:/usr/bin"}

    assert cleaned(users, "/opt/supervisor/.venv") == users
    assert cleaned(users, "") == users


def test_cleaned_unsets_a_path_that_would_be_empty() -> None:
    assert cleaned({"PATH": "/own/bin"}, "/own") == {}


def test_compose_lets_the_later_source_win() -> None:
    environ = composed(
        base={"A": "base", "B": "base", "C": "base", "D": "base"},
        given={"B": "given", "C": "given", "GITPOD_OUTPUT": "/tmp/other"},
        item=(EnvVar("C", "item"), EnvVar("PWD", "/elsewhere"), EnvVar("SUPERVISOR_RUN_ID", "other")),
    )

    assert environ == {
        "A": "base",
        "B": "given",
        "C": "item",
        "D": "base",
        "PWD": "/workspace",
        "GITPOD_ENVIRONMENT_ID": "env-1",
        "GITPOD_OUTPUT": "/state/runs/run-1/gitpod-task-build.output",
        "SUPERVISOR_SOCKET": "/state/api.sock",
        "SUPERVISOR_RUN_ID": "run-1",
    }


def test_compose_leaves_alone_what_it_does_not_know() -> None:
    environ = composed(base={"GITPOD_ENVIRONMENT_ID": "the platform's"}, environment_id="", socket="")

    assert environ["GITPOD_ENVIRONMENT_ID"] == "the platform's"
    assert "SUPERVISOR_SOCKET" not in environ


def test_compose_looks_secrets_up() -> None:
    environ = composed(item=(EnvVar("TOKEN", SecretRef("s-1")),), secrets={"s-1": "hunter2"})

    assert environ["TOKEN"] == "hunter2"


def test_compose_names_the_secret_that_does_not_exist() -> None:
    with pytest.raises(NotFound, match='cannot set the variable "TOKEN": there is no secret "s-2"'):
        composed(item=(EnvVar("TOKEN", SecretRef("s-2")),), secrets={"s-1": "hunter2"})


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("", "hunter2", "its name is empty"),
        ("A=B", "hunter2", 'its name holds "="'),
        ("A", "hunter2\0", "its value holds a NUL character"),
    ],
)
def test_compose_refuses_what_no_process_can_be_given(name: str, value: str, why: str) -> None:
    with pytest.raises(Precondition, match=why) as refused:
        composed(given={name: value})
    assert "hunter2" not in str(refused.value)


def test_bytes_that_are_not_utf8_reach_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environb, b"LATIN", b"caf\xe9")
    environ = composed(base=cleaned(os.environ, ""))

    printed = subprocess.run(
        ["sh", "-c", "printf %s $LATIN"], env=environ, stdout=subprocess.PIPE, check=True
    )

    assert printed.stdout == b"caf\xe9"
