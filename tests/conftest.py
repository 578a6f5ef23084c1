"""What holds for every test: nothing is left behind, and Hypothesis does not judge by the clock."""

import random
import signal
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from tests import leaks

leaks.mark_session()

# Who starts the tests in the background or below nohup has them ignored, and the programs of the tests would, too.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)

# A deadline for each example fails on a busy machine and not on an idle one; the timeout of the test remains.
settings.register_profile(
    "supervisor", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("supervisor")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How hard and how long tests/faults and tests/security try; CONTRIBUTING says how to use them."""
    group = parser.getgroup("faults")
    group.addoption("--seed", type=int, default=random.randrange(1 << 32), help="draw the same faults again")
    group.addoption("--all-faults", action="store_true", help="hurt in every way and at every point")
    group.addoption("--storm-seconds", type=float, default=20.0, help="how long a random storm lasts")
    group.addoption("--stall-seconds", type=float, default=5.0, help="how long SIGSTOP holds the supervisor")
    group.addoption("--soak-seconds", type=float, default=20.0, help="how long the soak lasts")
    group.addoption(
        "--terminal-megabytes", type=float, default=12.0, help="how much a terminal is flooded with"
    )
    group.addoption("--full-size", action="store_true", help="files of the contract's sizes in tests/clients")
    group.addoption("--fuzz-seconds", type=float, default=4.0, help="how long each fuzzer runs")


def pytest_report_header(config: pytest.Config) -> str:
    return f"faults: --seed {config.getoption('--seed')}"


failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[failed] = item.stash.get(failed, False) or report.failed
    return report


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """What a test draws from: the same for the same --seed and test. A failed test shows the seed."""
    seed = request.config.getoption("--seed")
    print(f"--seed {seed}")
    return random.Random(f"{seed} {request.node.nodeid}")


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Generator[None]:
    """Fails a test that leaves a process, a descriptor or a thread behind."""
    before = leaks.snapshot()
    yield
    # A failed test's traceback keeps files and threads alive; its own error is the one to read.
    found = [] if request.node.stash.get(failed, False) else leaks.leaks(before)
    leaks.end_processes(before)
    if found:
        pytest.fail("the test leaves behind: " + "; ".join(found), pytrace=False)
