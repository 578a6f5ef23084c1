"""The file that a newcomer starts from."""

from __future__ import annotations

from pathlib import Path


def starter_text() -> str:
    """A commented automations file that is valid as it stands and shows every field."""
    return Path(__file__).with_name("starter.yaml").read_text(encoding="utf-8")
