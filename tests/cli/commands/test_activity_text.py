"""Activity in a line: what people read of every state that it can have."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.cli.commands.cmd_status import beat, last_signal, summary

SIGNAL = {"at": "2025-02-12T14:30:00.000Z", "source": "SSH", "outcome": "delivered", "why": ""}
BEAT = {
    "url": "https://app.gitpod.io/api", "intervalSeconds": 300.0, "state": "waiting", "why": "",
    "due": "2025-02-12T14:35:00.000Z", "failures": 0, "signals": [SIGNAL],
}  # fmt: skip
IDLE: dict[str, Any] = {"awake": False, "since": None, "sources": [], "last": None, "heartbeat": None}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.cli.commands.cmd_status.local_time", lambda at: at[11:19])


def test_sources_are_named_once_each() -> None:
    seen = [{"source": name} for name in ("SSH", "VS Code", "SSH")]
    awake = IDLE | {"awake": True, "since": "2025-02-12T14:05:00.000Z", "sources": seen}
    assert summary(awake) == "SSH, VS Code, since 14:05:00"


def test_idle_environment_tells_what_was_active_last() -> None:
    assert summary(IDLE) == "nothing is active"
    before = IDLE | {"last": {"source": "VS Code", "at": "2025-02-12T14:05:00.000Z"}}
    assert summary(before) == "nothing is active; last was VS Code at 14:05:00"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, "every 5 min to https://app.gitpod.io/api; next at 14:35:00"),
        ({"failures": 2}, "every 5 min to https://app.gitpod.io/api; tried again at 14:35:00"),
        ({"state": "sending"}, "every 5 min to https://app.gitpod.io/api; a signal is under way"),
        ({"state": "idle"}, "every 5 min to https://app.gitpod.io/api; next when something is active"),
        ({"state": "refused", "why": "it is"}, "every 5 min to https://app.gitpod.io/api; stopped: it is"),
        ({"intervalSeconds": 0.5}, "every 0.5 s to https://app.gitpod.io/api; next at 14:35:00"),
    ],
)
def test_every_state_of_the_heartbeat_has_its_words(change: dict[str, Any], text: str) -> None:
    assert beat(BEAT | change) == text


def test_last_signal_tells_why_it_failed() -> None:
    assert last_signal(BEAT) == "last signal at 14:30:00 delivered"
    failed = SIGNAL | {"outcome": "failed", "why": "HTTP status 503"}
    assert (
        last_signal(BEAT | {"signals": [failed, SIGNAL]})
        == "last signal at 14:30:00 failed (HTTP status 503)"
    )
    assert last_signal(BEAT | {"signals": []}) == ""
    assert last_signal(None) == ""
