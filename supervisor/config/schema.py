"""The published JSON Schema of the automations file."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
NAME = "automations.schema.json"


def schema_path() -> Path:
    """Inside the package when it is installed, beside it in a checkout."""
    installed = _PACKAGE / "schemas" / NAME
    return installed if installed.exists() else _PACKAGE.parent / "schemas" / NAME


def schema_text() -> str:
    """The schema as it is published."""
    return schema_path().read_text(encoding="utf-8")
