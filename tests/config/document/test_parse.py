"""YAML as version 1.2 has it, with a place for everything, whatever the file does."""

import pytest

from supervisor.config import load_bytes
from supervisor.config.document.nodes import Mapping, Scalar, ScalarKind, Sequence, walk_to
from supervisor.config.document.parse import LIMIT_DEPTH, LIMIT_NODES, parse
from supervisor.config.document.text import LIMIT_BYTES, Text
from supervisor.config.explainer import plain


def value(text: str) -> object:
    parsed = parse(Text(text))
    assert parsed.problems == []
    return None if parsed.root is None else plain(parsed.root)


def word(text: str) -> Scalar:
    root = parse(Text(text)).root
    assert isinstance(root, Scalar)
    return root


def problems(text: str) -> list[str]:
    return [problem.render("f") for problem in parse(Text(text)).problems]


# ---- words ----


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "false", "False", "FALSE", '!!bool "true"'])
def test_only_the_spellings_of_true_and_false_are_booleans(text: str) -> None:
    assert word(text).kind is ScalarKind.BOOL


@pytest.mark.parametrize("text", ["null", "Null", "NULL", "~", "- ", "!!null ''"])
def test_null_has_four_spellings_and_emptiness(text: str) -> None:
    root = parse(Text(text)).root
    node = root.items[0] if isinstance(root, Sequence) else root

    assert isinstance(node, Scalar)
    assert node.kind is ScalarKind.NULL


@pytest.mark.parametrize("text", ["0", "-1", "+12", "0777", "0o17", "0xBEEF", "!!int '7'", "9" * 10_000])
def test_whole_numbers(text: str) -> None:
    assert word(text).kind is ScalarKind.INT


@pytest.mark.parametrize("text", ["1.5", "-.5", "1.", "1e3", "+1.0E-2", ".inf", "-.INF", ".nan", "!!float 1"])
def test_other_numbers(text: str) -> None:
    assert word(text).kind is ScalarKind.FLOAT


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "no",
        "on",
        "off",
        "y",
        "tRUE",
        "nULL",
        "22:22",
        "1_000",
        "0b11",
        "-0x1",
        "0o8",
        "1e",
        "+",
        ".",
        "+.nan",
        "2026-11-21",
        "1.2.3",
        "<<",
        "=",
        "'true'",
        '"12"',
        "! 12",
        "!!str true",
        "12s",
        "١٢",
    ],
)
def test_everything_else_is_a_string(text: str) -> None:
    assert word(text).kind is ScalarKind.STRING


def test_keys_count_as_their_text() -> None:
    assert value("1: a\ntrue: b\n~: c\n0x1F: d\n'e': f\n") == {
        "1": "a",
        "true": "b",
        "~": "c",
        "0x1F": "d",
        "e": "f",
    }


@pytest.mark.parametrize("text", ["", "\n\n", "# words\n", "---\n...\n", "~"])
def test_empty_file_has_no_value(text: str) -> None:
    assert value(text) is None


def test_block_text_keeps_its_lines_and_windows_line_ends_become_plain() -> None:
    assert value("a: |\r\n  one\r\n  two\r\nb: >-\r\n  three\r\n  four\r\n") == {
        "a": "one\ntwo\n",
        "b": "three four",
    }


# ---- places ----


def test_places_are_offsets_of_the_first_character() -> None:
    text = Text('é: 1\nb:\n  - "𝄞": x\n')
    root = parse(text).root
    assert root is not None

    places = [text.position(walk_to(root, path)[0]) for path in (("é",), ("b",), ("b", 0), ("b", 0, "𝄞"))]

    assert places == [(1, 1), (2, 1), (3, 5), (3, 5)]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_lines_end_as_in_editors(line_end: str) -> None:
    text = Text(f"a: '\u2028\u0085\u2029'{line_end}b: {line_end}")
    root = parse(text).root
    assert isinstance(root, Mapping)

    assert text.position(root.entries["b"].at) == (2, 1)


@pytest.mark.parametrize(
    ("content", "end"), [("", (1, 1)), ("a", (1, 2)), ("a\n", (1, 2)), ("a\r\n", (1, 2)), ("\n", (1, 1))]
)
def test_end_of_the_text_counts_to_its_last_line(content: str, end: tuple[int, int]) -> None:
    assert Text(content).position(len(content)) == end
    assert Text(content).position(len(content) + 5) == end


def test_byte_order_mark_is_no_column() -> None:
    [problem] = load_bytes("\ufefftasks: {}\nx: 1".encode()).problems

    assert (problem.line, problem.column) == (2, 1)


# ---- aliases and merge keys ----


def test_alias_repeats_the_value_at_its_own_place() -> None:
    root = parse(Text("a: &x [1, {b: c}]\nd: *x\n")).root
    assert isinstance(root, Mapping)

    assert plain(root) == {"a": [0, {"b": "c"}], "d": [0, {"b": "c"}]}
    assert root.entries["d"].value.at == len("a: &x [1, {b: c}]\nd: ")


def test_later_anchor_of_the_same_name_wins() -> None:
    assert value("a: &x 1\nb: &x two\nc: *x\n") == {"a": 0, "b": "two", "c": "two"}
    assert value("a: &x [&x y, *x]\nb: *x\n") == {"a": ["y", "y"], "b": "y"}


def test_alias_may_be_a_key() -> None:
    assert value("a: &x b\n*x : c\n") == {"a": "b", "b": "c"}


def test_explicit_key_wins_over_merged_one_wherever_it_stands() -> None:
    assert value("a: &x {k: x, l: x}\nb: {k: y, <<: *x}\nc: {<<: *x, k: y}\n") == {
        "a": {"k": "x", "l": "x"},
        "b": {"k": "y", "l": "x"},
        "c": {"k": "y", "l": "x"},
    }


