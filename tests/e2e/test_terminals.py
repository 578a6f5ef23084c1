"""Terminals of a real supervisor, by raw calls over TCP: shells outlive it, and who reads them misses nothing."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from platform_wire import environmentopts_pb2 as pb
from supervisor.terminals.emulated_screen import EmulatedScreen
from supervisor.terminals.terminal_queries import without_queries
from tests.clients.harness import Supervisor
from tests.e2e.harness import Project, until
from tests.e2e.ops_client import SERVICE, OpsClient, OpsFailure, OpsStream
from tests.terminals.screen_state import state

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Scene:
    """A supervisor and a client of it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.start()
        self.first = ""
        """A terminal that is there all the time; empty: there is none."""

    def start(self) -> None:
        """Start a supervisor, the first or another one."""
        self.supervisor = Supervisor(self.project)
        self.ops = OpsClient(self.supervisor.port, self.supervisor.token())

    def open(self) -> list[pb.TerminalInfo]:
        """The open terminals, without the first one."""
        return [one for one in self.ops.terminals() if one.terminal_id != self.first]

    def kill(self) -> None:
        self.supervisor.program.send(signal.SIGKILL)
        self.supervisor.program.process.wait(20)

    def upgrade(self) -> None:
        """Have the same program take over."""
        asked = self.project.program("upgrade")
        assert asked.wait() == 0, asked.err
        until(self.supervisor._is_ready, "the new program")

    def shell_pid(self, id_: str) -> int:
        """Of the shell of a terminal."""
        asked = self.project.program("status", "--format", "json")
        assert asked.wait() == 0, asked.err
        (found,) = [one for one in json.loads(asked.out)["terminals"] if one["id"] == id_]
        return int(found["pid"])


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    project = Project(tmp_path)
    try:
        it = Scene(project)
        yield it
        assert project.stop(it.supervisor.program) == 130, it.supervisor.program.err
        assert "Traceback" not in it.supervisor.program.err
    finally:
        project.close()


