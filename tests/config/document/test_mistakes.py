"""Mistakes that people make are told in their own terms, where they are and not where the parser gave up."""

import pytest

from supervisor.config import load_bytes
from supervisor.config.problem import LIMIT_PROBLEMS

HEAD = "tasks:\n  build:\n    name: Build\n"
QUOTES_OR_BLOCK = 'put it in quotes, or write "|" here and the text on the next line, indented more'
NEXT_LINE = "write the text on the next line, indented more"
NOTHING_ELSE = ", so nothing else may stand on this one"
NO_MORE = ", and nothing may follow the list"
READY = 'write a command that exits 0 once the service is ready as "ready" below "commands" (commands.ready)'
MARKERS = "keep one of the versions and remove the lines with the markers"


def told(text: str) -> list[str]:
    loaded = load_bytes(text.encode())
    assert loaded.file is None
    return [problem.render("f") for problem in loaded.errors]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("| echo hi", f'after "|" the text begins on the next line{NOTHING_ELSE}; {NEXT_LINE}'),
        ("> out echo hi", 'after ">" the text begins on the next line'),
        (
            "*.py",
            f'a value cannot start with "*", which in YAML repeats another value (an alias); {QUOTES_OR_BLOCK}',
        ),
        (
            "&& x",
            f'a value cannot start with "&", which in YAML names a value (an anchor); {QUOTES_OR_BLOCK}',
        ),
        ("[ -f x ] && y", f'a value that starts with "[" is a list in YAML{NO_MORE}; {QUOTES_OR_BLOCK}'),
        ("[[ -f x ]] || y", 'a value that starts with "[" is a list'),
        ('[ "$a" == "b" ] && x', 'a value that starts with "[" is a list'),
        ("{ a; b; }; c", 'a value that starts with "{" is a mapping'),
        (
            '"a" && "b"',
            "nothing may follow the closing quotes of a value; put the whole value in single quotes",
        ),
        ("'a' b", "nothing may follow the closing quotes of a value; put the whole value in double quotes"),
        ("- foo", 'a value cannot start with "- ", which in YAML begins a list; put it in quotes'),
        ("`ls`", f'a value cannot start with "`"; {QUOTES_OR_BLOCK}'),
        ("] x", f'a value cannot start with "]"; {QUOTES_OR_BLOCK}'),
    ],
)
def test_value_that_starts_with_a_character_of_yaml(command: str, message: str) -> None:
    [problem] = told(f"{HEAD}    command: {command}\n    triggeredBy: [manual]\n")

    assert problem.startswith(f"f:4:14: tasks.build.command: {message}")


def test_name_that_starts_with_brackets_has_no_need_of_a_block() -> None:
    [problem] = told("tasks:\n  build:\n    name: [WIP] Build\n    command: make\n")

    assert problem.startswith('f:3:11: tasks.build.name: a value that starts with "[" is a list in YAML')
    assert problem.endswith("; put it in quotes")


@pytest.mark.parametrize(
    ("lines", "place", "message"),
    [
        ("name:x\n    command: a", "f:3:5", 'a space is missing after "name:"; write "name: "'),
        ("name: x\n    command:a", "f:4:5", 'a space is missing after "command:"; write "command: "'),
        (
            "name:\u00a0x\n    command: a",
            "f:3:5",
            'after "name:" stands U+00A0 (a no-break space), which is not a space',
        ),
        ("name x\n    command: a", "f:3:5", 'a ":" is missing after "name"'),
        ("name: x\n    command = a", "f:4:13", '"=" stands where a colon should; write "command: "'),
        ("name\uff1a x\n    command: a", "f:3:9", '"\uff1a" stands where a colon should; write "name: "'),
        (
            "triggeredBy:\n      - manual\n      -prebuild",
            "f:5:7",
            'a space is missing after "-"; write "- "',
        ),
        ("triggeredBy:\n      * manual", "f:4:7", '"*" does not begin an item of a list; write "- "'),
        ("command: a\n    b", "f:4:5", 'this line is not a field: a ":" is missing; for a text'),
        ("command: |\n    a", "f:4:5", "this line is not a field, and it is not indented enough"),
        ("name: x\n      command: a", "f:4:7", "this line is indented more than the field above"),
        (
            "name: x\n   command: a",
            "f:4:4",
            "this line is indented by 3 spaces, and no line above is indented like it",
        ),
    ],
)
def test_line_that_is_no_field(lines: str, place: str, message: str) -> None:
    [problem] = told(f"tasks:\n  build:\n    {lines}\n")

    assert problem.startswith(place)
    assert f": {message}" in problem


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("\n      -manual\n      -prebuild", '"-manual -prebuild"; write a space after each "-"'),
        ("\n      -\u00a0manual", 'after "-" stands U+00A0 (a no-break space): write a space'),
        ("\n      \u2022 manual", 'write a space after each "-"'),
    ],
)
def test_list_that_is_none_for_want_of_a_space(field: str, message: str) -> None:
    [problem] = told(f"{HEAD}    command: make\n    triggeredBy:{field}\n")

    assert problem.startswith("f:6:7: tasks.build.triggeredBy: must be a list of triggers, not the string ")
    assert problem.endswith(message)


