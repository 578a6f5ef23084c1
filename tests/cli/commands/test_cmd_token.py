"""`token` of a running supervisor."""

from __future__ import annotations

import base64
import json

from tests.cli.running import Running


def test_token_has_the_scope_that_was_asked_for(running: Running) -> None:
    token = running.out("token", "--scope", "logs", "--ttl", "5m").strip()

    claims = token.split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["scope"] == "logs"
    assert running.json("token")["ttlSeconds"] == 24 * 3600
    assert running.cli("token", "--ttl", "soon").process.returncode == 2