@pytest.fixture(scope="module")
def supervised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One supervisor for all who leave it alone, with a terminal, so that there is a holder all the time."""
    project = Project(tmp_path_factory.mktemp("shared"))
    try:
        it = Scene(project)
        it.first = it.ops.create("sh")
        yield it
        assert project.stop(it.supervisor.program) == 130, it.supervisor.program.err
        assert "Traceback" not in it.supervisor.program.err
    finally:
        project.close()


@pytest.fixture
def shared(supervised: Scene) -> Iterator[Scene]:
    """The same for a test, which leaves no terminal."""
    yield supervised
    for one in supervised.open():
        supervised.ops.hang_up(one.terminal_id)


def refused(call: Callable[[], object]) -> tuple[str, str]:
    """The code and the message that a call is refused with."""
    with pytest.raises(OpsFailure) as failure:
        call()
    return failure.value.code, failure.value.message


def test_a_shell_outlives_kills_and_upgrades_with_all_that_it_is(scene: Scene) -> None:
    id_ = scene.ops.create(env={"PS1": "$ "}, annotations={"ona.com/owner": "agent"})
    reader = scene.ops.attach(id_)
    scene.ops.write(
        id_,
        b"PS1='$ ' MINE=before; i=0; until [ -e stop ]; do echo line-$((i += 1)); echo $i >at; sleep 0.01; done\n",
    )
    reader.until_printed(b"line-5\r\n")
    pid = scene.shell_pid(id_)

    scene.kill()
    until(lambda: reader.is_over, "the end of the connection")
    assert reader.breaks_off
    reader.close()
    at = scene.project.folder / "at"
    before = int(at.read_text() or 0)
    until(lambda: int(at.read_text() or 0) > before + 5, "output that no supervisor sees")
    scene.start()
    assert scene.shell_pid(id_) == pid
    reader = scene.ops.attach(id_)
    scene.upgrade()
    failure = reader.end()
    assert failure is not None
    assert failure.code == "unavailable", failure
    reader.close()

    everything = scene.ops.read(id_)
    (scene.project.folder / "stop").touch()
    scene.ops.write(id_, b"echo $MINE-$i-$$-done\n")
    everything.until(lambda printed: b"-%d-done\r\n" % pid in printed)
    scene.ops.write(id_, b"exit 7\n")
    assert everything.end() is None
    last = int(everything.printed.rpartition(b"before-")[2].partition(b"-")[0])
    lines = re.findall(rb"line-(\d+)\r\n", everything.printed)
    assert lines == [b"%d" % number for number in range(1, last + 1)], "nothing is lost or doubled"
    assert last > 10
    everything.close()
    assert scene.ops.terminals() == []
    late = scene.ops.attach(id_)
    assert late.end() is None
    assert [message.WhichOneof("content") for message in late.messages] == ["replay", "exited"]
    assert late.messages[-1].exited.exit_code == 7
    late.close()


def test_what_was_answered_was_typed_whatever_kills_the_supervisor(
    scene: Scene, pytestconfig: pytest.Config
) -> None:
    """Lines go to one shell from calls that a kill -9 cuts off at random."""
    seed, kills = pytestconfig.getoption("--seed"), 30 if pytestconfig.getoption("--all-faults") else 1
    draw = random.Random(seed)
    id_ = scene.ops.create("sh")
    scene.ops.write(id_, b"stty -echo; cat >typed; exit 9\n")
    typed = scene.project.folder / "typed"
    until(typed.exists, "cat")
    answered, sent = [], 0
    for _ in range(kills):
        killer = threading.Timer(draw.uniform(0.0, 0.1), scene.kill)
        killer.start()
        try:
            while True:
                sent += 1
                scene.ops.write(id_, b"%d %s\n" % (sent, b"x" * draw.randrange(3000)))
                answered.append(sent)
        except (OSError, http.client.HTTPException):
            pass  # the supervisor is dead
        killer.join()
        scene.supervisor.program.close()
        scene.start()
    scene.ops.write(id_, b"\x04")
    reader = scene.ops.read(id_, skip_history=True)
    assert reader.end() is None
    reader.close()
    lines = typed.read_bytes().splitlines()
    numbers = [int(line.split(b" ")[0]) for line in lines]
    assert numbers == sorted(set(numbers)), f"in order, none twice; seed {seed}"
    assert set(answered) <= set(numbers), f"seed {seed}"
    assert all(re.fullmatch(rb"\d+ x*", line) for line in lines), f"calls are mixed; seed {seed}"
    print(f"{kills} kills, {sent} lines sent, {len(answered)} answered, {len(numbers)} typed, seed {seed}")


def test_a_drain_ends_terminals_and_a_supervisor_that_detaches_leaves_them(scene: Scene) -> None:
    mark = f"000.{os.getpid()}"
    id_ = scene.ops.create()
    pid = scene.shell_pid(id_)
    scene.ops.write(
        id_,
        f"nohup sleep 1{mark} >/dev/null 2>&1 & setsid -f sleep 2{mark}; env -i setsid -f sleep 3{mark}\n".encode(),
    )
    until(lambda: sum(mark in line for line in commands("sleep")) == 3, "the daemons")

    asked = scene.project.program("shutdown", "--detach")
    assert asked.wait() == 0, asked.err
    scene.supervisor.program.process.wait(20)
    scene.start()
    assert scene.shell_pid(id_) == pid
    reader = scene.ops.attach(id_)
    scene.supervisor.program.interrupt()
    failure = reader.end()
    assert failure is not None
    assert failure.code == "unavailable"
    reader.close()
    assert scene.project.end(scene.supervisor.program) == 130
    assert not [line for line in commands("sleep") if mark in line]
    scene.start()
    assert scene.ops.terminals() == []
    assert refused(lambda: scene.ops.write(id_, b"x"))[0] == "not_found"


def commands(program: str) -> list[str]:
    """The command lines of all processes of a program."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_text().replace("\0", " "))
        except OSError:
            continue
    return [line for line in found if line.startswith(program)]


class Shown:
    """A terminal as a client shows it: what it has read, and the sizes it had."""

    def __init__(self, reader: OpsStream[pb.AttachTerminalResponse]) -> None:
        reader.until(lambda _: reader.messages, "the replay")
        self.reader = reader
        replay = reader.messages[0].replay
        self.screen = EmulatedScreen(replay.cols, replay.rows)
        self.replay = replay.data
        self._taken = 0

    def take(self) -> EmulatedScreen:
        """Take what has come."""
        data = self.reader.printed[self._taken :]
        self._taken += len(data)
        self.screen.feed(data)
        return self.screen

    def until_shown(self, mark: bytes) -> None:
        self.reader.until(lambda _: state(self.take()) and mark in text_of(self.screen), repr(mark))