def test_each_conflict_of_a_merge_is_told_once() -> None:
    conflict = (
        "<<<<<<< HEAD\n    command: a\n||||||| base\n    command: b\n=======\n    command: c\n>>>>>>> other\n"
    )

    assert told(HEAD + conflict + "  test:\n    name: Test\n" + conflict) == [
        f'f:4:1: a merge conflict is not resolved: "<<<<<<< HEAD"; {MARKERS}',
        f'f:13:1: a merge conflict is not resolved: "<<<<<<< HEAD"; {MARKERS}',
    ]
    assert told(HEAD + "    command: a\n=======\n") == [
        'f:5:1: a merge conflict is not resolved: "======="; remove it'
    ]
    assert len(told(HEAD + conflict * 5_000)) == LIMIT_PROBLEMS


def test_every_line_that_is_indented_by_other_blanks_is_told() -> None:
    message = "U+00A0 (a no-break space) cannot indent a line; use spaces"

    assert told("tasks:\n  build:\n\u00a0   name: Build\n    command: a\n  \u00a0 triggeredBy: []\n") == [
        f"f:3:1: {message}",
        f"f:5:3: {message}",
    ]
    assert f'f:4:1: ["\\xa0 command"]: {message}' in told(HEAD + "\u00a0 command: a\n")
    assert "f:3:1: U+3000 (an ideographic space) cannot indent a line; use spaces" in told(
        "tasks:\n  build:\n\u3000\u3000name: Build\n    command: a\n"
    )


def test_many_lines_with_odd_blanks_are_told_in_part() -> None:
    lines = "      # words\n" * 1000 + "      \u00a0name: @\n" * 100_000

    assert len(told(f"tasks:\n  build:\n{lines}  test: @\n")) == 100


def test_text_of_a_script_may_begin_with_any_blank() -> None:
    [problem] = told(f"{HEAD}    command: |\n      cat <<E\n      \u00a0x\n      E\n    triggeredBy: @x\n")

    assert problem.startswith('f:8:18: tasks.build.triggeredBy: a value cannot start with "@"')


@pytest.mark.parametrize(
    "field", ["readinessProbe", "healthcheck", "healthCheck", "readiness", "readiness_probe"]
)
def test_probe_of_others_is_led_to_the_ready_command(field: str) -> None:
    [problem] = told(f"services: {{web: {{name: Web, commands: {{start: x}}, {field}: {{}}}}}}\n")

    assert problem.endswith(f'services.web.{field}: unknown field "{field}"; {READY}')


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ("restart", "a service that has ended is not restarted by itself"),
        ("depends_on", "only a task can depend on others"),
        ("environment", "export variables in the script"),
        ("working_dir", 'write "cd FOLDER" in the script'),
        ("ExecStart", 'write "start" below "commands"'),
        ("shutdown", 'as "stop" below "commands"'),
        ("livenessProbe", "nothing watches a service that runs"),
    ],
)
def test_field_of_others_gets_a_hint(field: str, hint: str) -> None:
    [problem] = told(f"services: {{web: {{name: Web, commands: {{start: x}}, {field}: x}}}}\n")

    assert hint in problem


def test_list_of_a_classic_file_is_told_with_all_that_is_wrong_inside() -> None:
    problems = told(
        "tasks:\n  - init: npm ci\n    name: One\n    command: npm start\n  - name: 2\n    comand: x\n"
    )

    assert problems[0].startswith(
        "f:2:3: tasks: must be a mapping, not a list; this is the list of a classic .gitpod.yml"
    )
    assert 'write a reference, as in "build:", in place of each "-"' in problems[0]
    assert problems[1:] == [
        'f:2:5: tasks[0].init: unknown field "init"; write a task of its own and name it in "dependsOn"',
        'f:5:5: tasks[1]: field "command" is missing',
        "f:5:11: tasks[1].name: must be a string, not the number 2; put it in quotes",
        'f:6:5: tasks[1].comand: unknown field "comand"; did you mean "command"?',
    ]


