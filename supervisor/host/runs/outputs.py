"""The outputs of a command: `KEY=VALUE` lines that it appends to the file named by GITPOD_OUTPUT.

The limits are the contract's: keys of 1 to 128 characters, values up to 4096, an empty value unsets; and at most 128
keys and 64 KiB in all, since every kept execution has its own. A line beyond the limits is ignored, with a complaint.
A complaint never shows a value, which may be a secret, nor a line without "=", which may be the second line of a
value.
"""

from __future__ import annotations

from supervisor.shim.regular_file import read_regular

MAX_KEY, MAX_VALUE = 128, 4096
MAX_KEYS, MAX_KEPT_BYTES = 128, 64 * 1024
MAX_BYTES = 256 * 1024
"""How much of the file is read."""
_MAX_COMPLAINTS = 20
_SHOWN = 32


def read_output(path: str, final: bool = True) -> tuple[dict[str, str], list[str]]:
    """The outputs of a command, and a sentence for each line that was ignored.

    Returns `{key: value}` in the order in which the keys were first set; a later line wins. A missing file counts as
    empty. While the command lives (`final=False`), a last line without its newline may be half written and is ignored.
    """
    try:
        data = _content(path)
    except FileNotFoundError:
        return {}, []
    except OSError as error:
        return {}, [f"cannot read the output file {path}: {error.strerror}"]
    complaints = []
    if len(data) > MAX_BYTES:
        complaints.append(f"the output file is larger than {MAX_BYTES} bytes: what follows them is ignored")
    *lines, rest = data[:MAX_BYTES].split(b"\n")
    if final and len(data) <= MAX_BYTES:
        lines.append(rest)
    outputs = _Outputs()
    for number, line in enumerate(lines, 1):
        if why := _take(line, outputs):
            complaints.append(f"output line {number} is ignored: {why}")
    if len(complaints) > _MAX_COMPLAINTS:
        # Without their number, which may differ at each look: each would be another complaint.
        complaints[_MAX_COMPLAINTS:] = ["more output lines are ignored"]
    return outputs.values, complaints


class _Outputs:
    """The outputs so far."""

    __slots__ = ("size_bytes", "values")

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.size_bytes = 0

    def set(self, key: str, value: str) -> str:
        """Set an output; returns why it cannot be set, or nothing."""
        if key not in self.values and len(self.values) == MAX_KEYS:
            return f'"{key}" would be one more than the {MAX_KEYS} keys that a command may put out'
        size_bytes = self.size_bytes + _size(key, value) - self._size_of(key)
        if size_bytes > MAX_KEPT_BYTES:
            return (
                f'with "{key}" there would be more than the {MAX_KEPT_BYTES} bytes that a command may put out'
            )
        self.values[key], self.size_bytes = value, size_bytes
        return ""

    def unset(self, key: str) -> None:
        """Forget an output."""
        self.size_bytes -= self._size_of(key)
        self.values.pop(key, None)

    def _size_of(self, key: str) -> int:
        return _size(key, self.values[key]) if key in self.values else 0


def _size(key: str, value: str) -> int:
    return len(key.encode()) + len(value.encode())


def _take(line: bytes, outputs: _Outputs) -> str:
    """Put one line into `outputs`; returns why it is ignored, or nothing."""
    if not line.strip():
        return ""
    try:
        key, equals, value = line.decode("utf-8").partition("=")
    except UnicodeDecodeError:
        return "it is not UTF-8"
    if not equals:
        return f'its {len(key)} characters hold no "=": expected KEY=VALUE'
    if not key:
        return 'there is no key before the "="'
    if len(key) > MAX_KEY:
        return f'the key "{key[:_SHOWN]}..." has {len(key)} characters: {MAX_KEY} are allowed'
    if len(value) > MAX_VALUE:
        return f'the value of "{key}" has {len(value)} characters: {MAX_VALUE} are allowed'
    if value:
        return outputs.set(key, value)
    outputs.unset(key)
    return ""


def _content(path: str) -> bytes:
    """The file's bytes, one more than the limit at most. Raises OSError."""
    return read_regular(path, MAX_BYTES + 1)
