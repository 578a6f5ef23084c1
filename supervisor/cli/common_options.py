"""Arguments and options that several subcommands have, with one meaning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from supervisor.cli.command_group import Choice
from supervisor.model.errors import BadSettings, SupervisorError
from supervisor.model.spec import Trigger
from supervisor.settings import cwd

if TYPE_CHECKING:
    from supervisor.config import Loaded

F = TypeVar("F", bound=Callable[..., Any])


def output_format(function: F) -> F:
    """`--format text|json`."""
    return click.option(
        "--format", "format_", type=Choice(["text", "json"]), default="text", show_default=True,
        help="How to print the result.",
    )(function)  # fmt: skip


def file_argument(function: F) -> F:
    """`[FILE]`: the automations file; looked up in the workspace if it is left out."""
    return click.argument("file", required=False, type=click.Path(path_type=Path))(function)


def trigger_option(**settings: Any) -> Callable[[F], F]:
    """`--trigger NAME`, as the file spells it."""
    names = [trigger.value for trigger in Trigger if trigger is not Trigger.MANUAL]
    return click.option("--trigger", type=Choice(names), **settings)


def load(file: Path | None) -> tuple[str, Loaded]:
    """The file's name for messages, and the verdict on it. Raises click.UsageError if there is none to be found."""
    # Not at the top: the subcommands that talk to a running supervisor never read YAML.
    from supervisor.config import find_file, load_file
    from supervisor.config.lookup import PLACES

    if file is None:
        here = Path(cwd.current("look for the automations file"))
        file = find_file(here).path
        if file is None:
            raise click.UsageError(
                f"there is no automations file here: looked for {', '.join(PLACES)}; name one, or make one "
                'with "supervisor init"'
            )
        file = file.relative_to(here)
    return ("<stdin>" if str(file) == "-" else str(file)), load_file(file)


def load_valid(file: Path | None) -> Any:
    """The content of a file that must be valid. Raises SupervisorError with all problems if it is not."""
    name, loaded = load(file)
    if loaded.file is None:
        lines = [problem.render(name) for problem in loaded.errors]
        raise SupervisorError("cannot use the automations file:\n" + "\n".join(lines))
    return loaded.file


def complete_task(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """References of tasks in the file at hand, for the shell."""
    from supervisor.config import find_file, load_file

    # While the value of an option is missing, click leaves the arguments unparsed.
    given = ctx.params.get("file") or next((Path(word) for word in ctx.args), None)
    try:
        path = given if given is not None else find_file(Path(cwd.current("complete"))).path
    except BadSettings:
        return []
    loaded = load_file(path) if path is not None else None
    if loaded is None or loaded.file is None:
        return []
    tasks = loaded.file.tasks.values()
    return [
        CompletionItem(task.reference, help=task.name)
        for task in tasks
        if task.reference.startswith(incomplete)
    ]
