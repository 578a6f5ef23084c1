"""What other people name, say and put into paths has no power over the terminal on which it is shown."""

import json
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

import pytest

from supervisor.cli.app import COMMANDS
from supervisor.cli.terminal.visible import Terminal, style, visible
from tests.cli.conftest import PROGRAM
from tests.e2e.harness import Project, until

HOSTILE = "\x1b[95mA\x1b]0;B\x07\x9b2JC\x7fD\u202eE\rF\x85\u2066"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
OWN = re.compile("\x1b" + r"\[(?:[0-9]*m|G|J|K)")
SGR = re.compile(rb"\x1b\[[0-9;]*m")
OURS = {"0m", "1m", "2m", "31m", "32m", "33m", "G", "J", "K"}


def obeyed(printed: bytes) -> list[str]:
    """What a terminal would obey, other than line ends and our own colours; each with what stands around it."""
    text = printed.decode().replace("\r\n", "\n")
    text = OWN.sub(lambda found: "" if found[0][2:] in OURS else found[0], text)
    return [text[max(0, found.start() - 40) : found.end() + 20] for found in OBEYED.finditer(text)]


def without_colours_of_logs(printed: bytes) -> bytes:
    """Lines of a log keep their colours, where there is one among others."""
    lines = printed.splitlines(keepends=True)
    return b"".join([SGR.sub(b"", line) if b" |" in line else line for line in lines])


def on_terminal(*arguments: str | bytes, cwd: str | Path, env: dict[str, str]) -> bytes:
    """What a command prints on a terminal that is its input, output and error output."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-I", PROGRAM, *arguments],
        cwd=cwd, env=env, stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    printed = read_all(leader)
    process.wait(20)
    return printed


def read_all(leader: int) -> bytes:
    printed = b""
    try:
        while piece := os.read(leader, 1 << 16):
            printed += piece
    except OSError:  # nobody holds the other side any more
        pass
    os.close(leader)
    return printed


# ---- the function ----


def test_what_a_terminal_obeys_becomes_an_escape() -> None:
    assert visible(HOSTILE) == (r"\x1b[95mA\x1b]0;B\x07\u009b2JC\u007fD\u202eE\rF\u0085\u2066")
    assert visible("a\tb\nc é𝄞 \u200d\u00a0\\x1b") == "a\tb\nc é𝄞 \u200d\u00a0\\x1b"
    assert visible(os.fsdecode(b"\xff/\xc3\xa9")) == r"\udcff/é"


def test_json_that_was_made_visible_means_the_same() -> None:
    value = {"a": HOSTILE, "b": "\udcff é"}

    assert json.loads(visible(json.dumps(value, ensure_ascii=False))) == value


def test_terminal_that_knows_few_letters_gets_escapes_for_the_others(tmp_path: Path) -> None:
    with open(tmp_path / "out", "w", encoding="ascii") as file:
        Terminal(file).write("é\udcff€")

    assert (tmp_path / "out").read_text() == r"\xe9\udcff\u20ac"


def test_tracebacks_and_warnings_take_the_same_way(tmp_path: Path) -> None:
    code = (
        "import sys; from supervisor.cli.terminal.visible import guard_standard_files; guard_standard_files(); "
        "import warnings; warnings.warn(sys.argv[1]); raise OSError(sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, HOSTILE], cwd=PROGRAM.parents[1], stderr=subprocess.PIPE, check=False
    )

    assert b"OSError: \\x1b[95mA" in done.stderr
    assert obeyed(done.stderr) == []


# ---- every command ----

FAILS = """printf '%s\\n' "$H"; printf '%s\\n' "$H" >&2; exit 3"""
NAMES = f"""
services:
  web:
    name: {json.dumps(HOSTILE)}
    description: {json.dumps(HOSTILE)}
    triggeredBy: [postEnvironmentStart]
    commands: {{start: {json.dumps(FAILS)}, ready: 'printf "$H"; false'}}
