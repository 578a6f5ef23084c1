"""A command does what it would do as a script that bash reads from a file, whichever form it has.

The oracle is bash itself: what a text prints, what it leaves in files and exits with, and what its program gets as
arguments and environment must be the same in both ways.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from supervisor.host.runs.spawn import command_line
from supervisor.model.action import RunKind
from tests.host.runs.spawn.shell_world import SHOW, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made, before = World(tmp_path_factory.mktemp("world")), os.getcwd()
    os.chdir(made.workspace)
    yield made
    os.chdir(before)


def form(line: command_line.CommandLine) -> str:
    if line.program:
        return "direct"
    return "inline" if "-c" in line.argv else "file"


COMMANDS = [
    *(
        SHOW,
        f"exec {SHOW}",
        "/usr/bin/env -0",
        "nohup plain",
        "ls -d",
        "cat",
        "killed",
        "~/nothing",
        "$HOME/nothing",
    ),
    *(
        "plain",
        "headless",
        "lost",
        "garbage",
        "locked",
        "missing",
        "folder",
        "''",
        "-x",
        "+x",
        "%1",
        "{plain,x}",
    ),
    *(
        "./plain",
        "./headless",
        "./locked",
        "./missing",
        "./sub",
        "sub/there",
        "/",
        "//",
        ".",
        "..",
        "./",
        "plain/",
    ),
    *(
        "exec plain",
        "exec headless",
        "exec missing",
        "exec locked",
        "exec lost",
        "exec echo",
        "exec",
        "exec -c plain",
    ),
    *(
        "test -f",
        "[ -f",
        "true",
        "false",
        ":",
        "exit",
        "kill -9 $PID",
        "echo",
        "printf %s",
        "cd",
        "return 3",
        "umask",
    ),
    *("$X", "$EMPTY", "$EMPTY plain", "'plain'", "\\plain", 'pl"ai"n', "'echo' x", "'if' x", "'test' -f"),
    *(
        "command plain",
        "eval plain",
        ". ./plain",
        "set -x;",
        "trap 'plain' EXIT;",
        "! plain",
        "time",
        "if",
        "coproc x",
    ),
]
WORDS = [
    *(
        "a",
        "-x",
        "--a=b",
        "a=b",
        "0",
        "%1",
        "@",
        "x,y",
        "a:b",
        "^a^b",
        "a#b",
        "#",
        "# no",
        "!",
        "!!",
        "a!b",
        "-f plain ]",
    ),
    *(
        "'a b'",
        "''",
        "'$X'",
        "'a\nb'",
        "'\\'",
        '"a b"',
        '"a\'b"',
        '""',
        '"$X"',
        '"${X}"',
        '"a\\"b"',
        '"a\\b"',
        '"a\\\nb"',
    ),
    *(
        '"`echo x`"',
        '"$(echo x)"',
        "$(echo x)",
        "$(echo $X)",
        "$(missing)",
        "$(declare -p)",
        "`echo x`",
        "$((1+2))",
    ),
    *(
        "$X",
        "${X}",
        "$EMPTY",
        '"$EMPTY"',
        "${UNSET:-d}",
        "${UNSET:-$X}",
        "${X#a}",
        "${#X}",
        "${UNSET:?no}",
        "${!X}",
    ),
    *(
        "$0",
        "$1",
        '"$@"',
        "$#",
        "$?",
        "$-",
        "$_",
        "$LINENO",
        "$SHLVL",
        "${BASH_SOURCE[0]}",
        "$BASH_EXECUTION_STRING",
    ),
    *(
        "$'a\\tb'",
        '$"a"',
        "$",
        '"$"',
        "a$",
        "$/",
        "\\",
        "\\\\",
        "\\ ",
        "\\a",
        "\\\n",
        "a\\\nb",
        "\\$X",
        "'it'\\''s'",
    ),
    *(
        "*",
        "*.txt",
        "[a-z]*",
        "nothing*",
        "{a,b}",
        "{1..3}",
        "{}",
        "~",
        "~/x",
        "a~",
        "a=~",
        "~nobody",
        "if",
        "then",
    ),
    *(
        ";",
        "&",
        "|",
        "&&",
        "||",
        "(",
        ")",
        "`",
        "'",
        '"',
        "\n",
        "\r",
        "\t",
        "\x01",
        "é",
        "\xa0",
        "setsid",
        "\nplain",
    ),
    *("; plain", "&& plain", "|| plain", "| cat", "<<E\nE", "<<<x", "exec plain"),
]
REDIRECTIONS = [
    *(
        ">a.made",
        "> a.made",
        ">>a.made",
        "2>b.made",
        "2>&1",
        "1>&2",
        ">&2",
        "&>c.made",
        "&>>c.made",
        "<plain",
        "</nope",
    ),
    *(
        ">/nope/x",
        "2>/nope/x",
        ">|a.made",
        "<>a.made",
        "3>d.made",
        "{fd}>d.made",
        ">&-",
        "2>&-",
        ">'a b.made'",
        ">& 2",
    ),
    *(
        '>"$X".made',
        ">$X",
        ">*.made",
        "0<plain",
        "12>x.made",
        "a>a.made",
        ">&a.made",
        ">(cat)",
        "2>&3",
        "2>&1x",
    ),
    *("\\2>a.made", '"2">a.made', "> sub/a.made", "2\\\n>a.made", "2>b.made <nope", "2>&1 >a.made"),
]
ASSIGNMENTS = [
    *(
        "A=1",
        "A=",
        "A='x y'",
        'A="$X"',
        "A=$X",
        "A=~",
        "A=*",
        "A+=1",
        "A[0]=1",
        "A=(1)",
        "X=new",
        "A=a=b",
        "A={a,b}",
    ),
    *(
        "PATH=/nowhere",
        "PATH=",
        "LC_ALL=C",
        "BASH_ENV=plain",
        "IFS=,",
        "SHLVL=9",
        "PWD=/",
        "HOME=/",
        "_=x",
        "PS4=x",
    ),
    *("POSIXLY_CORRECT=1", "1A=x", "A-B=1", "A=\\\n1", "SHELLOPTS=xtrace", "UID=1", "'A'=1", "A='1"),
]
BEFORE = [
    "cd sub &&",
    "cd nope &&",
    "cd sub;",
    "cd &&",
    "cd $EMPTY &&",
    "cd ~ &&",
    "cd - &&",
    "cd sub && cd .. &&",
]
ENVIRONMENTS: list[dict[str, str]] = [
    *(
        {},
        {},
        {},
        {},
        {"BASH_ENV": "rc"},
        {"SHELLOPTS": "xtrace"},
        {"BASHOPTS": "extglob"},
        {"POSIXLY_CORRECT": "1"},
    ),
    *({"BASH_FUNC_plain%%": "() {  echo a function $*\n}"}, {"BASH_FUNC_other%%": "() { echo other; }"}),
    *(
        {"SHLVL": "3"},
        {"SHLVL": "x"},
        {"PS1": "$ "},
        {"PS4": "trace "},
        {"IFS": ":"},
        {"_": "before"},
        {"UID": "5"},
    ),
    *(
        {"OLDPWD": "/usr"},
        {"OLDPWD": "/nowhere"},
        {"RANDOM": "5"},
        {"a.b": "1", "x-y": "2"},
        {"CDPATH": "/usr:."},
    ),
    *(
        {"PATH": ".:/usr/bin"},
        {"PATH": "sub:/usr/bin:/bin"},
        {"PATH": "~/bin:/usr/bin"},
        {"PATH": "/usr/bin:/bin/"},
    ),
    {"SSH_CLIENT": "127.0.0.1 1 2"},
    {
        "HISTFILE": "/x",
        "TMOUT": "3",
        "ENV": "rc",
        "TERM": "dumb",
        "LINES": "5",
        "COLUMNS": "7",
        "TIMEFORMAT": "x",
    },
]
KINDS = [RunKind.TASK, RunKind.START]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Texts of commands, most of them nearly simple."""
    parts = []
    if draw(st.integers(0, 7)) == 0:
        parts.append(draw(st.sampled_from(BEFORE)))
    if draw(st.integers(0, 4)) == 0:
        parts += draw(st.lists(st.sampled_from(ASSIGNMENTS), min_size=1, max_size=2))
    parts.append(draw(st.sampled_from(COMMANDS)))
    for _ in range(draw(st.integers(0, 3))):
        which = draw(st.integers(0, 9))
        if which < 4:
            parts.append(draw(st.sampled_from(WORDS)))
        elif which < 6:
            parts.append(draw(st.sampled_from(REDIRECTIONS)))
        elif which < 7:
            parts.append(draw(st.text("ab '\"\\$`#~*?[]{}()<>|&;!=%^,\n\t", max_size=5)))
        else:
            parts.append(draw(st.sampled_from(["a", "-x", "'a b'"])))
    begin = draw(st.sampled_from(["", "", "", "", "\n", "# a comment\n\n", "  ", "#!/bin/sh\n"]))
    end = draw(
        st.sampled_from(["", "", "", "", "\n", "\n\n", "  ", " # word\n", "\n# a comment", ";", " &", "\\\n"])
    )
    return begin + draw(st.sampled_from([" ", " ", " ", "  ", "\t"])).join(parts) + end


