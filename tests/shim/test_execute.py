"""The child that becomes another user."""

import os

from supervisor.shim.execute import _become
from supervisor.shim.protocol import UserIds
from tests.host.users.other_user import needs_root


@needs_root
def test_child_ends_although_nobody_takes_its_report() -> None:
    log = os.open("/dev/null", os.O_WRONLY)
    pid = os.fork()
    if pid == 0:
        try:
            _become(["/no/such/program"], {}, (log, log, log), "/", UserIds(0, 0, (0,)), -1)
        finally:
            os._exit(1)
    os.close(log)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 127
