"""`pathlib` without `urllib.parse`, which Python 3.11 imports for `Path.as_uri` alone, and with it `ipaddress`.

Importing this module imports pathlib, with a stand-in for the one function that it takes. A later import of
`urllib.parse` gets all of it. Newer versions of Python import it when it is needed.
"""

from __future__ import annotations

import sys
from types import ModuleType

from supervisor.lean.typing import Any


def _quote_from_bytes(text: bytes, *more: Any) -> str:
    from urllib.parse import quote_from_bytes

    return quote_from_bytes(text, *more)


if sys.version_info < (3, 12) and not {"pathlib", "urllib.parse"} & sys.modules.keys():
    _stand_in: Any = ModuleType("urllib.parse")
    _stand_in.quote_from_bytes = _quote_from_bytes
    sys.modules["urllib.parse"] = _stand_in
    try:
        import pathlib  # noqa: F401
    finally:
        del sys.modules["urllib.parse"]
