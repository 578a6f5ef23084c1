"""Imports the server of the API without what a supervisor has no use for.

| left out | what it takes | when it comes back |
|---|---|---|
| OpenSSL: `ssl` and `_hashlib` | 5 MB, 15 ms | never: only a supervisor that calls a management plane speaks TLS |
| aiohttp's client | 3 MB, 100 ms, most of it for the certificates that it trusts | when a name of it is asked for |
| PyJWT's client for keys | it cannot be imported without `ssl`, and asks servers that we have none of | never |
| `LATE`: modules for functions that a server does not call | 2 MB, 20 ms | when such a function is called |

Who imports `ssl` or `_hashlib` later gets an ImportError, as where Python was built without OpenSSL: asyncio, aiohttp
and the standard library know what to do then. Nothing is left out that is imported already.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

from supervisor.lean.typing import Any

LATE = {
    "argparse": ("ArgumentParser",),  # of aiohttp's own command
    "html": ("escape",),  # for listings of folders
    "urllib.request": ("getproxies", "proxy_bypass"),  # of the client
}
"""`{module: what aiohttp's server takes of it}`."""
_SHA2 = ("_sha2",) if sys.version_info >= (3, 12) else ("_sha256", "_sha512")
BUILT_IN_HASHES = ("_md5", "_sha1", *_SHA2, "_sha3", "_blake2")
"""What `hashlib` takes in place of OpenSSL. Some distributions leave them out of their Python."""


@contextmanager
def tls_left_out() -> Iterator[None]:
    """For the import of the event loop: do without OpenSSL, from now on and for good."""
    stand_in = None if "ssl" in sys.modules else _Absent("ssl")
    if stand_in is not None:
        sys.modules["ssl"] = stand_in
    if "hashlib" not in sys.modules and all(map(importlib.util.find_spec, BUILT_IN_HASHES)):
        sys.modules["_hashlib"] = None  # type: ignore[assignment]  # an import of it fails, as where there is none
    yield
    if stand_in is not None:
        sys.modules["ssl"] = None  # type: ignore[assignment]  # anyio, which cannot do without, is there by now


def import_server() -> None:
    """Import the server of the API."""
    if sys.modules.get("ssl", True) is None:
        if "aiohttp" not in sys.modules:
            _without_contents("aiohttp")
        # Tokens are made and read by the rest of PyJWT, which imports this module for its name alone.
        sys.modules.setdefault("jwt.jwks_client", _Absent("jwt.jwks_client"))
    with _late_names():
        importlib.import_module("aiohttp.web")
    importlib.import_module("supervisor.api.assembly")


class _Absent(ModuleType):
    """Stands for `ssl` while anyio is imported, which only names its classes, and for others. None can be made."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        kind = type(name, (Exception,), {"__init__": _refuse})
        setattr(self, name, kind)
        return kind


def _refuse(*_arguments: object, **_named: object) -> None:
    raise RuntimeError("this supervisor calls no management plane, and left out TLS at its start")


def _without_contents(name: str) -> None:
    """Let a package's modules be imported without the package itself, until a name of it is missing."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    package, loader = importlib.util.module_from_spec(spec), spec.loader

    def contents(attribute: str) -> Any:
        if attribute == "__version__":  # which the server's modules take from it for a header
            return ""
        if attribute.startswith("__") or importlib.util.find_spec(f"{name}.{attribute}"):
            raise AttributeError(attribute)  # a module, which whoever asks imports then
        del package.__dict__["__getattr__"]
        loader.exec_module(package)
        return getattr(package, attribute)

    package.__dict__["__getattr__"] = contents
    sys.modules[name] = package


@contextmanager
def _late_names() -> Iterator[None]:
    """For as long as this lasts, those who import a module of `LATE` get stand-ins for its functions."""
    missing = [module for module in LATE if module not in sys.modules]
    for module in missing:
        stand_in = ModuleType(module)
        for name in LATE[module]:
            setattr(stand_in, name, _late(module, name))
        sys.modules[module] = stand_in
    try:
        yield
    finally:
        for module in missing:
            del sys.modules[module]


def _late(module: str, name: str) -> Callable[..., Any]:
    """A function that imports its module when it is called."""

    def call(*arguments: Any, **named: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*arguments, **named)

    return call
