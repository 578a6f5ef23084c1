"""Looks into a bundle."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import zstandard

FOLDER = "supervisor-bundle/"


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files of a bundle by their names, in order."""
    files = {}
    with (
        zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)) as stream,
        tarfile.open(fileobj=stream, mode="r|") as tar,
    ):
        for member in tar:
            assert member.name.startswith(FOLDER)
            assert member.mode == 0o600
            content = tar.extractfile(member)
            assert content is not None
            files[member.name.removeprefix(FOLDER)] = content.read()
    return files


def manifest_of(files: dict[str, bytes]) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(files["manifest.json"])
    return manifest
