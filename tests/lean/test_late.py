"""A module that is imported at its first use."""

import subprocess
import sys
import typing

from supervisor.lean import late


def test_it_is_imported_when_an_attribute_is_read_and_not_before() -> None:
    code = (
        "import sys\n"
        "from supervisor.lean.late import anyio, late, logging\n"
        "parse = late('urllib.parse')\n"
        "assert not {'anyio', 'logging', 'typing', 'urllib.parse'} & sys.modules.keys()\n"
        "assert parse.quote('ä') == '%C3%A4'\n"
        "assert logging.getLogger() is sys.modules['logging'].root\n"
        "assert 'anyio' not in sys.modules\n"
        "anyio.run(anyio.sleep, 0)\n"
    )
    subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path}\n{code}"], check=True)


def test_what_a_test_puts_in_the_place_of_an_attribute_is_used(monkeypatch: typing.Any) -> None:
    monkeypatch.setattr("anyio.sleep", "another")
    replaced: typing.Any = late.anyio.sleep
    assert replaced == "another"
