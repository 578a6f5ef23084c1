"""pathlib as the start imports it does all that it always does."""

import subprocess
import sys

CODE = """
import sys
import supervisor.lean.paths
assert "urllib.parse" not in sys.modules and "ipaddress" not in sys.modules
import pathlib
assert pathlib.Path("/a b/\\xe4").as_uri() == "file:///a%20b/%C3%A4"
from urllib.parse import quote, urlsplit
assert (quote("/ "), urlsplit("http://a:1/").port) == ("/%20", 1)
"""


def test_a_path_has_its_uri_and_urllib_is_whole() -> None:
    code = f"import sys; sys.path[:0] = {sys.path}\n{CODE}"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
