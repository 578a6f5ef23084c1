"""One setting: its name, what its text means, and where it may come from."""

from __future__ import annotations

from collections.abc import Callable

from supervisor.lean.frozen import dataclass
from supervisor.lean.typing import Generic, TypeVar

T = TypeVar("T")

VARIABLE_PREFIX = "SUPERVISOR_"


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A line of the table. Every source gives a text, and `parse` is what the text means."""

    name: str
    """As in the flag: `log-limit`."""
    parse: Callable[[str], T]
    """Raises ValueError with the end of a sentence: why not, and what to write."""
    help: str
    metavar: str = "TEXT"
    default: str = ""
    """The text that counts if no source gives one."""
    unset: str = ""
    """What holds where the default is empty, for people."""
    spec_key: str = ""
    """In the runner's spec; empty: it says nothing of this."""
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
