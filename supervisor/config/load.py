"""From bytes to a typed file, or to all of its problems.

Nothing here raises, whatever the bytes are: a bad file is an ordinary event for the supervisor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from supervisor.config.decode import Undecodable, decode
from supervisor.config.dependencies import reference_problems
from supervisor.config.document import source
from supervisor.config.document.parse import Parsed, parse
from supervisor.config.document.text import Text, decode_text
from supervisor.config.lint import advice
from supervisor.config.problem import LIMIT_PROBLEMS, Loaded, Problem, Severity
from supervisor.model.spec import AutomationsFile


def load_file(path: Path | str) -> Loaded:
    """Read and check the file at `path`, or standard input for `-`."""
    data = source.read(path)
    return Loaded(None, (data,)) if isinstance(data, Problem) else load_bytes(data)


def load_bytes(data: bytes) -> Loaded:
    """Check the content of a file."""
    text = decode_text(data)
    if isinstance(text, Problem):
        return Loaded(None, (text,))
    parsed = parse(text)
    file = _decoded(parsed)
    problems = _sorted(_problems(parsed, file, text))
    if any(problem.severity is Severity.ERROR for problem in problems):
        return Loaded(None, problems)
    if file is None:
        # The schema allows what the decoder refuses: a bug that tests look for. A poor reason is better than silence.
        problems += (Problem("the file breaks a rule for which there is no message yet"),)
    return Loaded(file, problems)


def _decoded(parsed: Parsed) -> AutomationsFile | None:
    try:
        return None if parsed.is_broken else decode(parsed.root)
    except Undecodable:
        return None


def _problems(parsed: Parsed, file: AutomationsFile | None, text: Text) -> Iterator[Problem]:
    yield from parsed.problems
    if parsed.is_broken:
        return
    yield from reference_problems(parsed.root, text)
    if file is not None:
        yield from advice(parsed.root, file, text)
    elif parsed.root is not None:
        # Imported only for a refused file: jsonschema costs more than all the rest of the start.
        from supervisor.config.explainer import explain

        yield from explain(parsed.root, text)


def _sorted(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    found = list(islice(problems, LIMIT_PROBLEMS + 1))
    more = len(found) > LIMIT_PROBLEMS
    # A mistake in an alias is reported at each use of it; the path tells the reports apart.
    found = sorted(found[:LIMIT_PROBLEMS], key=lambda problem: (problem.line, problem.column))
    if more:
        found.append(Problem(f"there are more problems than these {LIMIT_PROBLEMS}"))
    return tuple(found)
