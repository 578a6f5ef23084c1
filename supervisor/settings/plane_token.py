"""The token for the management plane: never kept longer than it is needed, read anew where it may have changed."""

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
    """There is no token to be had at the moment."""


@dataclass(frozen=True, slots=True)
class Token:
    """Where the token is: a file that holds it alone, or the runner's spec."""

    path: Path
    in_spec: bool

    def read(self) -> str:
        """The token as it is now. Raises TokenUnavailable with a sentence that does not hold it."""
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
    """Where the settings say that the token is; a file of its own counts more than the spec. None: nowhere."""
    file = resolved[ENVIRONMENT_TOKEN_FILE]
    if file is not None:
        return Token(file, in_spec=False)
    if resolved[ENVIRONMENT_TOKEN]:
        return Token(resolved[INITIAL_SPEC], in_spec=True)
    return None