tasks:
  bad: {{name: {json.dumps(HOSTILE)}, command: {json.dumps(FAILS)}}}
  top: {{name: Top, command: 'true', dependsOn: [bad], triggeredBy: [postEnvironmentStart]}}
"""
BAD_FILE = f"tasks:\n  a: {{name: 1, {json.dumps(HOSTILE)}: 2, dependsOn: [{json.dumps(HOSTILE)}]}}\n"
ENDPOINTS = "- {name: one, required: true, url: " + json.dumps(f"https://{HOSTILE}/") + "}\n"

# {command: the arguments with which it is run}. H stands for the hostile text. What prints one log alone stands in
# LOGS, since carriage returns and colours pass there.
ARGUMENTS: dict[str, list[list[str]]] = {
    "run": [["H.yaml"], ["--H"], ["bad.yaml", "--exit-when-done", "--state-dir", "STATE"], ["--listen", "H"]],
    "run-task": [["H"], ["H", "--standalone"], ["bad", "H.yaml", "--standalone"], ["top", "--standalone"]],
    "exec": [["--cwd", "H", "true"], ["--timeout", "H", "true"], ["--socket", "H", "H"], ["--H"]],
    "operations": [[], ["H"]],
    "status": [[], ["--socket", "H"], ["H"]],
    "service": [["list"], ["start", "H"], ["restart", "web", "--wait"], ["logs", "H"], ["H"]],
    "task": [["list"], ["start", "H"], ["start", "top", "--wait"], ["stop", "H"], ["logs", "H"], ["delete", "H"]],
    "terminal": [
        ["new", "--detach", "--annotation", "H=H", "/bin/sh"], ["list"], ["new", "H"],
        ["new", "--detach", "--env", "H"], ["attach", "H"],
        ["attach", "H", "--detach-keys", "H"], ["close", "H"], ["H"],
    ],
    "logs": [["H"], ["--since", "H"], ["--grep", "H("], []],
    "runs": [["web"], ["H"]],
    "update": [["bad.yaml"], ["H.yaml"], ["--dry-run"], []],
    "trigger": [["H"], ["postEnvironmentStart"]],
    "resumed": [["H"], []],
    "events": [["--recent", "500"], ["H"]],
    "config": [[], ["H"]],
    "activity": [[], ["H"]],
    "keep-alive": [["H"], ["--reason", "H", "--while", "true"], ["--while", "--", "H"]],
    "token": [["H"], ["--scope", "H"]],
    "upgrade": [["H"]],
    "doctor": [["--local"], ["--endpoints", "endpoints.yaml"], ["--endpoints", "H.yaml"]],
    "bundle": [["--file", "H/x"], ["H"], ["--output", "H/x"]],
    "validate": [["bad.yaml"], ["H.yaml"], ["H", "H"]],
    "plan": [["--task", "H"], ["bad.yaml", "--task", "a"], ["--trigger", "postEnvironmentStart"], ["--trigger", "H"]],
    "init": [["bad.yaml/H"], ["H.yaml"], ["H.yaml"]],
    "schema": [["H"]],
    "completion": [["H"]],
    "shutdown": [["H"]],
}  # fmt: skip
assert ARGUMENTS.keys() == COMMANDS.keys()
LOGS = [
    ["run-task", "bad"], ["run-task", "bad", "--standalone"],
    ["exec", FAILS],
    ["logs", "bad"], ["task", "logs", "bad"], ["logs", "web"], ["service", "logs", "web"],
]  # fmt: skip
HARMLESS = b"\x1b[95mACDE\rF\r\n"


@pytest.mark.slow
def test_every_command(tmp_path: Path) -> None:
    """The name is short since the path of a socket is: no name, no path and no last words steer the terminal."""
    project = Project(tmp_path)
    project.folder = project.folder / "w\x1b[95m\x9b\u202e\r"
    project.folder.mkdir()
    project.file = project.folder / "automations.yaml"
    project.write(NAMES)
    (project.folder / "bad.yaml").write_text(BAD_FILE)
    (project.folder / "endpoints.yaml").write_text(ENDPOINTS)
    env = project.env | {"H": HOSTILE, "TERM": "xterm", "COLUMNS": "300"}
    with closing(project):
        leader, follower = pty.openpty()
        run = subprocess.Popen(
            [sys.executable, "-I", PROGRAM, "run", "--logs", "--listen", "none"],
            cwd=project.folder, env=env, stdin=follower, stdout=follower, stderr=follower,
        )  # fmt: skip
        os.close(follower)
        printed: list[bytes] = []
        reader = threading.Thread(target=lambda: printed.append(read_all(leader)))
        reader.start()
        failed = b"SERVICE_PHASE_FAILED"
        until(
            lambda: failed in on_terminal("service", "list", "--format=json", cwd=project.folder, env=env),
            "the service's end",
        )
        steered = {}
        for command, ways in ARGUMENTS.items():
            for words in ways:
                arguments = [
                    word.replace("H", HOSTILE).replace("STATE", str(tmp_path / "t")) for word in words
                ]
                shown = on_terminal(command, *arguments, cwd=project.folder, env=env)
                if found := obeyed(without_colours_of_logs(shown)):
                    steered[command, *words] = (found, shown)
        logs = [on_terminal(*words, cwd=project.folder, env=env) for words in LOGS]
        plain = [on_terminal(*words, cwd=project.folder, env=env | {"NO_COLOR": "1"}) for words in LOGS]
        on_terminal("shutdown", cwd=project.folder, env=env)
        run.wait(20)
        reader.join(20)
        for words in ([HOSTILE], [f"--{HOSTILE}"]):
            assert obeyed(on_terminal(*words, cwd=project.folder, env=env)) == []
    assert steered == {}
    assert [log.count(HARMLESS) for log in logs] == [2] * len(LOGS), logs
    # A log also has the last words of a probe, if one ran before the service ended.
    assert [obeyed(SGR.sub(b"", log.replace(HARMLESS, b""))) for log in logs] == [[]] * len(LOGS)
    assert [log.count(b"ACDE\rF\r\n") for log in plain] == [2] * len(LOGS)
    assert [log for log in plain if b"\x1b" in log] == []
    lines = without_colours_of_logs(printed[0])
    assert obeyed(lines) == []
    assert b"bad" in printed[0]
    assert b"| F\r\n" in lines


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


class _Refuses(BaseHTTPRequestHandler):
    """Answers everything with an error in hostile words."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"code": "internal", "message": f"no {HOSTILE}"}).encode()
        self.send_response(500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass

    def address_string(self) -> str:
        return ""


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "r.sock"
    with _Server(str(path), _Refuses) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield path
        server.shutdown()
        thread.join()


CLIENTS = [
    "status", "service list", "service start x", "task list", "task stop x", "logs x", "update", "trigger prebuild",
    "resumed", "events", "events --recent 5", "activity", "keep-alive --pid 1", "token", "upgrade", "shutdown",
    "run-task x",
]  # fmt: skip


@pytest.mark.parametrize("words", CLIENTS)
def test_no_client_lets_a_server_steer_the_terminal(refusing: Path, tmp_path: Path, words: str) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SUPERVISOR_SOCKET": str(refusing)}

    shown = on_terminal(*words.split(), cwd=tmp_path, env=env)

    assert obeyed(shown) == []
    assert b"\\x1b[95mA" in shown


def test_our_own_colours_reach_a_terminal(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    assert b"\x1b[1m" in on_terminal("config", cwd=tmp_path, env=env)
    assert b"\x1b" not in on_terminal("config", cwd=tmp_path, env=env | {"NO_COLOR": "1"})
    assert style("x", None) == "x"
