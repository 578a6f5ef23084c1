"""Fields that people write out of habit, in the wrong place or from other formats, with a hint for each.

The other formats are `.gitpod.yml`, devcontainer.json, CI, and the files of Docker Compose, process-compose, systemd,
supervisord and Kubernetes.
"""

from __future__ import annotations

_READY = 'write a command that exits 0 once the service is ready as "ready" below "commands" (commands.ready)'
_ALIVE = f"nothing watches a service that runs; {_READY}"
_NO_RESTART = "a service that has ended is not restarted by itself; loop in the script"
_ONLY_TASKS_DEPEND = (
    "only a task can depend on others: let a task depend on this service and on what it needs"
)
_BELOW_COMMANDS = 'write it below "commands"'
_BELOW_DOCKER = 'write it below "runsOn", "docker"'
_NO_ENVIRONMENT = "export variables in the script itself; a container takes them in runsOn.docker.environment"
_ONLY_ITEMS = "the file has services and tasks; this belongs into the dev container's own configuration"
_TRIGGERS = 'write "triggeredBy" with a list of triggers'
_BELOW_AN_ITEM = 'write it below "services" or "tasks" and a reference'
_REFERENCE = "the key above the item is its reference"
_FOLDER = 'commands run in the workspace folder; write "cd FOLDER" in the script'
_STOP = 'write a command that stops it as "stop" below "commands"; without one it gets SIGTERM'
_STOP_TIME = "a service gets 2 minutes to stop, which cannot be changed"
_USER = 'all commands run as one user; use "sudo" or "su" in the script'
_SEVERAL = "write an item for each"
_LOGS = "output is kept by the supervisor; redirect it in the script to keep it elsewhere"
_NO_IMAGE_BUILD = "build the image in a task, and name it in runsOn.docker.image"
_SHELL = "scripts run in bash; call another interpreter in the script"
_CONTAINER = "a container has only an image and an environment here; run docker in the script for more"
_NO_SWITCH = 'remove the item, or let no trigger start it: "triggeredBy: [manual]"'
_NO_TIMEOUT = 'write "timeout" in the script'
_NO_ACTIONS = "there are no actions here; do it in the script"
_NO_EXTENSION = 'there are no fields of your own; put "&" and its name where the value is used first'
_PORT = "a service opens its ports itself"


def _table(*rows: tuple[str, str]) -> dict[str, str]:
    """{folded field: hint} of rows that hold several fields each."""
    return {_fold(field): hint for fields, hint in rows for field in fields.split()}


def _fold(field: str) -> str:
    return field.lower().replace("_", "").replace("-", "").replace(".", "")


_BOTH = (
    ("triggers trigger on when events schedule", _TRIGGERS),
    ("env environment env_file environmentFile envFrom vars variables", _NO_ENVIRONMENT),
    ("image", _BELOW_DOCKER),
    ("docker machine container", 'write it below "runsOn"'),
    ("workdir working_dir workingDir workingDirectory cwd dir directory", _FOLDER),
    ("id ref reference key", _REFERENCE),
    ("title label displayName", 'did you mean "name"?'),
    ("user uid runAs", _USER),
    ("shell interpreter", _SHELL),
    ("log logging log_location stdout stderr stdout_logfile stderr_logfile redirect_stderr", _LOGS),
    ("disabled enabled is_disabled if condition", _NO_SWITCH),
    (
        "openMode openIn onOpen is_tty tty stdin_open is_daemon",
        "commands have no terminal; read the output with: supervisor logs",
    ),
    ("volumes networks network_mode privileged cap_add mounts container_name hostname", _CONTAINER),
    ("build dockerfile context", _NO_IMAGE_BUILD),
    ("uses with", _NO_ACTIONS),
    ("replicas scale numprocs matrix strategy", _SEVERAL),
)