def test_list_of_references_is_told_with_all_that_is_wrong_inside() -> None:
    assert told(
        "services:\n  - web: {name: Web, commands: {strt: x}}\n"
        "tasks:\n  - a: {name: A, command: x, dependsOn: [wbe]}\n  - web: {name: B, command: x}\n"
    ) == [
        'f:2:3: services: must be a mapping, not a list; write a reference in place of each "-", as in "web:"',
        'f:2:22: services[0].web.commands: field "start" is missing',
        'f:2:33: services[0].web.commands.strt: unknown field "strt"; did you mean "start"?',
        'f:4:3: tasks: must be a mapping, not a list; write a reference in place of each "-", as in "build:"',
        'f:4:42: tasks[0].a.dependsOn[0]: no task or service has the reference "wbe"; did you mean "web"?',
        'f:5:5: tasks[1].web: the service at line 2, column 5 has the reference "web" too; rename one of them',
    ]


def test_value_that_is_a_comment_is_told() -> None:
    [problem] = told(f"{HEAD}    command: # make\n")

    assert problem == (
        "f:4:5: tasks.build.command: has no value; it must be a string; "
        'what follows "#" is a comment: put it in quotes'
    )


def test_exclamation_mark_that_yaml_takes_away_is_a_warning() -> None:
    loaded = load_bytes(f"{HEAD}    command: ! grep x\n    triggeredBy: [manual]\n".encode())

    assert loaded.file is not None
    assert [problem.render("f") for problem in loaded.warnings] == [
        'f:4:14: warning: tasks.build.command: "!" is a tag of YAML, so that the value is "grep x"; '
        "put the whole value in quotes"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("// all\ntasks: {}\n", 'f:1:1: "//" does not begin a comment; write "#"'),
        (
            f"{HEAD}    command: x\n    // more\n",
            'f:5:5: tasks.build: "//" does not begin a comment; write "#"',
        ),
        (
            f"{HEAD}    command: |\n      node <<EOF\n// more\nEOF\n",
            "f:6:1: tasks.build: this line is not a field, and it is not indented enough",
        ),
        (
            f'{HEAD}    command: "C:\\Users\\make.exe"\n',
            "f:4:19: tasks.build.command: unknown escape after the backslash; write the backslash twice",
        ),
        (
            'tasks:\n  build:\n    name: "Build\u201d\n    command: x\n',
            "f:3:11: tasks.build.name: the quotes that open here are never closed; "
            '"\u201d" does not close them; write "',
        ),
        (
            f"{HEAD}    command: x\n    triggeredBy:\n    --manual\n",
            'f:6:5: tasks.build.triggeredBy: this line is not a field: a ":" is missing; '
            'for an item of "triggeredBy" write "- " before it',
        ),
    ],
)
def test_line_that_other_languages_have(text: str, message: str) -> None:
    [problem] = told(text)

    assert problem.startswith(message)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("tasks:\nbuild: {name: B, command: x}\n", 'indent it, with all below it, to stand below "tasks"'),
        ("web: {name: W, commands: {start: x}}\n", 'indent it, with all below it, to stand below "services"'),
        ("x-base: &b {name: B}\n", 'put "&" and its name where the value is used first'),
        ("on: push\n", 'write "triggeredBy" with a list of triggers below each item that they start'),
        ("tasks:\n  build:\n    - name: Build\n    - command: x\n", 'remove the "-" before its fields'),
        ("tasks:\n  build:\n    name = B\n    command = x\n", 'write "name: "'),
        (
            f"{HEAD}    command: x\n    runsOn: docker\n",
            'write "docker:" below it, and below that "image: NAME"',
        ),
        (
            f"{HEAD}    command: x\n    runsOn: node:20\n",
            'write "docker:" below it, and below that "image: node:20"',
        ),
        (f"{HEAD}    command: x\n    runsOn: {{docker: node:20}}\n", 'write it as "image" below "docker"'),
        (
            f"{HEAD}    command: x\n    uses: actions/checkout@v4\n",
            "there are no actions here; do it in the script",
        ),
        ("services: {a: {name: A, commands: [npm start]}}\n", 'write one script as "start" below "commands"'),
        ("services: {a: {name: A, commands: 'npm:start'}}\n", 'write it as "start" below "commands"'),
        (
            "services: {a: {name: A, commands: {start: a, ready: {httpGet: {port: 80}}}}}\n",
            "write a command that exits 0 once the service is ready",
        ),
        (
            "services: {a: {name: A, commands: {start: a, ready: { test -e x; }}}}\n",
            'a value that starts with "{" is a mapping in YAML: put it in quotes',
        ),
    ],
)
def test_habit_of_other_files_is_led_to_what_is_right(text: str, hint: str) -> None:
    assert [problem for problem in told(text) if problem.endswith(f"; {hint}")], told(text)


def test_reference_in_a_list_is_no_field_of_its_item() -> None:
    problems = told("tasks:\n  - build:\n    name: Build\n    command: 7\n")

    assert [problem.partition(": must be")[0] for problem in problems] == [
        "f:2:3: tasks",
        "f:4:14: tasks[0].build.command",
    ]
