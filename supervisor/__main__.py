"""Where `bin/supervisor`, `bin/entrypoint`, `python -m supervisor` and an installed `supervisor` all start."""

import os
import sys
from importlib.machinery import SourceFileLoader

_read_cache = SourceFileLoader.get_code


def main() -> None:
    """Run the command line and leave with its exit status."""
    SourceFileLoader.get_code = _get_code  # type: ignore[assignment,method-assign]
    _take_environment()
    if sys.flags.no_site:
        _enter_environment()
    from supervisor.cli import main

    # The usage lines show the name that people type, and not this file's.
    sys.argv[0] = "supervisor"
    status = main()
    # Everything is closed and written. To take the interpreter apart takes it another 15 ms, and serves nobody.
    os._exit(status)


def _get_code(self: SourceFileLoader, fullname: str) -> object:
    """The code of a module, also where its cache in `__pycache__` is damaged: that is removed and written anew.

    CPython 3.11 keeps what a full disk or a limit of file sizes leaves of a cache, and from then on no import of the
    module would work.
    """
    try:
        return _read_cache(self, fullname)
    except (EOFError, TypeError, ValueError):  # what `marshal` raises
        from importlib.util import cache_from_source

        try:
            os.unlink(cache_from_source(self.path))
        except OSError:  # there is none, and the source is to blame; or it is not ours to remove
            return self.source_to_code(self.get_data(self.path), self.path)
        return _read_cache(self, fullname)


def _enter_environment() -> None:
    """Do what `site` does for a program in a virtual environment, and nothing that it does beside it.

    The launchers start Python with -S: the .pth files, the customizing modules and the rest of `site` are a twentieth
    of what the first command waits for.
    """
    environment = sys.executable.rpartition("/bin/")[0]
    sys.prefix = sys.exec_prefix = environment
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    root = __file__.rpartition("/supervisor/")[0]
    sys.path += [f"{environment}/lib/{version}/site-packages", root]


def _take_environment() -> None:
    """Take the variables that the launcher's shell could not pass on, since their names are no identifiers."""
    if before := os.environ.pop("SUPERVISOR_ENVIRON", ""):
        import binascii

        for entry in binascii.a2b_base64(before).split(b"\0"):
            name, equals, value = entry.partition(b"=")
            if name and equals and not (name.isascii() and name.decode().isidentifier()):
                os.environb.setdefault(name, value)


if __name__ == "__main__":
    main()