_FOREIGN = {
    "file": _table(
        (
            "image vscode env gitConfig github jetbrains workspaceLocation checkoutLocation coreDump",
            _ONLY_ITEMS,
        ),
        ("additionalRepositories mainConfiguration features customizations", _ONLY_ITEMS),
        ("ports", "the file has services and tasks; a port is opened with the environment's own tools"),
        ("automations", 'write "services" and "tasks" at the top of the file'),
        ("version apiVersion kind", "the file has no version"),
        (
            "processes programs jobs containers units apps",
            'write "services" for what runs until it is stopped, "tasks" for what ends',
        ),
        ("scripts steps stages pipeline", 'write "tasks"'),
        ("volumes networks secrets configs", _CONTAINER),
        ("environment vars variables env_file dotenv", _NO_ENVIRONMENT),
        (
            "postCreateCommand onCreateCommand updateContentCommand",
            'write a task with "triggeredBy: [postDevcontainerStart]"',
        ),
        ("postStartCommand postAttachCommand", 'write a task with "triggeredBy: [postEnvironmentStart]"'),
        ("name command commands triggeredBy", _BELOW_AN_ITEM),
        ("on triggers trigger schedule", f"{_TRIGGERS} below each item that they start"),
    ),
    "service": _table(
        *_BOTH,
        ("start ready stop", _BELOW_COMMANDS),
        ("command cmd run exec script entrypoint ExecStart start_command", 'write "start" below "commands"'),
        ("args", 'write them in the "start" script below "commands"'),
        (
            "init before prestart ExecStartPre initContainers",
            'write a task for it, or put it into the "start" script',
        ),
        ("readinessProbe readiness readyProbe readyWhen ready_log_line startupProbe probe probes", _READY),
        ("healthcheck health healthProbe check waitFor", _READY),
        ("livenessProbe liveness watchdog WatchdogSec", _ALIVE),
        (
            "restart restartPolicy autorestart availability RestartSec backoff startretries respawn",
            _NO_RESTART,
        ),
        ("shutdown preStop lifecycle ExecStop stop_signal stopsignal KillSignal", _STOP),
        (
            "stop_grace_period stopwaitsecs TimeoutStopSec terminationGracePeriodSeconds gracePeriod",
            _STOP_TIME,
        ),
        ("autostart auto_start WantedBy", _TRIGGERS),
        ("dependsOn needs requires after wants links dependencies", _ONLY_TASKS_DEPEND),
        ("prebuildRequiresSuccess", "only a task has it"),
        ("port ports expose", _PORT),
        (
            "timeout startTimeout startsecs TimeoutStartSec initialDelaySeconds",
            'did you mean "readinessTimeout"?',
        ),
        ("type", "remove it: a service runs until it is stopped, a task ends"),
    ),
    "task": _table(
        *_BOTH,
        ("init before prebuild ExecStartPre", 'write a task of its own and name it in "dependsOn"'),
        (
            "commands start run script scripts cmd cmds exec entrypoint ExecStart steps",
            'a task has one script, "command"',
        ),
        ("args", 'write them in "command"'),
        ("ready stop readinessTimeout role", "only a service has it"),
        (
            "readinessProbe readiness healthcheck livenessProbe startupProbe",
            f"only a service has it; {_READY}",
        ),
        ("needs requires after wants dependencies deps", 'did you mean "dependsOn"?'),
        (
            "restart retry retries restartPolicy availability",
            "a task that failed is not run again by itself; loop in the script",
        ),
        ("timeout timeoutSeconds", _NO_TIMEOUT),
        ("continueOnError ignoreErrors allowFailure", 'write "|| true" in the script'),
        ("port ports expose", "a service opens its ports itself; a task that ends has none"),
    ),
    "commands": _table(
        ("command cmd run exec script entrypoint ExecStart", 'did you mean "start"?'),
        ("init before", 'put it into the "start" script'),
        (
            "readinessProbe readiness healthcheck health check probe livenessProbe startupProbe",
            'write a command that exits 0 once the service is ready as "ready"',
        ),
        ("shutdown kill down ExecStop", 'did you mean "stop"?'),
        ("restart reload", "a restart is a stop and a start"),
        ("env environment", _NO_ENVIRONMENT),
        ("dependsOn", _ONLY_TASKS_DEPEND),
        (
            "name description triggeredBy role runsOn readinessTimeout",
            'it belongs to the service, beside "commands"',
        ),
    ),
    "docker": _table(
        ("env", 'did you mean "environment"?'),
        ("volumes ports networks network command entrypoint args privileged options mounts user", _CONTAINER),
        ("build dockerfile context", _NO_IMAGE_BUILD),
        ("name container", 'did you mean "image"?'),
    ),
}

CLASSIC_TASK_FIELDS = frozenset({"init", "before", "prebuild", "openMode", "openIn"})
"""Fields that only the items of a classic `.gitpod.yml` have, in the list below `tasks`."""
CLASSIC_FILE_FIELDS = frozenset(
    {"image", "ports", "github", "vscode", "gitConfig", "jetbrains", "checkoutLocation"}
)

CLASSIC = (
    'this is the list of a classic .gitpod.yml: write a reference, as in "build:", in place of each "-", and below it '
    '"name" and one script as "command"; "init" and "before" become tasks of their own, named in "dependsOn"'
)


def for_unknown(where: str, field: str) -> str:
    """A hint for a field that is unknown there; empty if it is not in the tables.

    `where`: file, service, task, commands or docker.
    """
    if where == "file" and field.startswith("x-"):
        return _NO_EXTENSION
    return _FOREIGN.get(where, {}).get(_fold(field), "")
