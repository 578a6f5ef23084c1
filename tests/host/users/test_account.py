"""The users that commands can run as, and their environment."""

import os
import pwd

import pytest

from supervisor.host.users.account import Account, account, completed
from supervisor.model.errors import MachineError
from tests.host.users.other_user import needs_root, open_folder, other

__all__ = ["open_folder"]


def refusal(name: str) -> str:
    with pytest.raises(MachineError) as caught:
        account(name)
    return str(caught.value)


def known(monkeypatch: pytest.MonkeyPatch, home: str, shell: str) -> None:
    """Have the password database know the user "dev"."""
    entry = pwd.struct_passwd(("dev", "x", 64321, 64321, "", home, shell))
    monkeypatch.setattr(pwd, "getpwnam", {"dev": entry}.__getitem__)


def test_account_is_what_the_password_database_says() -> None:
    mine = pwd.getpwuid(os.geteuid())
    assert account(mine.pw_name) == Account(
        mine.pw_name,
        mine.pw_uid,
        mine.pw_gid,
        tuple(os.getgrouplist(mine.pw_name, mine.pw_gid)),
        mine.pw_dir,
        mine.pw_shell,
    )


@pytest.mark.parametrize("name", ["no-such-user", "", "a\0b", "a:b", "x" * 500])
def test_unknown_user_is_refused(name: str) -> None:
    assert refusal(name) == (
        f'cannot run commands as user "{name}": there is no such user; make it with useradd, or name another'
    )


@needs_root
def test_user_without_a_home_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, "/nonexistent", "/bin/sh")
    assert refusal("dev") == (
        'cannot run commands as user "dev": its home folder "/nonexistent" is not there; '
        "make it, or name another user"
    )


@needs_root
@pytest.mark.parametrize("shell", ["/usr/sbin/nologin", "/bin/false", "/no/such/shell", "/etc/passwd"])
def test_user_whose_shell_refuses_logins_is_refused(monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    known(monkeypatch, "/", shell)
    assert refusal("dev").startswith(f'cannot run commands as user "dev": its shell {shell} lets nobody in; ')


@needs_root
def test_user_with_no_shell_noted_has_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, "/", "")
    assert account("dev").shell == "/bin/sh"


def test_only_root_may_name_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, "/", "/bin/sh")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert refusal("dev") == (
        'cannot run commands as user "dev": only root may run commands as another user; '
        "start the supervisor as root"
    )
    monkeypatch.setattr(os, "geteuid", lambda: 64321)
    assert account("dev").uid == 64321, "its own user is no other one"


def test_environ_is_the_users_without_the_session_of_the_user_that_started_us() -> None:
    base = {
        "PATH": "/bin",
        "LANG": "C.UTF-8",
        "HOME": "/root",
        "USER": "root",
        "LOGNAME": "root",
        "SHELL": "/bin/zsh",
        "MAIL": "/var/mail/root",
        "XDG_RUNTIME_DIR": "/run/user/0",
        "XDG_STATE_HOME": "/root/state",
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/0/bus",
        "SSH_AUTH_SOCK": "/tmp/ssh/agent",
        "SUDO_USER": "somebody",
    }
    assert other("/home/dev").environ(base) == {
        "PATH": "/bin",
        "LANG": "C.UTF-8",
        "HOME": "/home/dev",
        "USER": "dev",
        "LOGNAME": "dev",
        "SHELL": "/bin/sh",
    }


def test_what_a_login_sets_is_taken_from_the_password_database_where_it_is_missing() -> None:
    mine = pwd.getpwuid(os.geteuid())
    whole = completed({"X": "1"}, os.geteuid())
    assert (
        whole.items()
        >= {"X": "1", "HOME": mine.pw_dir, "USER": mine.pw_name, "LOGNAME": mine.pw_name}.items()
    )
    assert "/usr/bin" in whole["PATH"].split(":")
    assert os.access(whole["SHELL"], os.X_OK)
    assert completed({"HOME": "/h", "USER": ""}, os.geteuid())["HOME"] == "/h"
    assert completed({}, 64329).keys() == {"PATH", "SHELL"}, "nobody knows this user"
