"""All entries of a bundle, the most useful first: when space or time runs out, the rest is left out."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from typing import Any, get_args

from supervisor.bundle.archive import BundleEntry, LeftOut
from supervisor.bundle.context import BundleContext, Question
from supervisor.bundle.masker import Masker
from supervisor.bundle.state import state_entries
from supervisor.bundle.system import system_entries
from supervisor.bundle.workspace_file import automations_file
from supervisor.config.document.source import Unreadable, read_file
from supervisor.doctor.findings import findings_json

FILE_BYTES = 1 << 20
_QUESTIONS: tuple[Question, ...] = get_args(Question)


def entries(context: BundleContext, masker: Masker) -> Iterator[BundleEntry]:
    """The entries, with secrets masked by `masker`."""
    for question in _QUESTIONS:
        yield _document(f"supervisor/{question}.json", functools.partial(_answer, context, question), masker)
    yield _document("config.json", context.sources.config, masker)
    yield _document("doctor.json", lambda: findings_json(context.sources.findings()), masker)
    yield BundleEntry("automations.yaml", lambda: _file(context, masker))
    yield BundleEntry("initial-spec.json", lambda: _spec(context, masker))
    yield from system_entries(context.pid, context.environ, masker)
    yield from state_entries(context.state, masker)


def _document(name: str, read: Callable[[], Any], masker: Masker) -> BundleEntry:
    return BundleEntry(name, lambda: masker.document(read()))


def _answer(context: BundleContext, question: Question) -> Any:
    if context.not_running:
        raise LeftOut(context.not_running)
    return context.sources.answer(question)


def _file(context: BundleContext, masker: Masker) -> bytes:
    if context.file is None:
        raise LeftOut("the workspace has none")
    data = automations_file(context.file, context.workspace)
    if len(data) <= FILE_BYTES:
        return masker.text(data)
    return masker.text(data[:FILE_BYTES], final=False) + b"\n[the rest is not in the bundle]\n"


def _spec(context: BundleContext, masker: Masker) -> bytes:
    spec = next((path for path in context.specs if path.is_file()), None)
    if spec is None:
        raise LeftOut(f"there is no {context.specs[0]}")
    try:
        text = read_file(spec, FILE_BYTES).decode("utf-8-sig", "replace")
    except Unreadable as error:
        raise LeftOut(str(error)) from error
    try:
        return masker.document(json.loads(text))
    except (ValueError, RecursionError):
        raise LeftOut("it is not JSON, so secrets in it cannot be found") from None