@settings(
    max_examples=int(os.environ.get("SHELL_EXAMPLES", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(texts(), st.sampled_from(ENVIRONMENTS), st.sampled_from(KINDS))
# What was found by random texts, and the traps that are known:
@example("-x -x", {}, RunKind.TASK)  # bash takes the text after -c for an option
@example("cat $X 'a b' &>c.made", {}, RunKind.START)  # the glob must not find the file that the command makes
@example("A=\\\n1 exec missing", {}, RunKind.START)  # a line less, a line number less
@example(SHOW, {"SSH_CLIENT": "127.0.0.1 1 2"}, RunKind.TASK)  # bash -c would read ~/.bashrc
@example("headless a", {}, RunKind.TASK)  # the kernel does not execute it, bash does
@example("A=1 headless a", {}, RunKind.TASK)
@example("lost", {}, RunKind.TASK)
@example("garbage", {}, RunKind.TASK)
@example("locked", {}, RunKind.TASK)
@example("folder", {}, RunKind.TASK)
@example("./sub", {}, RunKind.TASK)
@example("missing 2>b.made >a.made", {}, RunKind.START)
@example("cd nope && plain >a.made", {}, RunKind.TASK)
@example("cd sub && plain >a.made", {}, RunKind.TASK)
@example(f"{SHOW} >a.made", {}, RunKind.TASK)
@example(f"exec {SHOW} >a.made", {}, RunKind.TASK)
@example("plain a\n", {"BASH_FUNC_plain%%": "() {  echo a function $*\n}"}, RunKind.TASK)
@example("killed", {}, RunKind.TASK)
def test_a_command_does_what_bash_does_with_a_file(
    world: World, text: str, env: dict[str, str], kind: RunKind
) -> None:
    (world.folder / "home" / ".bashrc").write_text("echo bashrc was read\n")
    (world.workspace / "rc").write_text("echo rc was read\n")
    env = {**world.env, **env}
    line = world.line(text, env, kind)
    assume(form(line) != "file")
    assert world.outcome(line) == world.as_a_file(text, env, kind), line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain --port 1", "direct"),
        ("exec plain --port 1\n", "direct"),
        ("# serves\nplain \\\n  --port 1 \\\n  'a b'\n\n", "direct"),
        ("PORT=1 NAME='a b' plain --port 1", "direct"),
        ("./plain", "direct"),
        ("plain $X", "inline"),
        ("plain >log 2>&1", "inline"),
        ("cd sub && plain --port 1", "inline"),
        ('cat "$HOME/x"*', "inline"),
        ("[ -f /ready ]", "inline"),
        ("no-such-program", "inline"),
        ("~/bin/server", "inline"),
        ("plain --jobs $(nproc)", "inline"),
        ("plain; plain", "file"),
        ("plain && plain", "file"),
        ("plain | cat", "file"),
        ("plain &", "file"),
        ("if plain; then plain; fi", "file"),
        ("TOKEN=secret plain $X", "file"),
        ("echo secret >file", "file"),
        ("export TOKEN=secret", "file"),
        ("setsid plain", "file"),
        ("nohup setsid plain", "file"),
        ("plain $0", "file"),
        ("plain " + "x" * 10_000, "file"),
        ("", "file"),
        ("# nothing", "file"),
    ],
)
def test_forms(world: World, text: str, expected: str) -> None:
    assert form(world.line(text)) == expected


def test_a_value_that_only_the_command_should_know_is_on_no_command_line(world: World) -> None:
    line = world.line("TOKEN='se cret' missing a")
    assert form(line) == "inline"
    assert line.env["TOKEN"] == "se cret"
    assert not any("cret" in word for word in line.argv)
    assert world.outcome(line) == world.as_a_file("TOKEN='se cret' missing a", world.env)


@pytest.mark.parametrize(
    "env",
    [
        {"BASH_ENV": "rc"},
        {"BASH_FUNC_other%%": "() { :; }"},
        {"SHELLOPTS": "errexit"},
        {"SHLVL": "2"},
        {"IFS": ","},
    ],
)
def test_an_environment_that_bash_reads_has_bash_read_a_file(world: World, env: dict[str, str]) -> None:
    assert form(world.line("plain", world.env | env)) == "file"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("{bin}:/usr/bin", "{bin}/plain"),
        ("/nowhere:{bin}/plain/x:{bin}", ""),
        ("/nowhere:{bin}", "{bin}/plain"),
        (".:{bin}", ""),
        (":{bin}", ""),
        ("~/bin:{bin}", ""),
        ("", ""),
    ],
)
def test_the_program_is_looked_for_as_bash_does_it(world: World, path: str, expected: str) -> None:
    folder = str(world.folder / "bin")
    assert command_line.found("plain", path.format(bin=folder)) == expected.format(bin=folder)


def test_what_cannot_be_executed_is_for_bash_to_look_for(world: World) -> None:
    folder = str(world.folder / "bin")
    assert command_line.found("locked", folder) == ""
    assert command_line.found("folder", f"{folder}:/usr/bin") == ""
    assert command_line.found("./anything", "") == "./anything"


def test_a_shell_that_is_not_bash_gets_a_file(tmp_path: Path) -> None:
    world = World(tmp_path)
    wrapper = tmp_path / "bin" / "bash"
    wrapper.write_text('#!/bin/sh\nEXTRA=1 exec /bin/bash "$@"\n')
    wrapper.chmod(0o755)
    assert form(world.line("plain")) == "file"
