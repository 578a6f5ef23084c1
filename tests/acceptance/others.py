"""Other calls while something large goes on: how long they take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from platform_wire import environmentopts_pb2 as pb
from tests.acceptance.trial import percentile
from tests.e2e.ops_client import OpsClient


class Others:
    """Asks the same small thing again and again."""

    def __init__(self, ask: Callable[[], object], pause_s: float = 0.005) -> None:
        self._ask = ask
        self._pause_s = pause_s
        self._over = threading.Event()
        self._error: BaseException | None = None
        self.took_s: list[float] = []

    @contextmanager
    def meanwhile(self) -> Iterator[None]:
        """Ask until the block has ended. Raises what a call has raised."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._over.wait(self._pause_s):
                began = time.monotonic()
                self._ask()
                self.took_s.append(time.monotonic() - began)
        except BaseException as error:  # raised where it is waited for
            self._error = error

    @property
    def p99_s(self) -> float:
        return percentile(self.took_s, 99)


def capabilities_of(ops: OpsClient) -> Callable[[], object]:
    """A call that costs the supervisor next to nothing."""
    return lambda: ops.unary("ListCapabilities", pb.ListCapabilitiesRequest(), pb.ListCapabilitiesResponse)


def command_of(ops: OpsClient) -> Callable[[], object]:
    """A command that ends at once."""

    def run() -> None:
        answer = ops.unary("Exec", pb.ExecRequest(command="exit 3"), pb.ExecResponse)
        assert answer.exit_code == 3, answer

    return run
