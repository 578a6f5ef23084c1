"""`supervisor doctor`: what is right and wrong with this machine, as a table or as JSON."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supervisor.cli.command_group import Choice
from supervisor.cli.common_options import output_format
from supervisor.cli.remote.options import print_json
from supervisor.cli.terminal.tables import duration, table
from supervisor.cli.terminal.visible import CLEAR_LINE, style
from supervisor.model.errors import SupervisorError
from supervisor.model.sysexits import EXIT_USAGE

if TYPE_CHECKING:
    from supervisor.doctor.findings import Finding
    from supervisor.doctor.network.target import Skip, Target
    from supervisor.settings.resolved import Resolved

LONGEST_TIMEOUT_S = 600.0
_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "unknown": "yellow"}


def _matching(pattern: str, example: str) -> Callable[[click.Context, click.Parameter, str], str]:
    """A callback that refuses a value that does not match."""

    def check(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
        if value and not re.fullmatch(pattern, value):
            raise click.BadParameter(f'"{value}" is not one; for example {example}')
        return value

    return check


def _seconds(_ctx: click.Context, _param: click.Parameter, value: float) -> float:
    """A callback that refuses NaN, which a range does not."""
    if value != value:
        raise click.BadParameter("nan is not a number of seconds")
    return value


@click.command("doctor")
@click.option(
    "--region",
    default="",
    envvar=["AWS_REGION", "AWS_DEFAULT_REGION"],
    callback=_matching("[a-z]{2,}(-[a-z]+)+-[0-9]+", "eu-central-1"),
    help="The AWS region, to check its endpoints [default: AWS_REGION].",
)
@click.option(
    "--account-id",
    default="",
    callback=_matching("[0-9]{12}", "123456789012"),
    help="The AWS account, to check its container registry.",
)
@click.option(
    "--runner",
    type=Choice(["standard", "enterprise"]),
    default="standard",
    show_default=True,
    help="The kind of runner, which decides what is required.",
)
@click.option(
    "--endpoints",
    metavar="FILE",
    type=click.Path(path_type=Path, allow_dash=True),
    help='Check the endpoints listed in FILE ("-": standard input) instead of the platform\'s own.',
)
@click.option(
    "--timeout",
    "timeout_s",
    metavar="SECONDS",
    type=click.FloatRange(0, LONGEST_TIMEOUT_S, min_open=True),
    default=10.0,
    callback=_seconds,
    show_default=True,
    help="For each check; they run side by side.",
)
@click.option("--local", is_flag=True, help="Check only this machine, no endpoints.")
@click.option("--list", "list_", is_flag=True, help="Print the endpoints without trying them.")
@output_format
def doctor(
    region: str,
    account_id: str,
    runner: str,
    endpoints: Path | None,
    timeout_s: float,
    local: bool,
    list_: bool,
    format_: str,
) -> int:
    """Check what an environment needs: the endpoints it must reach, and this machine.

    Each endpoint is tried as the platform's programs do: DNS, TCP, TLS, an HTTP request, through the proxy that
    HTTPS_PROXY, HTTP_PROXY and NO_PROXY name. The issuer of each certificate is shown: a proxy that intercepts TLS has
    the same one everywhere. Exits 1 if something required failed, 2 on wrong usage.

    \b
    FILE is YAML or JSON:
      groups:
        - name: My services
          required: true        # or false: a failure is shown, and does not count
          runner: standard      # or enterprise: which runners need it; left out: both
          endpoints:
            - {url: "https://git.example.com/robots.txt", expect: success}   # else any answer below 500 is good
            - {url: "https://*.example.com:8443", example: "https://a.example.com:8443"}
            - {url: "udp://192.0.2.1:4242", required: false}
            - {url: "https://s3.<region>.amazonaws.com"}     # also <account-id>
            - {url: "http://169.254.169.254", direct: true}  # never through a proxy
            - {url: "https://app.example.com", plane: true}  # replaced by the plane of the settings
    """
    try:
        listed = [] if local else listed_endpoints(endpoints, region, account_id, runner)
    except SupervisorError as error:
        click.echo(f"supervisor: {error}", err=True)
        return EXIT_USAGE  # 1 means that something on this machine failed
    if list_:
        _print_endpoints(listed)
        return 0
    found = _examine(listed, timeout_s)
    if format_ == "json":
        from supervisor.doctor.findings import findings_json

        print_json(findings_json(found))
    else:
        click.echo(_text(found))
    return int(any(finding.is_fatal for finding in found))


# What follows imports late: ssl and anyio take longer to import than the whole command line.


def listed_endpoints(
    file: Path | None, region: str = "", account_id: str = "", runner: str = "standard"
) -> list[Target | Skip]:
    """The endpoints of FILE, or else the packaged ones. Raises SupervisorError if the list cannot be used."""
    from supervisor.doctor.endpoint_list import PACKAGED, Runner, read_listing
    from supervisor.doctor.network.target import Circumstances, targets
    from supervisor.settings.table import CONTROL_PLANE_URL

    plane_url = usable_settings()[0][CONTROL_PLANE_URL] or ""
    known = Circumstances(region, account_id, plane_url, Runner(runner))
    return targets(read_listing(file or PACKAGED), known)


def usable_settings() -> tuple[Resolved, str]:
    """The settings here, and an empty text; or else the defaults, and why the settings cannot be used."""
    from supervisor.settings.initial_spec import read_settings
    from supervisor.settings.resolved import resolve

    try:
        return read_settings({}, os.environ), ""
    except SupervisorError as error:
        return resolve({}, {}), str(error)


def _print_endpoints(listed: list[Target | Skip]) -> None:
    from supervisor.doctor.network.target import Skip

    for each in listed:
        why = f": skipped, {each.why}" if isinstance(each, Skip) else ""
        click.echo(f"{'required' if each.endpoint.required else 'optional'}  {each.name}{why}")


def _examine(listed: list[Target | Skip], timeout_s: float) -> list[Finding]:
    from supervisor.boot.run_settings import state_dir_of, workspace_of
    from supervisor.doctor.examine import examine
    from supervisor.settings.table import AUTOMATIONS, WORKSPACE

    settings, _ = usable_settings()
    workspace = workspace_of(settings[AUTOMATIONS], settings[WORKSPACE])
    progress = _ProgressLine()
    try:
        return examine(listed, state_dir_of(settings), workspace, timeout_s, progress.show)
    finally:
        progress.clear()


class _ProgressLine:
    """A line on standard error that counts the checks, if that is a terminal."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()

    def show(self, done: int, total: int) -> None:
        if self._on:
            click.echo(f"{CLEAR_LINE}checked {done} of {total}", nl=False, err=True)

    def clear(self) -> None:
        if self._on:
            click.echo(CLEAR_LINE, nl=False, err=True)


def _text(findings: list[Finding]) -> str:
    rows = [
        [
            finding.group,
            finding.name,
            "required" if finding.required else "optional",
            finding.verdict.state.value,
            "" if finding.seconds is None else duration(finding.seconds),
            finding.verdict.detail,
        ]
        for finding in findings
    ]
    parts = [table(["GROUP", "CHECK", "NEED", "RESULT", "TIME", "WHAT WAS SEEN"], rows)]
    if sys.stdout.isatty():  # which cuts the table at its edge
        parts += [
            _whole(finding) for finding in findings if finding.verdict.state.value in ("failed", "warning")
        ]
    return "\n".join([*parts, "", _summary(findings)])


def _whole(finding: Finding) -> str:
    state = finding.verdict.state.value
    return f"\n{style(state, _COLOURS[state])}: {finding.name}\n  {finding.verdict.detail}"


def _summary(findings: list[Finding]) -> str:
    fatal = sum(finding.is_fatal for finding in findings)
    counts = Counter(finding.verdict.state.value for finding in findings)
    counted = ", ".join(f"{number} {state}" for state, number in counts.items())
    checks = "check" if fatal <= 1 else "checks"
    verdict = f"{fatal or 'no'} required {checks} failed"
    return f"{verdict} ({counted})"