@pytest.mark.skipif(shutil.which("vim") is None, reason="there is no vim")
def test_who_attaches_sees_what_one_sees_who_was_attached_all_the_time(shared: Scene) -> None:
    ops, text = shared.ops, shared.project.folder / "text"
    text.write_text("".join(f"line {number} of a file\n" for number in range(1000)))
    id_ = ops.create("bash", env={"PS1": "$ "})
    always = Shown(ops.attach(id_))

    def same(mark: bytes, before: bytes = b"") -> None:
        late = Shown(ops.attach(id_))
        assert without_queries(late.replay, keep_focus=True) == late.replay, "no terminal is asked twice"
        ops.write(id_, before + mark)
        always.until_shown(mark)
        late.until_shown(mark)
        until(lambda: state(always.take()) == state(late.take()), "the same screen")
        late.reader.close()

    ops.write(id_, b"PS1='$ '; seq 300000; printf '\\e[31mred\\e[0m '\n")
    always.reader.until_printed(b"\x1b[31mred")
    same(b"typed-1")
    ops.write(id_, b"\x15vim -u NONE -N text\n")
    always.reader.until_printed(b"line 20 of a file")
    same(b"text-2", before=b"i")
    ops.resize(id_, 100, 30)  # vim is at rest
    always.screen.resize(100, 30)
    same(b"text-3")
    ops.write(id_, b"\x1b:q!\n")
    same(b"typed-4")
    always.reader.close()


def text_of(screen: EmulatedScreen) -> bytes:
    """The characters on it."""
    return "\n".join("".join(row.cells) for row in screen.grid.rows).encode()


def test_a_megabyte_that_is_pasted_arrives(shared: Scene, pytestconfig: pytest.Config) -> None:
    data = base64.encodebytes(random.Random(7).randbytes(3 << 18))
    id_ = shared.ops.create()
    reader = shared.ops.attach(id_)
    shared.ops.write(id_, b"stty -echo; echo 'rea''dy'; cat > f; sha256sum f; echo 'do''ne'\n")
    reader.until_printed(b"ready\r\n")
    shared.ops.write(id_, data)
    shared.ops.write(id_, b"\x04")
    reader.until_printed(b"done\r\n")
    assert hashlib.sha256(data).hexdigest().encode() in reader.printed
    assert (shared.project.folder / "f").read_bytes() == data
    reader.close()


