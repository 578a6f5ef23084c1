"""Whatever the bytes: a verdict, quickly, with places inside the file and words that are safe to print."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from supervisor.config import Loaded, load_bytes
from supervisor.config.document.text import LIMIT_BYTES
from supervisor.config.problem import LIMIT_PROBLEMS
from tests.contract import CORPUS, OUR_OWN

REAL = sorted(CORPUS.glob("*/*.yaml")) or OUR_OWN

examples = settings(derandomize=True, max_examples=400)


def check(data: bytes) -> Loaded:
    loaded = load_bytes(data)
    text = data.removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
    lines = re.split(r"\r\n|\n|\r", text)
    if len(lines) > 1 and not lines[-1]:
        lines.pop()  # what follows the last line end is no line
    assert (loaded.file is None) == bool(loaded.errors)
    assert len(loaded.problems) <= LIMIT_PROBLEMS + 1
    places = [(problem.line, problem.column) for problem in loaded.problems if problem.line]
    assert places == sorted(places)
    for line, column in places:
        assert 1 <= line <= len(lines)
        assert 1 <= column <= len(lines[line - 1]) + 1
    for problem in loaded.problems:
        assert problem.message
        assert problem.render("file").isprintable()
    return loaded


@examples
@given(st.binary(max_size=200))
@example(b"\xff\xfe")
@example(b"a: \xff")
@example(b"\xef\xbb\xbf\xef\xbb\xbf")
@example(b"\xef\xbb\xbfa: \x00")
def test_bytes_get_a_verdict(data: bytes) -> None:
    check(data)


marks = st.sampled_from(list(":-?[]{},#&*!|>'\"%@`~<=\n\t \r\x85\u2028\ufeff\x00\x7fé𝄞"))
words = st.sampled_from(
    ["services", "tasks", "web", "name", "commands", "start", "command", "dependsOn", "<<", "null"]
)
pieces = (
    marks
    | words
    | st.sampled_from([": ", "\n  ", "\n    ", "- ", "&a ", "*a ", "<<: ", "!!str ", "---\n", "12", "true"])
)


@settings(examples, max_examples=1500)
@given(st.lists(pieces, max_size=60).map("".join))
@example("\ufeff\ufeff@")
def test_text_of_yaml_pieces_gets_a_verdict(text: str) -> None:
    check(text.encode())


@examples
@given(st.data())
def test_damaged_real_file_gets_a_verdict(source: st.DataObject) -> None:
    text = source.draw(st.sampled_from(REAL)).read_text()
    for _ in range(source.draw(st.integers(1, 4))):
        start = source.draw(st.integers(0, len(text)))
        end = min(len(text), start + source.draw(st.sampled_from([0, 0, 1, 5, 50])))
        text = text[:start] + source.draw(st.lists(pieces, max_size=3).map("".join)) + text[end:]
    check(text.encode(errors="surrogatepass"))


# ---- large ones ----


def tasks(count: int, dependency: str) -> bytes:
    lines = (
        f" t{i}: {{name: a, command: b, dependsOn: [{dependency.format(i + 1)}]}}\n" for i in range(count)
    )
    return b"tasks:\n" + "".join(lines).encode()


def test_a_long_chain_of_tasks_is_accepted() -> None:
    count = 20_000
    loaded = check(
        tasks(count, "t{}") + f" t{count}: {{name: a, command: b, triggeredBy: [manual]}}\n".encode()
    )

    assert loaded.file is not None
    assert len(loaded.file.tasks) == count + 1
    assert not loaded.problems


def test_a_long_cycle_is_told_whole() -> None:
    count = 5_000
    [problem] = check(
        tasks(count, "t{}") + f" t{count}: {{name: a, command: b, dependsOn: [t0]}}\n".encode()
    ).errors

    way = problem.message.removeprefix("the dependencies form a cycle: ").split(" -> ")
    assert way == [*(f"t{i}" for i in range(count + 1)), "t0"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(tasks(5_000, "u{}"), id="unknown dependencies"),
        pytest.param(tasks(3_000, "t{}, t0"), id="cycles"),
        pytest.param(b"a: 1\n" * 50_000, id="equal keys"),
        pytest.param(b"".join(b"a%d: 1\n" % i for i in range(50_000)), id="unknown fields"),
        pytest.param(b"tasks:\n" + b"".join(b" t%d: {nmae: 1}\n" % i for i in range(20_000)), id="bad items"),
        pytest.param(b"a: {b: !x 1, c: !x 2}\n" * 10_000, id="unknown tags"),
    ],
)
def test_a_file_made_of_mistakes_gets_the_first_of_them(data: bytes) -> None:
    loaded = check(data)

    assert len(loaded.problems) == LIMIT_PROBLEMS + 1 or "cycle" in loaded.errors[0].message
    assert sum(len(problem.text) for problem in loaded.problems) < 1_000_000


@pytest.mark.parametrize("filler", [b"#", b"\n", b" ", b"a: ", b'"', b"- ", b"x", b"9", b"'\n"])
def test_a_file_of_ten_megabytes_of_one_thing_gets_a_verdict(filler: bytes) -> None:
    check(filler * (LIMIT_BYTES // len(filler)))


def test_a_larger_file_is_refused_unread() -> None:
    [problem] = check(b"#" * (LIMIT_BYTES + 1)).errors

    assert problem.message == "the file is larger than 10 MB"
