"""What holds for every subcommand: help, usage errors, schema, completion."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from supervisor.cli.app import COMMANDS
from tests.cli.conftest import Invoke, run_program

BEHAVIOURS = Path(__file__).resolve().parents[2] / "fixtures/behaviours"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_subcommand_says_what_it_does(command: str) -> None:
    result = run_program(command, "--help")

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Usage: supervisor {command} ")
    assert len(result.stdout.splitlines()) > 5


def test_help_lists_every_subcommand_with_its_sentence(supervisor: Invoke) -> None:
    text = " ".join(supervisor("--help").out.split())

    for name, sentence in COMMANDS.items():
        assert f"{name} {sentence}" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("validate", "--nonsense"),
        ("validate", "a.yaml", "b.yaml"),
        ("validate", "--format", "xml"),
        ("plan", "--task"),
        ("init", "a", "b"),
        ("completion", "powershell"),
        ("completion",),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2_and_says_what_is_wrong(supervisor: Invoke, arguments: tuple[str, ...]) -> None:
    result = supervisor(*arguments)

    assert (result.status, result.out) == (2, "")
    assert "Error: " in result.err


def test_schema_is_a_valid_json_schema(supervisor: Invoke) -> None:
    result = supervisor("schema")

    schema = json.loads(result.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert result.status == 0
    assert schema["properties"].keys() >= {"services", "tasks"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_calls_this_program(supervisor: Invoke, shell: str) -> None:
    result = supervisor("completion", shell)

    assert (result.status, result.err) == (0, "")
    assert f"_SUPERVISOR_COMPLETE={shell}_complete" in result.out
    assert "supervisor" in result.out


def completed(*words: str) -> list[str]:
    """What bash is offered for the last of `words`."""
    result = run_program(
        _SUPERVISOR_COMPLETE="bash_complete",
        COMP_WORDS=" ".join(("supervisor", *words)),
        COMP_CWORD=str(len(words)),
    )
    assert result.stderr == ""
    return [word.removeprefix("plain,") for word in result.stdout.split()]


def test_completion_offers_subcommands() -> None:
    assert completed("run") == ["run", "run-task", "runs"]


def test_completion_offers_the_tasks_of_the_file_that_is_looked_up(folder: Path) -> None:
    shutil.copy(BEHAVIOURS / "diamond.yaml", "automations.yaml")

    assert completed("run-task", "o") == ["other-top"]
    assert completed("plan", "--task", "le") == ["left"]


def test_completion_offers_the_tasks_of_the_file_that_is_named(folder: Path) -> None:
    shutil.copy(BEHAVIOURS / "diamond.yaml", "automations.yaml")
    shutil.copy(BEHAVIOURS / "chain.yaml", "chain.yaml")

    assert completed("plan", "chain.yaml", "--task", "t") == ["three", "two"]


def test_completion_offers_nothing_where_the_file_is_bad(folder: Path) -> None:
    Path("automations.yaml").write_text("tasks: [\n")

    assert completed("run-task", "") == []


@pytest.mark.parametrize("argument", ["schema", "--help", "--version"])
def test_output_that_cannot_be_written_is_told(folder: Path, argument: str) -> None:
    with open("/dev/full", "wb") as full:
        result = run_program(argument, stdout=full.fileno())

    assert (result.returncode, result.stderr) == (
        1,
        "supervisor: cannot write the output: no space left on device\n",
    )


def test_what_is_left_to_write_at_the_end_is_told_too() -> None:
    program = (
        "import sys; from supervisor import cli; cli._main = lambda: print('x') or 0; sys.exit(cli.main())"
    )
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-I", "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert (done.returncode, done.stderr) == (
        1,
        "supervisor: cannot write the output: no space left on device\n",
    )


@pytest.mark.parametrize("arguments", ["schema", "--help", "plan --help", "--version"])
def test_reader_that_goes_away_is_no_error(folder: Path, arguments: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = run_program(*arguments.split(), stdout=writing)
    finally:
        os.close(writing)

    assert (result.returncode, result.stderr) == (141, "")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("vaildate", 'there is no command "vaildate"; did you mean "validate"?'),
        ("service strat", 'there is no command "strat"; did you mean "start"?'),
        ("task xyz", 'there is no command "xyz"; the commands are '),
        ("ps", 'there is no command "ps"; write "supervisor service list" or "supervisor task list"'),
        ("status --fromat json", "Did you mean '--format'?"),
        ("validate --format jsno", 'there is no "jsno"; did you mean "json"?'),
        ("trigger prebuid", "Error: Invalid value for 'TRIGGER': there is no \"prebuid\"; did you mean \"prebuild\"?"),
        ("completion bsh", 'did you mean "bash"?'),
    ],
)  # fmt: skip
def test_mistyped_word_gets_the_nearest_one(supervisor: Invoke, words: str, hint: str) -> None:
    result = supervisor(*words.split())

    assert result.status == 2
    assert hint in result.err


@pytest.mark.parametrize("words", ["plan a.yaml --task biuld", "run-task biuld a.yaml --standalone"])
def test_mistyped_task_of_a_file_gets_the_nearest_one(supervisor: Invoke, folder: Path, words: str) -> None:
    (folder / "a.yaml").write_text("tasks: {build: {name: Build, command: make}}\n")

    done = run_program(*words.split())

    assert done.returncode == 1
    assert 'the file has no such task; did you mean "build"?' in done.stderr


MODULES_OF = """
import atexit, sys
atexit.register(lambda: print("modules", *sys.modules))
from supervisor.cli import main
main()
"""


@pytest.mark.parametrize(
    "words", [["--version"], ["status", "--socket", "/nowhere"], ["task", "list", "--help"]]
)
def test_only_who_reads_a_file_imports_what_that_takes(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", MODULES_OF, *words], capture_output=True, text=True, timeout=60
    )
    modules = set(done.stdout.splitlines()[-1].split())
    assert "supervisor.cli.app" in modules
    assert not {"yaml", "supervisor.config.load", "supervisor.config.document.parse"} & modules


@pytest.mark.parametrize("words", [["run", "--listen"], ["run", "--logs=yes"], ["config", "--listen"]])
def test_a_flag_without_its_value_is_an_error_without_the_usage(words: list[str]) -> None:
    """As click shows it for the other subcommands."""
    for done in (run_program(*words), run_program("status", "--socket")):
        assert done.returncode == 2
        assert done.stderr.startswith("Error: Option '--")
