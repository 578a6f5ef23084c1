"""Another user for commands, who needs no entry in the password database, and a folder that this user can reach."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.host.users.account import Account
from tests.removal import remove

UID, GID, GROUP = 64321, 64322, 64323

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as another user")


def other(home: str) -> Account:
    """A user that nobody is."""
    return Account("dev", UID, GID, (GID, GROUP), home, "/bin/sh")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that others may enter; pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="open-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    remove(folder)
