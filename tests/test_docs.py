"""The documentation: references are what the code says, links lead somewhere."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.api.logs import log_query

ROOT = Path(__file__).resolve().parents[1]
TEXTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("*/*.md"))]


def test_references_are_what_the_code_says() -> None:
    """In a process of its own: click keeps the help option of the first context in which a command was used."""
    words = [sys.executable, "-I", str(ROOT / "docs/generate.py"), "--check"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_references_name_every_parameter_and_header_of_a_log() -> None:
    """The tables stand beside the function that reads a request; these are the names that it looks up."""
    tree = ast.parse(Path(log_query.__file__).read_text())
    looked_up = {
        node.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        for node in call.args
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }

    assert log_query.PARAMETERS.keys() | log_query.HEADERS.keys() <= looked_up
    assert {word for word in looked_up if re.fullmatch(r"[a-z]+|[A-Z][A-Za-z-]+", word)} - {"true"} == {
        *log_query.PARAMETERS,
        *log_query.HEADERS,
    }


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]

    assert [link for link in links if link and not (path.parent / link).exists()] == []
