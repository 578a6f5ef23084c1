"""How git changes a file on its way into and out of the working tree: gitattributes(5), core.autocrlf, core.eol.

Contents are told as git keeps them, which is what its patches speak of, but with the line ends of a checkout. Programs
that would change them further on the way out (filter drivers such as LFS's, which would download) are not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from supervisor.workspace.git.git_command import Git

_NAMES = ("text", "crlf", "eol", "filter", "ident", "working-tree-encoding")
_SETTINGS = r"^core\.(autocrlf|eol)$"
_TRUE = ("true", "yes", "on", "1", "")
_PRINTABLE = bytes({*range(32, 256), *b"\b\t\x1b\f\r\n"} - {127})


@dataclass(frozen=True, slots=True)
class Attributes:
    """What gitattributes and settings say about the content of a file.

    Attributes:
        of_path: `{attribute: set, unset, unspecified or its value}`.
        autocrlf: true, false or input.
        eol: crlf, or another.
    """

    of_path: Mapping[str, str]
    autocrlf: str = "false"
    eol: str = ""

    @staticmethod
    def of(git: Git, path: bytes) -> Attributes:
        """Ask git. Raises OpsError."""
        told = git.output("check-attr", "-z", *_NAMES, "--", path).split(b"\0")
        of_path = {
            name.decode(): value.decode(errors="replace")
            for name, value in zip(told[1::3], told[2::3], strict=True)
        }
        settings = {}
        for setting in (
            git.run("config", "-z", "--get-regexp", _SETTINGS)
            .stdout.decode(errors="replace")
            .split("\0")[:-1]
        ):
            name, _, value = setting.partition("\n")
            settings[name] = value.lower()
        autocrlf = settings.get("core.autocrlf", "false")
        if autocrlf != "input":
            autocrlf = "true" if autocrlf in _TRUE else "false"
        return Attributes(of_path, autocrlf, settings.get("core.eol", ""))

    @property
    def has_filter(self) -> bool:
        """Whether a program of the user's changes the content."""
        return self.of_path["filter"] not in ("unspecified", "unset", "set")

    @property
    def may_convert(self) -> bool:
        """Whether the file in the working tree may have other bytes than git keeps."""
        return (
            self.has_filter
            or self.autocrlf != "false"
            or any(self.of_path[name] not in ("unspecified", "unset") for name in _NAMES if name != "filter")
        )

    def checked_out(self, content: bytes) -> bytes:
        """The content with the line ends of a checkout: CRLF where git would make it so."""
        guessed, is_crlf = self._line_ends()
        if not is_crlf or b"\n" not in content:
            return content
        if guessed and (b"\r" in content or _looks_binary(content)):
            return content
        return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    def _line_ends(self) -> tuple[bool, bool]:
        """Whether git first looks whether the content is text, and whether lines end with CRLF then."""
        text = self.of_path["text"]
        if text not in ("set", "unset", "auto", "input"):
            text = self.of_path["crlf"]  # the attribute's old name
        eol = self.of_path["eol"]
        by_settings = self.autocrlf == "true" or (self.autocrlf == "false" and self.eol == "crlf")
        if text == "unset":
            return False, False
        if text == "auto":
            return True, eol == "crlf" or (eol != "lf" and by_settings)
        if eol in ("lf", "crlf"):
            return False, eol == "crlf"
        if text == "set":
            return False, by_settings
        return True, text != "input" and self.autocrlf == "true"


def _looks_binary(content: bytes) -> bool:
    """What git guesses of a content without carriage returns."""
    odd = len(content.translate(None, _PRINTABLE)) - content.endswith(b"\x1a")
    return b"\0" in content or (len(content) - odd) >> 7 < odd
