"""Connections to shims that are not needed any more."""

from pathlib import Path

import anyio
import pytest

from supervisor.host.runs.spawn.shim_client import ShimClient
from supervisor.host.runs.spawn.shim_pool import ShimPool


@pytest.mark.anyio
async def test_a_shim_is_left_although_the_supervisor_ends_meanwhile(tmp_path: Path) -> None:
    client = ShimClient.start()
    pool = ShimPool(str(tmp_path / "shim.sock"), client)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await pool.leave(client)
    assert (client.fileno(), client.pid) == (-1, None)
