"""The files that come with the program: the published JSON Schema, and the automations file to start from."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
SCHEMA_NAME = "automations.schema.json"


def schema_path() -> Path:
    """The schema's file: inside the package when it is installed, beside it in a checkout."""
    installed = _PACKAGE / "schemas" / SCHEMA_NAME
    return installed if installed.exists() else _PACKAGE.parent / "schemas" / SCHEMA_NAME


def schema_text() -> str:
    """The schema as it is published."""
    return schema_path().read_text(encoding="utf-8")


def starter_text() -> str:
    """A commented automations file that is valid as it stands and shows every field."""
    return Path(__file__).with_name("starter.yaml").read_text(encoding="utf-8")