def test_earlier_merged_mapping_wins_over_later_one() -> None:
    assert value("a: {<<: [{k: x}, {k: y, l: y}]}") == {"a": {"k": "x", "l": "y"}}


def test_merged_mapping_may_itself_merge() -> None:
    assert value("a: &x {<<: {k: x}, l: x}\nb: {<<: *x}\n")["b"] == {"l": "x", "k": "x"}  # type: ignore[index]


def test_quoted_merge_key_is_a_key() -> None:
    assert value("a: {'<<': {k: x}}") == {"a": {"<<": {"k": "x"}}}


def test_merge_key_twice_is_a_duplicate_key() -> None:
    assert problems("a: {<<: {b: c}, <<: {d: e}}") == [
        'f:1:17: a["<<"]: duplicate key "<<"; the first is at line 1; write one with a list: <<: [*a, *b]'
    ]


# ---- limits ----


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def test_depth_is_limited() -> None:
    assert problems(nested(LIMIT_DEPTH)) == []
    assert problems(nested(LIMIT_DEPTH + 1))[0].startswith("f:1:101: ")


@pytest.mark.parametrize(
    "opener", ["[", "{", "- ", "? ", "[? ", "{? ", "a: [", "&a [", "!!seq [", "[[],", "{a: "]
)
def test_a_million_openers_are_an_error(opener: str) -> None:
    assert len(problems(opener * 1_000_000)) == 1


def bomb(levels: int, width: int) -> str:
    lines = ["l0: &l0 [x]"]
    lines += [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * width)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(("levels", "width"), [(30, 10), (2, 60_000), (3000, 2)])
def test_aliases_that_multiply_are_refused_before_anyone_walks_them(levels: int, width: int) -> None:
    assert "the aliases make the file grow past 100,000 values" in problems(bomb(levels, width))[0]


def test_aliases_that_multiply_bytes_are_refused() -> None:
    text = f"a: &a {'é' * 200_000}\nb: [{', '.join(['*a'] * 25)}]"

    assert "the aliases make the file grow past 10 MB" in problems(text)[0]
    assert problems(text.replace("é", "e")) == []


def test_merge_keys_that_multiply_are_refused() -> None:
    lines = ["l0: &l0 {a: b}"] + [
        f"l{i}: &l{i} {{<<: [{', '.join([f'*l{i - 1}'] * 10)}]}}" for i in range(1, 9)
    ]

    assert "grow past" in problems("\n".join(lines))[0]


def test_values_that_are_written_out_are_limited_by_the_size_of_the_file_alone() -> None:
    text = "[" + "x," * (LIMIT_NODES + 1) + "]"

    assert problems(text) == []
    assert "grow past" in problems(text[:-1] + "&a x, *a]")[0]
    assert len(text) < LIMIT_BYTES


# ---- mistakes ----


def test_reading_goes_on_after_equal_keys_and_unknown_tags() -> None:
    assert problems("a: 1\na: !x 2\nb: {c: 1, 'c': 2}\nd: !!int z\n") == [
        'f:2:4: a: unknown tag "!x"; remove it, or put the value in quotes',
        'f:2:1: a: duplicate key "a"; the first is at line 1',
        'f:3:11: b.c: duplicate key "c"; the first is at line 3',
        'f:4:4: d: "z" is not of the type !!int',
    ]


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("a: [1, 2\nb: 3", 'f:1:4: a: the list that starts here is not closed by "]"'),
        ("a: [1, 2", 'f:1:4: a: the "[" that opens here is never closed; write "]"'),
        ("a: {b: c", 'f:1:4: a: the "{" that opens here is never closed; write "}"'),
        ("a: {b: c]\n", 'f:1:4: a: the mapping that starts here is not closed by "}"'),
        ("a: 'b", "f:1:4: a: the quotes that open here are never closed"),
        ("a:\n\t- b", "f:2:1: a: a tab cannot indent; use spaces"),
        ("a: @b", 'f:1:4: a: a value cannot start with "@"; put it in quotes'),
        ("a: `b`", 'f:1:4: a: a value cannot start with "`"; put it in quotes'),
        ("a: - b", 'f:1:4: a: a "-" cannot stand here; start the list on a line of its own'),
        ("- a\nb: c", 'f:2:1: [1]: a "-" is expected here'),
        ("a: b\nc\nd: e\n", 'f:2:1: this line is not a field: a ":" is missing'),
        (" a: b\nc: d", "f:2:1: the file goes on after its end"),
        ('a: "\\ud800"', "f:1:7: a: this escape names no character; write the character itself"),
        ('a: "\\q"', "f:1:5: a: unknown escape after the backslash"),
        ("%YAML 3.0\n---\n", "f:1:1: this version of YAML is not known; remove the line"),
        ("a: b\n--- c\n", "f:2:1: a second document starts here"),
        ("a: *b", "f:1:4: a: unknown alias *b"),
        ("a: {[b]: c}", "f:1:5: a: a list cannot be a key"),
        ("a: &x [b]\nc: {*x : d}", "f:2:5: c: a list cannot be a key"),
        ("a: &x {b: [*x]}", "f:1:12: a.b[0]: the alias *x stands inside the value that it names"),
        ("a: {<<: [b]}", 'f:1:9: a["<<"]: "<<" must name a mapping or a list of mappings'),
        ("a: {<<: }", 'f:1:9: a["<<"]: "<<" must name a mapping or a list of mappings'),
    ],
)
def test_mistake_is_told_in_plain_words_where_it_is(text: str, rendered: str) -> None:
    [problem] = problems(text)

    assert problem.startswith(rendered)
