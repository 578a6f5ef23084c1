"""What tests of the doctor share: no way out of this machine, and certificates that nobody else trusts."""

import pytest

from tests.doctor.guard import loopback_only
from tests.doctor.servers import Authority

__all__ = ["loopback_only"]


@pytest.fixture(scope="session")
def authority() -> Authority:
    """The CA that the machine under test trusts."""
    return Authority("Trusted Test CA")


@pytest.fixture(scope="session")
def stranger() -> Authority:
    """A CA that it does not, as of a proxy that intercepts."""
    return Authority("Corporate Inspection CA")
