"""Every setting, once. The flags of `supervisor run`, the variables and the keys of the runner's spec follow from this.

A setting `log-limit` is the flag `--log-limit` and the variable `SUPERVISOR_LOG_LIMIT`. What one setting means for
another (FILE sets the workspace, for example) stands in `boot/run_settings.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from supervisor.lean.frozen import dataclass
from supervisor.lean.typing import Any, Generic, TypeVar
from supervisor.settings.values import (
    TRIGGERS,
    is_there,
    listen,
    names,
    one_of,
    optional,
    origins,
    path,
    patterns,
    plain,
    plane_url,
    seconds,
    switch,
    triggers,
    url,
    uuid,
    whole,
)

T = TypeVar("T")

VARIABLE_PREFIX = "SUPERVISOR_"


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A line of the table. Every source gives a text; `parse` turns it into the value."""

    name: str
    """As in the flag: `log-limit`."""
    parse: Callable[[str], T]
    """Raises ValueError with the end of a sentence: what is wrong, and what to write."""
    help: str
    metavar: str = "TEXT"
    default: str = ""
    """The text that counts if no source gives one."""
    unset: str = ""
    """What an empty default stands for, in words."""
    spec_key: str = ""
    """Its key in the runner's spec; empty: it has none."""
    only_in_spec: bool = False
    """Neither flag nor variable: a secret, which anyone could read in /proc."""
    switch: bool = False
    """The flag takes no value."""
    many: bool = False
    """The flag may be repeated; a variable holds the values with commas between them."""
    choices: tuple[str, ...] = ()
    """What a shell completes; empty: anything."""
    hidden: bool = False
    """For tests: not in the help."""

    @property
    def flag(self) -> str:
        """The option of `supervisor run`."""
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable."""
        return VARIABLE_PREFIX + self.name.upper().replace("-", "_")


DEFAULT_SPEC = "/usr/local/gitpod/config/initial-spec.json"
"""Where the runner puts its spec. Source: contract/api.md, Launch."""

# How it is launched

INITIAL_SPEC = Setting(
    "initial-spec", path, metavar="FILE", default=DEFAULT_SPEC,
    help="What the runner tells the environment, as JSON. One that is named must be there and be right.",
)  # fmt: skip
CONTROL_PLANE_URL = Setting(
    "control-plane-url", optional(plane_url), metavar="URL", spec_key="controlPlaneApiEndpoint",
    unset="none: no heartbeats",
    help="The API of the management plane, which is told that the environment is in use.",
)  # fmt: skip
ENVIRONMENT_ID = Setting(
    "environment-id", optional(uuid), metavar="UUID", spec_key="environmentId",
    unset="made at the first start and kept in the state directory",
    help="The id that the environment goes by.",
)  # fmt: skip
ENVIRONMENT_TOKEN_FILE = Setting(
    "environment-token-file", optional(path), metavar="FILE", unset="the token of the runner's spec",
    help="Holds the token for the management plane. Read anew for every heartbeat after a refused one.",
)  # fmt: skip
ENVIRONMENT_TOKEN = Setting(
    "environment-token", is_there, spec_key="environmentToken", only_in_spec=True, unset="none: no heartbeats",
    help="The token for the management plane.",
)  # fmt: skip
USER = Setting(
    "user", plain, metavar="NAME", unset="whoever started the supervisor",
    help="Run commands as this user; for a supervisor that runs as root.",
)  # fmt: skip
PASS_ENV = Setting(
    "pass-env", patterns, metavar="PATTERN", many=True,
    unset="below systemd or a shell what every program needs; as pid 1 all but the machine's credentials",
    help="With --user: root's variables of this name reach commands (repeatable; *, ?; !PATTERN withholds).",
)  # fmt: skip

# What is run

AUTOMATIONS = Setting(
    "automations", optional(path), metavar="FILE", unset="looked up in the workspace",
    help="The automations file, like the argument FILE.",
)  # fmt: skip
WORKSPACE = Setting(
    "workspace", optional(path), metavar="FOLDER", unset="the folder that holds FILE, or the current one",
    help="Where commands run.",
)  # fmt: skip
STATE_DIR = Setting(
    "state-dir", optional(path), metavar="FOLDER", unset="~/.local/state/supervisor/<workspace>-<hash>",
    help="Where logs and state are kept.",
)  # fmt: skip
TRIGGER = Setting(
    "trigger", triggers, metavar="NAME", many=True, choices=TRIGGERS, unset="those of an environment's start",
    help="Fire just this trigger (repeatable). prebuild: run a prebuild, then exit.",
)  # fmt: skip
TRIGGER_FILTER = Setting(
    "trigger-filter", triggers, metavar="NAME", many=True, choices=TRIGGERS, unset="every trigger may fire",
    help="Let no trigger fire but this one (repeatable).",
)  # fmt: skip
NO_WATCH = Setting(
    "no-watch", switch, switch=True, default="false",
    help="Do not follow edits of the file.",
)  # fmt: skip
EXIT_WHEN_DONE = Setting(
    "exit-when-done", switch, switch=True, default="false",
    help="Exit when all tasks have ended and no service starts or stops: 0, or 1 if one failed.",
)  # fmt: skip
LOGS = Setting(
    "logs", switch, switch=True, default="false",
    help="Print the output of the commands, each line with its command's name, unfinished lines too.",
)  # fmt: skip
LOG_LIMIT = Setting(
    "log-limit", whole(1, 1 << 20), metavar="MIB", default="64",
    help="How much of the end of each command's log is kept.",
)  # fmt: skip
LOG_TRANSPORTS = ("file", "pipe")
LOG_TRANSPORT = Setting(
    "log-transport", one_of(*LOG_TRANSPORTS), metavar="WORD", default="pipe", choices=LOG_TRANSPORTS,
    help="How output reaches its log: file (commands write into it, and can truncate it), or pipe (it is pumped).",
)  # fmt: skip
LOG_QUIET = Setting(
    "log-quiet", seconds(0.0, 60.0), metavar="DURATION", default="200ms",
    help="A command that has ended is over once what it left running has printed nothing for so long.",
)  # fmt: skip
LOG_DRAIN = Setting(
    "log-drain", seconds(0.0, 60.0), metavar="DURATION", default="2s",
    help="A command that has ended is over after this time at the latest, whatever still prints.",
)  # fmt: skip
DRAIN_GRACE = Setting(
    "drain-grace", seconds(0.0, 86400.0), metavar="DURATION", default="30s",
    help="How long everything has to stop at the end, before what is left is killed.",
)  # fmt: skip

# The API

LISTEN = Setting(
    "listen", listen, metavar="HOST:PORT", unset="127.0.0.1:24424, or a free port where that is taken",
    help='Where the API listens beside its Unix socket; "none": nowhere.',
)  # fmt: skip
PUBLIC_URL = Setting(
    "public-url", optional(url), metavar="URL", unset="the address that the API listens on",
    help="What clients reach the API by, for log URLs.",
)  # fmt: skip
HOST_NAME = Setting(
    "host-name", names, metavar="NAME", many=True, unset="localhost only",
    help="A name that requests may be for (repeatable).",
)  # fmt: skip
ALLOW_ORIGIN = Setting(
    "allow-origin", origins, metavar="URL", many=True, unset="none",
    help="A web page that may call (repeatable).",
)  # fmt: skip
NO_API = Setting(
    "no-api", switch, switch=True, default="false",
    help="Serve no API: less memory, and nobody can ask.",
)  # fmt: skip

# For tests

HEARTBEAT_INTERVAL = Setting(
    "heartbeat-interval", seconds(0.01, 86400.0), metavar="DURATION", default="5m", hidden=True,
    help="How often the management plane is told that the environment is in use.",
)  # fmt: skip

SETTINGS: tuple[Setting[Any], ...] = (
    INITIAL_SPEC,
    CONTROL_PLANE_URL,
    ENVIRONMENT_ID,
    ENVIRONMENT_TOKEN_FILE,
    ENVIRONMENT_TOKEN,
    USER,
    PASS_ENV,
    AUTOMATIONS,
    WORKSPACE,
    STATE_DIR,
    TRIGGER,
    TRIGGER_FILTER,
    NO_WATCH,
    EXIT_WHEN_DONE,
    LOGS,
    LOG_LIMIT,
    LOG_TRANSPORT,
    LOG_QUIET,
    LOG_DRAIN,
    DRAIN_GRACE,
    LISTEN,
    PUBLIC_URL,
    HOST_NAME,
    ALLOW_ORIGIN,
    NO_API,
    HEARTBEAT_INTERVAL,
)
"""In the order in which `supervisor config` prints them."""

BY_NAME = {setting.name: setting for setting in SETTINGS}
