"""The answer to an Exec: exit code and both streams as text, made piece by piece, since they may have 128 MiB.

Where bytes are missing a line says how many, and in which file the kept ones are. Bytes that are not UTF-8 become
U+FFFD; a character that the gap cuts does, too. A line of the supervisor's own (limit, cancel, memory) is the last one
of stderr.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

from connect_server.codecs import Encoded
from platform_wire.environmentopts_pb2 import ExecResponse

_VARINT_MORE = 0x80
_EXIT_CODE, _STDOUT, _STDERR = (
    ExecResponse.DESCRIPTOR.fields_by_name[name].number for name in ("exit_code", "stdout", "stderr")
)


class KeptStream(Protocol):
    """What is kept of a stream: `host.runs.operation_output` has it."""

    @property
    def missing_bytes(self) -> int:
        """How many bytes are left out."""

    @property
    def head_bytes(self) -> int:
        """How many bytes come before those."""

    def chunks(self) -> Iterable[bytes]:
        """The bytes before the gap, then those after it; no chunk has both."""


@dataclass(frozen=True, slots=True)
class AnsweredStream:
    """A stream of an operation that has ended."""

    kept: KeptStream
    path: str
    """Of its file."""
    note: str = ""
    """The supervisor's own last line; empty: none."""
    lost_bytes: int = 0
    """How many bytes the disk had no room for, at the end."""

    def pieces(self) -> Iterator[str]:
        """Its text."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        missing, sent, last = self.kept.missing_bytes, 0, ""
        for data in self.kept.chunks():
            if missing and sent == self.kept.head_bytes:
                yield from self._gap(missing, last + (rest := decoder.decode(b"", final=True)), rest)
                missing = 0
            sent += len(data)
            if text := decoder.decode(data):
                last = text[-1]
                yield text
        rest = decoder.decode(b"", final=True)
        last = rest or last
        if missing:
            yield from self._gap(missing, last, rest)
            last, rest = "\n", ""
        yield rest
        lost = f"{self.lost_bytes} bytes are missing here: the disk was full; the others are in {self.path}"
        for line in (lost if self.lost_bytes else "", self.note):
            if line:
                yield ("" if last in ("", "\n") else "\n") + f"supervisor: {line}\n"
                last = "\n"

    def _gap(self, missing: int, before: str, rest: str) -> Iterator[str]:
        """The line that stands for missing bytes. `before`: ends with the character before it; `rest`: is not sent."""
        end = "" if before == "" or before.endswith("\n") else "\n"
        yield f"{rest}{end}supervisor: {missing} bytes are missing here; what is kept is in {self.path}\n"


def message(exit_code: int, stdout: AnsweredStream, stderr: AnsweredStream) -> ExecResponse:
    """The answer, if it is small."""
    return ExecResponse(exit_code=exit_code, stdout="".join(stdout.pieces()), stderr="".join(stderr.pieces()))


def encoded(form: str, exit_code: int, stdout: AnsweredStream, stderr: AnsweredStream) -> Encoded:
    """The same in the form of a codec's name, with little more memory than the answer takes."""
    made = bytearray()
    write: Callable[[bytearray, int, AnsweredStream, AnsweredStream], None] = (
        _binary if form == "proto" else _json
    )
    write(made, exit_code, stdout, stderr)
    return Encoded(cast(bytes, made))  # it is sent as well, and not copied


def _binary(made: bytearray, exit_code: int, stdout: AnsweredStream, stderr: AnsweredStream) -> None:
    if exit_code:
        made += bytes([_EXIT_CODE << 3]) + _varint(exit_code)
    for number, stream in ((_STDOUT, stdout), (_STDERR, stderr)):
        begin = len(made)
        for piece in stream.pieces():
            made += piece.encode()
        if length := len(made) - begin:
            made[begin:begin] = bytes([number << 3 | 2]) + _varint(length)


def _json(made: bytearray, exit_code: int, stdout: AnsweredStream, stderr: AnsweredStream) -> None:
    made += b"{"
    if exit_code:
        made += b'"exitCode":%d' % exit_code
    for name, stream in ((b"stdout", stdout), (b"stderr", stderr)):
        before = len(made)
        made += b'%b"%b":"' % (b"," if before > 1 else b"", name)
        begin = len(made)
        for piece in stream.pieces():
            made += json.dumps(piece, ensure_ascii=False)[1:-1].encode()
        if len(made) == begin:
            del made[before:]
        else:
            made += b'"'
    made += b"}"


def _varint(number: int) -> bytes:
    made = bytearray()
    while number >= _VARINT_MORE:
        made.append(number & (_VARINT_MORE - 1) | _VARINT_MORE)
        number >>= 7
    made.append(number)
    return bytes(made)
