"""Finds the running supervisor: by `--socket`, `SUPERVISOR_SOCKET`, the settings of `supervisor run` for its state
(`SUPERVISOR_STATE_DIR`, `SUPERVISOR_WORKSPACE`), or by the workspace around the current folder.

The path of a workspace gives the path of its supervisor's state directory: one for each user, and one that root uses to
run commands as another user, who may then use the socket in it. So the folders from the current one upwards are tried
one by one. A killed supervisor leaves a socket behind on which nobody answers.

Another user may have made that path first (in /tmp, for a user without a home). So a folder that others can exchange is
not searched, and only root and our own user are accepted as servers. Root may name any user's socket.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from supervisor.host.state.state_path import default_path, system_path
from supervisor.host.users.folder_trust import doubt, is_of_outside
from supervisor.model.errors import BadSettings
from supervisor.model.sysexits import EXIT_NOT_RUNNING
from supervisor.settings import cwd
from supervisor.shim.unix_socket import connect, peer_credentials

VARIABLE = "SUPERVISOR_SOCKET"
# Not from the table of settings, whose import costs as much as everything else here. A test compares the two.
STATE_DIR = "SUPERVISOR_STATE_DIR"
WORKSPACE = "SUPERVISOR_WORKSPACE"


class NotRunning(click.ClickException):
    """No supervisor answers. The message says how to start one."""

    exit_code = EXIT_NOT_RUNNING

    def show(self, file: object = None) -> None:
        """Print the message as this program prints errors, in place of click's way."""
        click.echo(f"supervisor: {self.message}", err=True)


class Untrusted(NotRunning):
    """Another user listens on the supervisor's socket."""


def find_socket(given: str | None = None, workspace: str | None = None) -> str:
    """The path of the running supervisor's socket. Raises NotRunning if no supervisor answers.

    Args:
        given: the value of `--socket`.
        workspace: where to look, instead of the current folder and those above it.
    """
    if given is not None:
        return _answering(given, "--socket")
    if workspace is not None:
        try:
            found = _of_workspace(cwd.absolute(workspace))
        except ValueError as error:
            raise NotRunning(f'cannot find the supervisor of "{workspace}": {error}') from None
        if found is None:
            raise NotRunning(f'no supervisor runs for {workspace}; "supervisor run" there starts one')
        return found
    named = os.environ.get(VARIABLE)
    if named:
        return _answering(named, VARIABLE)
    if state_dir := os.environ.get(STATE_DIR):
        return _answering(os.path.join(state_dir, "api.sock"), STATE_DIR)
    if workspace := os.environ.get(WORKSPACE):
        return find_socket(workspace=workspace)
    return _from_here()


@contextmanager
def connection(path: str, timeout_s: float | None) -> Iterator[socket.socket]:
    """A connected socket, closed at the end unless the caller detaches it. Raises OSError, Untrusted."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connecting:
        connecting.settimeout(timeout_s)
        connect(connecting, path)
        _check_server(connecting, path)
        yield connecting


def _check_server(connected: socket.socket, path: str) -> None:
    """Raise Untrusted unless root or our own user listens."""
    _, uid = peer_credentials(connected)
    if uid not in (0, os.geteuid()) and os.geteuid() != 0 and not is_of_outside(uid):
        raise Untrusted(
            f"cannot use {path}: user {uid} listens there, who is neither root nor you; "
            "name the supervisor's own socket with --socket"
        )


def _answering(path: str, source: str) -> str:
    try:
        with connection(path, 1.0):
            return path
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise NotRunning(
            f'no supervisor answers on {path} ({source}): {why.lower()}; "supervisor run" in the workspace starts one'
        ) from None


def _from_here() -> str:
    try:
        here = cwd.current("tell which supervisor is meant")
    except BadSettings as error:
        raise NotRunning(f"{error}, or name its socket with --socket") from None
    folder = here
    while True:
        found = _of_workspace(folder)
        if found is not None:
            return found
        above = os.path.dirname(folder)
        if above == folder:
            raise NotRunning(
                f'no supervisor runs for {here} or a folder above it; "supervisor run" in the workspace starts one, '
                "--socket names one that keeps its state elsewhere"
            )
        folder = above


def _of_workspace(folder: str) -> str | None:
    """The socket of a folder's supervisor: our own one, or the one that root runs for us with `--user`."""
    for state in (default_path(folder, os.environ), system_path(folder)):
        if found := _answers(str(state / "api.sock")):
            return found
    return None


def _answers(path: str) -> str | None:
    if not os.path.lexists(path):
        return None
    try:
        if found := doubt(os.path.dirname(path)):
            print(f"supervisor: not using {path}: {found.path} {found.why}", file=sys.stderr)
            return None
        with connection(path, 1.0):
            return path
    except (ConnectionRefusedError, FileNotFoundError):
        return None
    except OSError as error:
        print(f"supervisor: cannot use {path}: {error.strerror or error}", file=sys.stderr)
        return None
