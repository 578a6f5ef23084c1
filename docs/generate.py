"""Writes the references in this folder from the code: python docs/generate.py [--check].

With --check it writes nothing, and exits 1 if a page is not what the code says; a test does the same.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import click
from prometheus_client.parser import text_string_to_metric_families

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

import platform_wire  # noqa: E402
import supervisor.api.assembly  # noqa: E402, F401 - for the classes that serve
from connect_server.connect_errors import STATUS  # noqa: E402
from connect_server.service_routes import attribute  # noqa: E402
from docs.markdown_page import code, page, table  # noqa: E402
from docs.state_machines import states  # noqa: E402
from supervisor.api.http.metrics import Metrics  # noqa: E402
from supervisor.api.logs.chunks import NoSecrets  # noqa: E402
from supervisor.api.logs.log_query import HEADERS, PARAMETERS  # noqa: E402
from supervisor.api.logs.log_routes import routes as log_routes  # noqa: E402
from supervisor.cli.app import app  # noqa: E402
from supervisor.config.lookup import PLACES  # noqa: E402
from supervisor.config.resources import schema_text  # noqa: E402
from supervisor.core.records import Records  # noqa: E402
from supervisor.hub import Hub  # noqa: E402
from supervisor.model.sysexits import MEANINGS  # noqa: E402
from supervisor.settings.table import SETTINGS  # noqa: E402
from supervisor.terminals.holder_client import HolderClient  # noqa: E402
from supervisor.workspace.methods import METHODS  # noqa: E402

WIDTH = 100
WIRE = [
    import_module(f"{platform_wire.__name__}.{module.name}")
    for module in iter_modules(platform_wire.__path__)
    if module.name.endswith("_handler")
]
Json = dict[str, Any]


class NoSignals:
    """Nothing was sent to a management plane."""

    def signals(self) -> tuple[int, int]:
        return 0, 0


# The automations file


def automations_file() -> str:
    schema = json.loads(schema_text())
    parts = {name: part for name, part in schema["$defs"].items() if "properties" in part}
    words = {name: part for name, part in schema["$defs"].items() if "enum" in part}
    places = ", ".join(map(code, PLACES))
    return page(
        "The automations file",
        f"{schema['description']} YAML, looked up in the workspace as {places}.",
        fields(schema, schema),
        f"**Reference.** {schema['$defs']['reference']['description']}",
        *(text for name in parts for text in section(schema, name, parts[name])),
        *(f"## {part['title']}\n\n{part['description']}\n\n{enumerated(part)}" for part in words.values()),
    )


def section(schema: Json, name: str, part: Json) -> Iterator[str]:
    yield f"## {part['title']}\n\n{part['description']}"
    yield fields(schema, part)
    for field, about in part["properties"].items():
        if "enumDescriptions" in about:
            yield f"Values of `{field}`:\n\n{enumerated(about)}"
        if about.get("properties"):
            yield f"Fields of `{field}`:\n\n{fields(schema, about)}"


def fields(schema: Json, part: Json) -> str:
    required = part.get("required", [])
    rows = []
    for name, about in part["properties"].items():
        if not about.get("deprecated"):
            whole = {**resolved(schema, about), **about}
            needed = "yes" if name in required else ""
            rows.append([code(name), kind(schema, whole), needed, meaning(whole), example(whole)])
    return table(["field", "type", "required", "meaning", "example"], rows)


def meaning(about: Json) -> str:
    default = f" The default is {code(json.dumps(about['default']))}." if "default" in about else ""
    return f"{about['description']}{default}"


def resolved(schema: Json, about: Json) -> Json:
    reference = about.get("$ref", "").rpartition("/")[2]
    return schema["$defs"].get(reference, {})  # type: ignore[no-any-return]


def kind(schema: Json, about: Json) -> str:
    if "items" in about:
        each = {**resolved(schema, about["items"]), **about["items"]}
        return f"list of {link(each) if 'enum' in each else kind(schema, each) + 's'}"
    if isinstance(about.get("additionalProperties"), dict):
        return f"map of reference to {link(resolved(schema, about['additionalProperties']))}"
    names = about["type"] if isinstance(about["type"], list) else [about["type"]]
    (name,) = (name for name in names if name != "null")
    return link(resolved(schema, about)) if "$ref" in about else str(name)


def link(part: Json) -> str:
    return f"[{part['title'].lower()}](#{part['title'].lower().replace(' ', '-')})"


def enumerated(about: Json) -> str:
    pairs = zip(about["enum"], about["enumDescriptions"], strict=True)
    return table(["value", "meaning"], ([code(value), text] for value, text in pairs if value))


def example(about: Json) -> str:
    return code(json.dumps(about["examples"][0], ensure_ascii=False)) if "examples" in about else ""


# The command line


def command_line() -> str:
    settings = {**app.context_settings, "max_content_width": WIDTH}
    context = click.Context(app, info_name="supervisor", terminal_width=WIDTH, **settings)
    return page("The command line", help_text(context), *commands(context, app))


def commands(above: click.Context, group: click.Group) -> Iterator[str]:
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        assert command is not None
        context = click.Context(command, parent=above, info_name=name, terminal_width=WIDTH)
        yield f"## {context.command_path}\n\n{help_text(context)}"
        if isinstance(command, click.Group):
            yield from commands(context, command)


def help_text(context: click.Context) -> str:
    return f"```text\n{context.get_help().rstrip()}\n```"


# Settings


def settings() -> str:
    rows = [
        [
            code(setting.name),
            ""
            if setting.only_in_spec
            else code(setting.flag + ("" if setting.switch else f" {setting.metavar}")),
            "" if setting.only_in_spec else code(setting.variable),
            code(setting.spec_key),
            code(setting.default) or setting.unset,
            setting.help,
        ]
        for setting in SETTINGS
        if not setting.hidden
    ]
    return page(
        "Settings",
        "Of several sources the first counts: a flag of `supervisor run`, a variable, the runner's "
        "`initial-spec.json`, the default. In a variable, commas stand between several values, and `true` switches "
        "on. `supervisor config` prints each value and where it comes from.",
        table(["setting", "flag", "variable", "key of the spec", "default", "meaning"], rows),
    )


# Metrics


def metrics() -> str:
    nowhere = DOCS / "nowhere"
    measured = Metrics(Records(), Hub(), nowhere, NoSignals(), HolderClient(nowhere))
    measured._durations.observe(0, "succeeded")  # its labels are to be seen before anything has ended
    text = asyncio.run(measured.text()).decode()
    rows = []
    for family in text_string_to_metric_families(text):
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        if not family.name.endswith("_created"):
            name = family.name + ("_total" if family.type == "counter" else "")
            rows.append([code(name), family.type, ", ".join(map(code, labels)), family.documentation])
    return page(
        "Metrics",
        "`GET /metrics`, in Prometheus's text form. Counters begin at zero with the process.",
        table(["metric", "type", "labels", "meaning"], rows),
    )


# The API


def api() -> str:
    return page(
        "The API",
        "Connect over HTTP/1.1, in JSON and protobuf, on the Unix socket `api.sock` of the state directory, where the "
        "supervisor's own user, root and the user named by `--user` need no token, and on TCP, where every request "
        "needs `Authorization: Bearer TOKEN` (`supervisor token`). A method is called by `POST /SERVICE/METHOD`, also "
        f"below `{platform_wire.PREFIXES[1]}`.",
        *(service(name) for name in platform_wire.SERVICES),
        logs(),
        "## Health\n\n"
        + table(
            ["path", "answer"],
            [
                ["`/healthz`", "200 while the event loop turns; needs no token"],
                [
                    "`/readyz`",
                    "200 once the environment has started, 503 with what is waited for; needs no token",
                ],
                ["`/metrics`", "[metrics](metrics.md)"],
            ],
        ),
        '## Errors\n\nA body `{"code": CODE, "message": SENTENCE}`.\n\n'
        + table(
            ["code", "HTTP status"], ([code(each.value), str(status)] for each, status in STATUS.items())
        ),
    )


def service(name: str) -> str:
    """A service of the wire, and which of its methods are served."""
    short = name.rpartition(".")[2]
    (wire,) = (each for each in WIRE if hasattr(each, f"{short}Handler"))
    protocol = getattr(wire, f"{short}Handler")
    messages = import_module(wire.__name__.replace("_handler", "_pb2"))
    descriptor = messages.DESCRIPTOR.services_by_name[short]
    served = protocol.__subclasses__()
    rows = []
    for method in descriptor.methods:
        written = attribute(method.name)
        declared = getattr(protocol, written)
        has_it = any(
            getattr(each, written) is not declared or (hasattr(each, "carried") and method.name in METHODS)
            for each in served
        )
        kind = "stream" if method.server_streaming else ""
        rows.append([code(method.name), "yes" if has_it else "unimplemented", kind, sentence(declared)])
    return f"## {name}\n\n{sentence(protocol)}\n\n" + table(["method", "served", "answer", "meaning"], rows)


def sentence(thing: object) -> str:
    return " ".join((thing.__doc__ or "").split())


def logs() -> str:
    paths = sorted(
        route.path
        for route in log_routes(Records(), Hub(), DOCS, NoSecrets())
        if not route.path.startswith("/api")
    )
    return "\n\n".join(
        [
            "## Logs",
            "By the URL that services, executions and steps carry, with a token of scope `environment` or `logs`: "
            + ", ".join(f"`GET {path}`" for path in paths)
            + ". A run's log is there as long as the run is kept. `X-Log-Run`, `X-Log-Offset` and `X-Log-Cursor` say "
            "where the answer begins.",
            table(["parameter", "meaning"], ([code(name), text] for name, text in PARAMETERS.items())),
            table(["header", "meaning"], ([code(name), text] for name, text in HEADERS.items())),
        ]
    )


# Exit statuses


def exit_status() -> str:
    rows = ([code(str(status)), meaning] for status, meaning in MEANINGS.items())
    return page(
        "Exit statuses",
        "`run-task` exits with its task's exit code, `terminal new` and `terminal attach` with their shell's, which "
        "may be any number; all else is in the table.",
        table(["status", "meaning"], rows),
    )


PAGES: dict[str, Callable[[], str]] = {
    "states.md": states,
    "automations-file.md": automations_file,
    "command-line.md": command_line,
    "settings.md": settings,
    "metrics.md": metrics,
    "api.md": api,
    "exit-status.md": exit_status,
}


def stale() -> dict[Path, str]:
    """`{page: what should be in it}` of those that hold something else."""
    pages = {DOCS / name: make() for name, make in PAGES.items()}
    return {
        path: text for path, text in pages.items() if not path.exists() or path.read_text("utf-8") != text
    }


def main(arguments: list[str]) -> int:
    """Write what is stale, or name it. Returns the exit status."""
    found = stale()
    for path, text in found.items():
        if arguments == ["--check"]:
            print(
                f"docs: {path.name} is not what the code says; run python docs/generate.py", file=sys.stderr
            )
        else:
            path.write_text(text, "utf-8")
            print(f"docs: {path.name} is written")
    return int(bool(found) and arguments == ["--check"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
