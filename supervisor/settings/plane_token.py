"""The token for the management plane. It is read from its file each time it is needed, and never kept."""

from __future__ import annotations

from pathlib import Path

from supervisor.config.document.source import Unreadable, read_file
from supervisor.lean.frozen import dataclass
from supervisor.model.errors import SupervisorError
from supervisor.settings.initial_spec import read_spec
from supervisor.settings.resolved import Resolved
from supervisor.settings.table import ENVIRONMENT_TOKEN, ENVIRONMENT_TOKEN_FILE, INITIAL_SPEC

MOST_BYTES = 16 * 1024


class TokenUnavailable(SupervisorError):
    """The token cannot be read at the moment."""


@dataclass(frozen=True, slots=True)
class Token:
    """The file that has the token: one that holds nothing else, or the runner's spec."""

    path: Path
    in_spec: bool

    def read(self) -> str:
        """The current token. Raises TokenUnavailable; its sentence does not contain the token."""
        text = self._of_spec() if self.in_spec else self._of_file()
        if not text:
            raise self._unavailable("it is empty")
        # What may stand in an HTTP header: RFC 6750, section 2.1.
        if not text.isascii() or not text.isprintable() or " " in text:
            raise self._unavailable("it holds what no token may hold")
        return text

    def _of_spec(self) -> str:
        spec = read_spec(self.path)
        if spec.problems and ENVIRONMENT_TOKEN.spec_key not in spec.texts:
            raise TokenUnavailable(spec.problems[0])
        return spec.texts.get(ENVIRONMENT_TOKEN.spec_key, "")

    def _of_file(self) -> str:
        try:
            content = read_file(self.path, MOST_BYTES)
        except Unreadable as error:
            raise self._unavailable(str(error)) from None
        if len(content) > MOST_BYTES:
            raise self._unavailable("it is larger than 16 KiB")
        return content.decode("latin-1").strip()

    def _unavailable(self, why: str) -> TokenUnavailable:
        return TokenUnavailable(f"cannot use the environment's token in {self.path}: {why}")


def token_of(resolved: Resolved) -> Token | None:
    """The token's place according to the settings: its own file first, then the spec. None: there is none."""
    file = resolved[ENVIRONMENT_TOKEN_FILE]
    if file is not None:
        return Token(file, in_spec=False)
    if resolved[ENVIRONMENT_TOKEN]:
        return Token(resolved[INITIAL_SPEC], in_spec=True)
    return None
