"""Which source counts for each setting: plain functions of the flags, the variables and the spec.

    source     on a bad value
    flag       an error
    variable   an error; an empty one counts as unset, since a container cannot unset what its image sets
    spec       an error if a flag or variable names the spec; else a notice, and the value counts as absent: a mistake
               of the runner must not keep the environment from running
    default    cannot be bad

A variable that begins with SUPERVISOR_ and is no setting has no effect: other programs use that prefix too (supervisord
does, and Kubernetes for a service of that name). One that looks like a typing error gets a notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from supervisor.lean.frozen import dataclass, field
from supervisor.lean.late import late
from supervisor.lean.typing import TYPE_CHECKING, Any, TypeVar
from supervisor.model.errors import BadSettings
from supervisor.settings.table import (
    DEFAULT_SPEC,
    ENVIRONMENT_TOKEN,
    ENVIRONMENT_TOKEN_FILE,
    INITIAL_SPEC,
    SETTINGS,
    VARIABLE_PREFIX,
    Setting,
)

if TYPE_CHECKING:
    from supervisor.config import suggest
else:
    suggest = late("supervisor.config.suggest")  # for mistakes alone

T = TypeVar("T")

_OTHER_VARIABLES = ("SUPERVISOR_SOCKET", "SUPERVISOR_RUN_ID", "SUPERVISOR_RUNS")
"""The variables of a supervisor's commands and clients."""
_MOST_SHOWN = 80


class SettingSource(Enum):
    """The sources of a value, the strongest first."""

    FLAG = "flag"
    VARIABLE = "variable"
    SPEC = "spec"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from."""

    source: SettingSource
    name: str = ""
    """The flag, the variable, or the key and the file of the spec; empty for a default."""
    text: str = ""
    """The text of the value; empty for a secret."""


@dataclass(frozen=True, slots=True)
class Spec:
    """The content of the runner's spec."""

    path: str = DEFAULT_SPEC
    texts: Mapping[str, str] = field(default_factory=dict)
    """`{key: value}` of the keys that the table knows."""
    problems: tuple[str, ...] = ()
    """Sentences that say what is wrong with the file."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The value of each setting, `resolved[table.LISTEN]`, and its origin."""

    values: Mapping[str, Any]
    origins: Mapping[str, Origin]
    notices: tuple[str, ...] = ()
    """Sentences about variables and keys that have no effect."""

    def __getitem__(self, setting: Setting[T]) -> T:
        value: T = self.values[setting.name]
        return value

    def origin(self, setting: Setting[Any]) -> Origin:
        """The origin of a setting's value."""
        return self.origins[setting.name]


def named_spec(flags: Mapping[str, str], environ: Mapping[str, str]) -> str | None:
    """The path of the spec that a flag or a variable names; None: the default one, which need not be there."""
    return flags.get(INITIAL_SPEC.name) or environ.get(INITIAL_SPEC.variable) or None


def resolve(flags: Mapping[str, str], environ: Mapping[str, str], spec: Spec | None = None) -> Resolved:
    """The settings, or every problem at once.

    Args:
        flags: `{setting's name: text}` of the flags that were given.
        environ: as of `os.environ`.
        spec: what the runner's file says; None: there is none.

    Raises:
        BadSettings: with a sentence for each value that cannot be used; none of them holds a secret.
    """
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    errors = _token_in_the_environment(environ)
    in_spec = list(spec.problems) if spec else []
    for setting in SETTINGS:
        for origin, text in _given(setting, flags, environ, spec):
            try:
                values[setting.name] = setting.parse(text)
                origins[setting.name] = origin
                break
            except ValueError as error:
                problem = f"cannot use {origin.name}{_quoted(origin.text)}: {error}"
                (in_spec if origin.source is SettingSource.SPEC else errors).append(problem)
    if named_spec(flags, environ) is not None:
        errors += in_spec
    if errors:
        raise BadSettings(errors)
    return Resolved(values, origins, (*_ignored(in_spec, spec), *_near_misses(environ)))


def _given(
    setting: Setting[Any], flags: Mapping[str, str], environ: Mapping[str, str], spec: Spec | None
) -> Iterable[tuple[Origin, str]]:
    """The texts of all sources, the strongest first, the default last."""
    if not setting.only_in_spec:
        if setting.name in flags:
            text = flags[setting.name]
            yield Origin(SettingSource.FLAG, setting.flag, text), text
        if text := environ.get(setting.variable, ""):
            yield Origin(SettingSource.VARIABLE, setting.variable, text), text
    if spec is not None and (text := spec.texts.get(setting.spec_key, "")):
        shown = "" if setting is ENVIRONMENT_TOKEN else text
        yield Origin(SettingSource.SPEC, f"{setting.spec_key} in {spec.path}", shown), text
    yield Origin(SettingSource.DEFAULT, "", setting.default), setting.default


def _token_in_the_environment(environ: Mapping[str, str]) -> list[str]:
    if not environ.get(ENVIRONMENT_TOKEN.variable):
        return []
    return [
        f"cannot use {ENVIRONMENT_TOKEN.variable}: what runs here could read it in /proc; put the token into a file "
        f"and name that with {ENVIRONMENT_TOKEN_FILE.flag}"
    ]


def _ignored(in_spec: list[str], spec: Spec | None) -> Iterable[str]:
    """The notices for a spec that no flag or variable names."""
    return (f"{problem}; going on without it" for problem in in_spec) if spec else ()


def _near_misses(environ: Mapping[str, str]) -> Iterable[str]:
    known = [setting.variable for setting in SETTINGS if not setting.only_in_spec]
    strangers = [
        name
        for name in environ
        if name.startswith(VARIABLE_PREFIX) and name not in known and name not in _OTHER_VARIABLES
    ]
    if not strangers:
        return

    suggester = suggest.Suggester()
    settings = [name.removeprefix(VARIABLE_PREFIX) for name in known]
    for name in strangers:
        if nearest := suggester.nearest(name.removeprefix(VARIABLE_PREFIX), settings):
            yield f'the variable {name} has no effect; did you mean "{VARIABLE_PREFIX}{nearest}"?'


def _quoted(text: str) -> str:
    """A value in a message, without control characters and cut off if it is long; empty for a secret."""
    if not text:
        return ""
    shown = repr(text[:_MOST_SHOWN])[1:-1]
    return f' "{shown}{"..." if len(text) > _MOST_SHOWN else ""}"'
