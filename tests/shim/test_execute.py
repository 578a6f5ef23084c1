"""The child that becomes another user."""

import os

import pytest

from supervisor.shim.execute import ExecFailed, _become, execute
from supervisor.shim.protocol import SpawnRequest, UserIds
from tests.host.users.other_user import needs_root


@needs_root
def test_child_ends_although_nobody_takes_its_report() -> None:
    log = os.open("/dev/null", os.O_WRONLY)
    pid = os.fork()
    if pid == 0:
        try:
            _become(
                "/no/such/program", ["/no/such/program"], {}, (log, log, log), "/", UserIds(0, 0, (0,)), -1
            )
        finally:
            os._exit(1)
    os.close(log)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 127


def run(*argv: str, program: str = "", words: tuple[str, ...] = (), user: UserIds | None = None) -> int:
    request = SpawnRequest("r", argv, {}, "/", "", "", 0.0, user, program=program, words=words)
    null = os.open("/dev/null", os.O_RDWR)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(execute(request, null, null, null), 0)[1])
    finally:
        os.close(null)


@pytest.mark.parametrize(
    "user", [None, pytest.param(UserIds(64_321, 64_322, (64_322,)), marks=needs_root)], ids=["own", "other"]
)
@pytest.mark.parametrize(
    ("program", "status"),
    [("/bin/sh", 3), ("/no/such/program", 4), ("/etc/hostname", 4), ("/etc", 4), ("/bin/sh/x", 4)],
)
def test_a_program_that_the_kernel_refuses_is_for_the_shell(
    program: str, status: int, user: UserIds | None
) -> None:
    assert run("/bin/sh", "-c", "exit 4", program=program, words=("sh", "-c", "exit 3"), user=user) == status


def test_what_fails_with_the_shell_too_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        run("/no/such/shell", program="/no/such/program", words=("program",))


@needs_root
def test_a_user_that_nobody_can_become_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second attempt would fail in the same way."""
    calls = []
    real = os.fork

    def fork() -> int:
        calls.append("fork")
        return real()

    monkeypatch.setattr(os, "fork", fork)
    with pytest.raises(ExecFailed) as caught:
        run("/bin/true", program="/bin/true", words=("true",), user=UserIds(2**32 - 1, 1, (1,)))
    assert (caught.value.stage, calls) == ("user", ["fork"])
