"""All parts of a bundle, the most telling first: where room or time runs out, the rest is left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from supervisor.bundle.context import Scene
from supervisor.bundle.entry import LeftOut, Part
from supervisor.bundle.masking import Masking
from supervisor.bundle.state import state_parts
from supervisor.bundle.system import system_parts
from supervisor.bundle.workspace_file import automations_file
from supervisor.config.document.source import Unreadable, read_file
from supervisor.doctor.finding import findings_json

FILE_BYTES = 1 << 20
_ASKED = ("status", "recent", "activity", "services", "tasks", "executions")


def parts(scene: Scene, masking: Masking) -> Iterator[Part]:
    """The parts, with secrets hidden by `masking`."""
    for name in _ASKED:
        yield Part(f"supervisor/{name}.json", lambda name=name: masking.document(_asked(scene, name)))  # type: ignore[misc]
    yield _document("config.json", scene.config, masking)
    yield _document("doctor.json", lambda: findings_json(scene.examine()), masking)
    yield Part("automations.yaml", lambda: _file(scene, masking))
    yield Part("initial-spec.json", lambda: _spec(scene, masking))
    yield from system_parts(scene.pid, scene.environ, masking)
    yield from state_parts(scene.state, masking)


def _document(name: str, read: Callable[[], Any], masking: Masking) -> Part:
    return Part(name, lambda: masking.document(read()))


def _asked(scene: Scene, name: str) -> Any:
    if scene.not_running:
        raise LeftOut(scene.not_running)
    if name not in scene.ask:
        raise LeftOut("the running supervisor does not tell")
    return scene.ask[name]()


def _file(scene: Scene, masking: Masking) -> bytes:
    if scene.file is None:
        raise LeftOut("there is none in the workspace")
    data = automations_file(scene.file, scene.workspace)
    if len(data) <= FILE_BYTES:
        return masking.text(data)
    return masking.text(data[:FILE_BYTES], final=False) + b"\n[what comes after this is not in the bundle]\n"


def _spec(scene: Scene, masking: Masking) -> bytes:
    spec = next((path for path in scene.specs if path.is_file()), None)
    if spec is None:
        raise LeftOut(f"there is no {scene.specs[0]}")
    try:
        text = read_file(spec, FILE_BYTES).decode("utf-8-sig", "replace")
    except Unreadable as error:
        raise LeftOut(str(error)) from error
    try:
        return masking.document(json.loads(text))
    except (ValueError, RecursionError):
        raise LeftOut("it is no JSON, and so nothing in it can be told from a secret") from None
