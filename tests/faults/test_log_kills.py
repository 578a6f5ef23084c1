"""Kills of those who look after output cost no byte; `python -m tests.faults.log_kills --kills 200`: for long."""

from __future__ import annotations

import random

import pytest

from tests.faults.log_kills import VICTIMS, LogKills
from tests.faults.scene import Scene

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KILLS = 6


@pytest.mark.parametrize("victims", VICTIMS)
def test_kills_lose_and_double_no_byte(
    scene: Scene, victims: str, dice: random.Random, request: pytest.FixtureRequest
) -> None:
    kills = KILLS * 10 if request.config.getoption("--all-faults") else KILLS

    compared = LogKills(scene, victims, dice).compared(kills)

    assert compared.kills == kills
    assert compared.compared_bytes > 0
    assert (compared.lost_bytes, compared.doubled_bytes, compared.other_bytes) == (0, 0, 0)
