"""libyaml's parser without the rest of PyYAML.

`import yaml` would be a quarter of the start: its reader, resolver and constructor in Python compile large regular
expressions, and none of them is used here, since libyaml gives events. But PyYAML's C module cannot be imported alone:
it imports the package and takes classes from it, most of them exceptions. So empty modules stand in for those that have
nothing else of use, while it is imported. They are removed afterwards: a later `import yaml` gets all of it, with the
same classes of events and nodes. If all of it is imported already, or PyYAML has changed so that this cannot work, it
is used as it is.

A test compares events and errors with those of the whole package.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from types import ModuleType

from supervisor.lean.typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yaml import MarkedYAMLError, YAMLError, events
    from yaml._yaml import CParser
    from yaml.reader import ReaderError

__all__ = ["CParser", "MarkedYAMLError", "ReaderError", "YAMLError", "events"]

_EXCEPTIONS = {
    "scanner": "ScannerError",
    "parser": "ParserError",
    "composer": "ComposerError",
    "constructor": "ConstructorError",
    "emitter": "EmitterError",
    "serializer": "SerializerError",
    "representer": "RepresenterError",
}
"""What the C module takes from the modules that are replaced. It raises the first two."""


def _whole() -> ModuleType:
    import yaml.cyaml

    return yaml


def _alone() -> ModuleType:
    """The package with the C module and what is small. Raises ImportError or AttributeError if that cannot work."""
    spec = PathFinder.find_spec("yaml")
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError("there is no package yaml")
    package: Any = ModuleType("yaml")
    package.__path__ = spec.submodule_search_locations
    sys.modules["yaml"] = package
    try:
        # Each import binds a module as an attribute of the package, as it always does.
        import yaml.error
        import yaml.events
        import yaml.nodes
        import yaml.tokens

        package.reader = ModuleType("yaml.reader")
        package.reader.ReaderError = _reader_error(yaml.error.YAMLError)
        for module, exception in _EXCEPTIONS.items():
            stand_in = ModuleType(f"yaml.{module}")
            setattr(stand_in, exception, type(exception, (yaml.error.MarkedYAMLError,), {}))
            setattr(package, module, stand_in)
        import yaml._yaml
    finally:
        del sys.modules["yaml"]
    return package  # type: ignore[no-any-return]


def _reader_error(base: type[Exception]) -> type[Exception]:
    class ReaderError(base):  # type: ignore[misc,valid-type]
        def __init__(
            self, name: str, position: int, character: int | bytes, encoding: str, reason: str
        ) -> None:
            super().__init__(reason)
            self.name = name
            self.position = position
            self.character = character
            self.encoding = encoding
            self.reason = reason

    return ReaderError


if not TYPE_CHECKING:
    try:
        _package = _whole() if "yaml" in sys.modules else _alone()
    except (ImportError, AttributeError):
        _package = _whole()
    CParser = _package._yaml.CParser
    MarkedYAMLError, YAMLError = _package.error.MarkedYAMLError, _package.error.YAMLError
    ReaderError = _package.reader.ReaderError
    events = _package.events
