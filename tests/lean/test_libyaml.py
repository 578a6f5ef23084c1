"""The parser that is imported alone does what it does within all of PyYAML."""

import json
import subprocess
import sys
from pathlib import Path

FIXTURES = sorted((Path(__file__).parents[2] / "fixtures").rglob("*.y*ml"))
SNIPPETS = [
    "a: [1, 'two', *x]\nb: !t &x {c: |\n  d\n}\n",
    "a: [1\n",
    "a: b: c",
    "\ta: 1",
    "a: 'open",
    "a: \x07",
    "--- a\n--- b\n...\n",
    "%YAML 3.0\n---\na",
    '"\\q"',
]

TELL = """
import json, sys
if sys.argv[1] == "whole":
    import yaml
from supervisor.lean.libyaml import CParser, MarkedYAMLError, ReaderError, YAMLError
alone = "yaml" not in sys.modules

def told(text):
    events = []
    try:
        parser = CParser(text)
        while (event := parser.get_event()) is not None:
            marks = [mark and mark.index for mark in (event.start_mark, event.end_mark)]
            events.append([repr(event), marks])
    except YAMLError as error:
        events.append([type(error).__name__, isinstance(error, MarkedYAMLError), isinstance(error, ReaderError)])
        events.append({name: getattr(mark, "pointer", mark) and str(mark) for name, mark in vars(error).items()})
    return events

print(json.dumps([alone, [told(text) for text in json.load(sys.stdin)]], default=str))
import yaml
assert yaml.safe_load("a: [1, yes]") == yaml.load("a: [1, yes]", Loader=yaml.CSafeLoader) == {"a": [1, True]}
assert yaml.compose("a: 1", Loader=yaml.CSafeLoader).value[0][0].value == "a"
assert yaml.safe_dump({"a": 1}) == yaml.dump({"a": 1}, Dumper=yaml.CSafeDumper) == "a: 1\\n"
"""


def told(how: str) -> tuple[bool, list[object]]:
    texts = [path.read_bytes().decode("utf-8", "replace") for path in FIXTURES] + SNIPPETS
    done = subprocess.run(
        [sys.executable, "-I", "-c", TELL, how],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    alone, events = json.loads(done.stdout)
    return alone, events


def test_events_and_errors_are_those_of_the_whole_package() -> None:
    alone, events = told("alone")
    whole, expected = told("whole")
    assert (alone, whole) == (True, False)
    assert len(events) == len(FIXTURES) + len(SNIPPETS) > 20
    assert events == expected
