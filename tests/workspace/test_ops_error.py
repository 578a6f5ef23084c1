import errno

import pytest

from supervisor.workspace.ops_error import refused

_WORDS_OF_THE_SDK = (
    "timeout",
    "timed out",
    "connection refused",
    "no such host",
    "name not resolved",
    "network is unreachable",
)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOENT, "not_found"),
        (errno.EACCES, "permission_denied"),
        (errno.EPERM, "permission_denied"),
        (errno.EEXIST, "already_exists"),
        (errno.ELOOP, "failed_precondition"),
        (errno.ENOSPC, "resource_exhausted"),
        (errno.EDQUOT, "resource_exhausted"),
    ],
)
def test_an_error_of_the_kernel_has_a_code(number: int, code: str) -> None:
    assert refused('read "/a"', OSError(number, "")).code == code


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_no_error_of_the_kernel_has_words_that_the_sdk_takes_for_its_own(number: int) -> None:
    message = refused('read "/a"', OSError(number, "")).message.lower()
    assert message.startswith('cannot read "/a": ')
    assert not [word for word in _WORDS_OF_THE_SDK if word in message]