def test_a_reader_that_stops_holds_up_neither_shell_nor_others(
    shared: Scene, pytestconfig: pytest.Config
) -> None:
    size = int(pytestconfig.getoption("--terminal-megabytes") * 1_000_000)
    id_ = shared.ops.create("sh")
    shown = shared.ops.read(id_)
    shown.until(lambda printed: printed.endswith((b"$ ", b"# ")))
    shown.close()
    stuck = shared.ops.read(id_, skip_history=True, buffer=1 << 16)
    reader = shared.ops.read(id_, skip_history=True)
    stuck.pause()
    shared.ops.write(id_, b"stty -echo; yes 0123456789abcde | head -c %d; exit 3\n" % size)
    began = time.monotonic()
    while not reader.is_over:
        typed = time.monotonic()
        shared.ops.write(id_, b"")
        assert time.monotonic() - typed < 10
        time.sleep(0.05)  # the flood goes on meanwhile
        assert time.monotonic() - began < 120
    assert reader.error is None, "who reads gets all of it"
    flood = reader.printed.partition(b"exit 3\r\n")[2]
    assert len(flood) == size // 16 * 17
    assert hashlib.sha256(flood).digest() == hashlib.sha256(b"0123456789abcde\r\n" * (size // 16)).digest()
    assert reader.longest <= 64 << 10
    print(f"{size} bytes in {time.monotonic() - began:.1f} s")
    stuck.go_on()
    failure = stuck.end()
    assert failure is not None
    assert failure.code == "aborted"
    assert reader.printed.startswith(stuck.printed), "nothing is left out in between"
    stuck.close()
    reader.close()


def test_calls_answer_as_the_contract_says(shared: Scene) -> None:
    ops, workspace = shared.ops, str(shared.project.folder)
    (shared.project.folder / "below").mkdir()
    (shared.project.folder / "closed").write_text("no program")
    one = ops.create("", working_directory="below", initial_cols=100, env={"A": "1"}, annotations={"k": "v"})
    two = ops.create("sh", working_directory="/", initial_rows=10)
    first, second = shared.open()
    assert (first.terminal_id, first.working_directory, first.cols, first.rows) == (
        one,
        f"{workspace}/below",
        100,
        24,
    )
    assert dict(first.annotations) == {"k": "v"}
    assert first.shell.startswith("/")
    assert abs(first.created_at.seconds - time.time()) < 60
    assert (second.terminal_id, second.working_directory, second.cols, second.rows) == (two, "/", 80, 10)

    odd = os.fsdecode(os.fsencode(workspace) + b"/\xff")
    os.mkdir(odd)
    three = ops.create(working_directory="\uefff")
    assert shared.open()[-1].working_directory == f"{workspace}/\uefff", "a name that is not UTF-8"
    ops.hang_up(three)

    assert refused(lambda: ops.create("no-such-shell"))[0] == "invalid_argument"
    assert refused(lambda: ops.create(f"{workspace}/closed"))[0] == "invalid_argument"
    assert refused(lambda: ops.create(working_directory="nowhere"))[0] == "not_found"
    assert refused(lambda: ops.create(working_directory="/etc/passwd"))[0] == "not_found"
    assert refused(lambda: ops.create(working_directory="a\0b"))[0] == "invalid_argument"
    assert refused(lambda: ops.create(env={"A=B": "1"}))[0] == "invalid_argument"
    assert refused(lambda: ops.create(env={"": "1"}))[0] == "invalid_argument"
    assert refused(lambda: ops.create(env={"A": "\0"}))[0] == "invalid_argument"
    assert refused(lambda: ops.create(initial_cols=1001))[0] == "invalid_argument"
    assert refused(lambda: ops.create(annotations={"k": "v" * (16 << 10)}))[0] == "resource_exhausted"
    assert refused(lambda: ops.resize(one, 1, 1001))[0] == "invalid_argument"
    assert [one.terminal_id for one in shared.open()] == [one, two], "none of these made one"
    assert refused(lambda: ops.write("unknown", b"x"))[0] == "not_found"
    assert refused(lambda: ops.resize("unknown", 1, 1))[0] == "not_found"
    assert refused(lambda: ops.hang_up("unknown"))[0] == "not_found"
    streams: list[OpsStream[Any]] = [ops.read("unknown"), ops.attach("unknown")]
    for stream in streams:
        failure = stream.end()
        assert failure is not None
        assert failure.code == "not_found"
        stream.close()

    # Two readers, a size for all, input that keeps awake.
    readers: list[OpsStream[Any]] = [ops.attach(two), ops.read(two)]
    ops.resize(two, cols=90)
    ops.write(two, b"stty size; echo 'en''d'\n")
    for reader in readers:
        reader.until_printed(b"10 90\r\nend\r\n")
    activity = shared.project.program("activity", "--format", "json")
    assert activity.wait() == 0
    assert [seen["source"] for seen in json.loads(activity.out)["sources"]] == ["Terminal"]
    activity.close()
    ops.hang_up(two)
    assert [reader.end() for reader in readers] == [None, None]
    assert [info.terminal_id for info in shared.open()] == [one]
    assert refused(lambda: ops.write(two, b"x"))[0] == "failed_precondition"
    ops.hang_up(two)
    for reader in readers:
        reader.close()


def test_only_tokens_of_the_environment_reach_a_terminal(shared: Scene) -> None:
    methods = [
        *("CreateTerminal", "WriteTerminal", "ResizeTerminal", "CloseTerminal", "ListTerminals"),
        *("ListTerminalProfiles", "ReadTerminal", "AttachTerminal"),
    ]

    def status(method: str, token: str) -> int:
        kind = (
            "application/connect+proto"
            if method in ("ReadTerminal", "AttachTerminal")
            else "application/proto"
        )
        connection = http.client.HTTPConnection("127.0.0.1", shared.supervisor.port, timeout=20)
        head = {"Content-Type": kind} | ({"Authorization": f"Bearer {token}"} if token else {})
        connection.request("POST", f"{SERVICE}/{method}", b"", head)
        try:
            return connection.getresponse().status
        finally:
            connection.close()

    logs = shared.supervisor.token("Logs")
    assert {status(method, logs) for method in methods} == {403}
    assert {status(method, "") for method in methods} == {401}
    assert {status(method, "not.a.token") for method in methods} == {401}
    assert shared.open() == []


def test_profiles_are_those_of_the_machine_and_those_that_a_client_has_configured(shared: Scene) -> None:
    program = shared.project.folder / "mine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    def listed(detect: bool, **configured: str) -> list[tuple[str, str, bool]]:
        request = pb.ListTerminalProfilesRequest(include_detected_profiles=detect)
        for name, path in configured.items():
            request.config_profiles[name].path = path
        answer = shared.ops.unary("ListTerminalProfiles", request, pb.ListTerminalProfilesResponse)
        return [(one.profile_name, one.path, one.is_auto_detected) for one in answer.profiles]

    assert listed(False, b=str(program), a="sh", gone="/no/such", folder="/tmp", relative="a/b") == [
        ("a", "/usr/bin/sh" if os.access("/usr/bin/sh", os.X_OK) else "/bin/sh", False),
        ("b", str(program), False),
    ]
    detected = listed(True)
    assert all(os.access(path, os.X_OK) and is_detected for _, path, is_detected in detected)
    assert len({name for name, _, _ in detected}) == len(detected)
    assert detected[0][0] in {"sh", "bash"}
    off = {name: "" for name, _, _ in detected[:1]}
    assert listed(True, **off) == detected[1:]
    mine = {detected[0][0]: str(program)}
    assert listed(True, **mine) == [(detected[0][0], str(program), False), *detected[1:]]
