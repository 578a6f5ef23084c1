"""The language of a supervisor and the holder, the process that holds the ptys.

A supervisor makes a connection for each request. A frame is a JSON object, its head, and some bytes, its body, each
after its length. What a frame looks like never changes within one VERSION, but fields and requests may be added; each
side ignores what it does not know.

An older holder lives on below an upgraded supervisor, and a newer one below a supervisor that was set back. So the name
of the socket has the version: terminals of all versions are found and used, and new ones get a holder of the
supervisor's own version. `list`, `read`, `attach`, `write`, `resize`, `close` and `drain` stay as they are in every
version.

| request | answered by |
|---|---|
| `{"ask": "create", ...}`, see `NewShell` | `{"created": id, "pid"}`, or `{"failed": stage, "errno"}` |
| `{"ask": "list"}` | `{"terminals": [{"id", "pid", "shell", "cwd", "cols", "rows", "created_s", ...}], "version"}` |
| `{"ask": "read", "id", "history": bool}` | `{"begun": true}`, then output |
| `{"ask": "attach", "id"}` | `{"begun": true, "cols", "rows"}` with the replay as body, then output |
| `{"ask": "write", "id"}` and the input as body | `{}` |
| `{"ask": "resize", "id", "cols", "rows"}` | `{}` |
| `{"ask": "close", "id"}` | `{}` |
| `{"ask": "drain"}` | `{"live": number of shells}`; the holder stays until the connection is closed |

Output is `{"data": true}` with at most 64 KiB as body, and in the end `{"exited": exit code}`, `{"behind": true}` if
the reader was too slow, or `{"draining": true}`. A request that is refused is answered by `{"refused": why}`, see
`UNKNOWN` and the others, or "request".

Standard library only: the holder outlives the files that it came from.
"""

from __future__ import annotations

import json
import struct

from supervisor.lean.frozen import dataclass
from supervisor.lean.typing import Any

VERSION = 1
DATA_BYTES = 64 << 10
"""The most output in a frame."""
INPUT_BYTES = 4 << 20
"""How much input may wait for a program that does not read."""
HEAD_BYTES, BODY_BYTES = 4 << 20, 64 << 20
"""How large the parts of a frame may be."""
UNKNOWN, ENDED, FULL, TOO_MANY, DRAINING = "unknown", "ended", "full", "too many", "draining"
"""Why a request is refused: no such terminal; its shell has ended; too much input waits; too many terminals are open;
all are being ended."""

Head = dict[str, Any]
_LENGTHS = struct.Struct("!II")
_PREFIX, _SUFFIX = "terminals-", ".sock"


def socket_name(version: int = VERSION) -> str:
    """The name, in the state directory, of the socket at which a holder of this version listens."""
    return f"{_PREFIX}{version}{_SUFFIX}"


def is_socket_name(name: str) -> bool:
    """Whether a holder of some version listens at a socket of this name."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


class BrokenFrames(Exception):
    """What came is no frame: nothing that follows can be understood."""


@dataclass(frozen=True, slots=True)
class NewShell:
    """A terminal that is to be made."""

    id: str
    shell: str
    """A path, or a name that is looked up on the PATH of `env`, as the user."""
    cwd: str
    env: dict[str, str]
    cols: int
    rows: int
    annotations: dict[str, str]
    most: int
    """How many terminals may be open with this one."""
    user: dict[str, Any]
    """`{"as": {"uid", "gid", "groups"}}`; empty: the holder's own user."""
    cgroup: str = ""
    """The folder of its control group, two below the one in which the holder stays; empty: it has none."""


def encode_shell(new: NewShell) -> Head:
    """A request to make a terminal, as it stands on the wire."""
    return {
        "ask": "create",
        "id": new.id,
        "shell": new.shell,
        "cwd": new.cwd,
        "env": new.env,
        "cols": new.cols,
        "rows": new.rows,
        "annotations": new.annotations,
        "most": new.most,
        "cgroup": new.cgroup,
        **new.user,
    }


def decode_shell(head: Head) -> NewShell:
    """A request to make a terminal, from the wire. Raises BrokenFrames."""
    match head:
        case {
            "id": str(id_),
            "shell": str(shell),
            "cwd": str(cwd),
            "env": dict(env),
            "cols": int(cols),
            "rows": int(rows),
            "annotations": dict(annotations),
            "most": int(most),
        }:
            user = {"as": head["as"]} if "as" in head else {}
            cgroup = str(head.get("cgroup", ""))
            return NewShell(id_, shell, cwd, env, cols, rows, annotations, most, user, cgroup)
        case _:
            raise BrokenFrames("a request to make a terminal lacks a field, or one is of another type")


def encode_frame(head: Head, body: bytes = b"") -> bytes:
    """A frame. Text that was not UTF-8 survives: JSON escapes lone surrogates."""
    text = json.dumps(head).encode("ascii")
    return _LENGTHS.pack(len(text), len(body)) + text + body


class Frames:
    """Takes frames out of what has come."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, data: bytes) -> None:
        """This has come."""
        self._received += data

    def take(self) -> tuple[Head, bytes] | None:
        """The next frame; None: it is not here yet. Raises BrokenFrames."""
        if len(self._received) < _LENGTHS.size:
            return None
        head_bytes, body_bytes = _LENGTHS.unpack_from(self._received)
        if head_bytes > HEAD_BYTES or body_bytes > BODY_BYTES:
            raise BrokenFrames("a frame is too large")
        body_at = _LENGTHS.size + head_bytes
        if len(self._received) < body_at + body_bytes:
            return None
        try:
            head = json.loads(self._received[_LENGTHS.size : body_at])
        except (ValueError, RecursionError):
            head = None
        if not isinstance(head, dict):
            raise BrokenFrames("the head of a frame is no JSON object")
        with memoryview(self._received) as view:
            body = bytes(view[body_at : body_at + body_bytes])
        del self._received[: body_at + body_bytes]
        return head, body
