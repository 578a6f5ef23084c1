"""The process that holds ptys, with real shells: what it keeps, whom it serves, and when it ends."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from supervisor.host.proc import cgroups
from supervisor.host.proc.cgroups import Cgroups
from supervisor.host.proc.process import RUNS_MARKER
from supervisor.shim import launcher
from supervisor.shim.unix_socket import peer_credentials
from supervisor.terminals import holder_launcher, holder_protocol
from supervisor.terminals.holder_client import (
    HolderClient,
    HolderLost,
    HolderRefused,
    HolderStuck,
    ShellFailed,
)
from supervisor.terminals.holder_protocol import DATA_BYTES, INPUT_BYTES, encode_frame, socket_name
from tests.e2e import harness
from tests.terminals.held import Scene, is_alive, printed, rest, scene

pytestmark = pytest.mark.anyio


def holder_pid(folder: Path) -> int:
    """Of the holder that listens there."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(folder / socket_name()))
        return peer_credentials(sock)[0]


def variables(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/environ").read_text().split("\0")


def command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


async def until(condition: Callable[[], object], what: str) -> None:
    await anyio.to_thread.run_sync(harness.until, condition, what)


async def test_a_shell_is_interactive_on_a_terminal_of_its_own_and_inherits_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        new = await it.made("bash", size=(100, 30), env={"MINE": "a b", "TERM": "vt100"})
        stream = await it.client.attach(new.id)
        assert (stream.cols, stream.rows) == (100, 30)
        await it.client.write(
            new.id, b"tty; stty size; echo $-:$0:$#:$MINE:$TERM:$COLORTERM; shopt login_shell;"
        )
        await it.client.write(
            new.id, b"ls -l /proc/$$/fd | grep -c /; ps -o sid=,tty= $$; echo :$PWD:$GITPOD_OUTPUT:"
        )
        await it.client.write(new.id, b"; exit 7\n")
        said, end = await rest(stream)

        assert re.search(rb"/dev/pts/\d+\r\n30 100\r\n\w*i\w*:[/\w]*bash:0:a b:vt100:truecolor\r\n", said)
        assert re.search(rb"login_shell +\toff\r\n4\r\n", said), "three and bash's own on its terminal"
        assert re.search(rb"\b%d pts/\d+\r\n:%s::\r\n" % (it.pid, os.fsencode(tmp_path)), said)
        assert end == {"exited": 7}


async def test_a_shell_has_the_marker_by_which_a_drain_finds_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.made()

        assert f"{RUNS_MARKER}={tmp_path / 'runs'}" in variables(it.pid)


@pytest.mark.parametrize(
    ("shell", "cwd", "stage", "number"),
    [
        ("no-such-shell", "", "exec", errno.ENOENT),
        ("/etc/passwd", "", "exec", errno.EACCES),
        ("sh", "/no/such/folder", "chdir", errno.ENOENT),
        ("sh", "/etc/passwd", "chdir", errno.ENOTDIR),
    ],
)
async def test_what_cannot_start_says_why_and_leaves_nothing(
    tmp_path: Path, shell: str, cwd: str, stage: str, number: int
) -> None:
    async with scene(tmp_path) as it:
        with pytest.raises(ShellFailed) as failure:
            await it.made(shell, cwd=cwd)
        assert (failure.value.stage, failure.value.errno) == (stage, number)
        assert await it.client.terminals() == []


async def test_readers_have_positions_of_their_own_and_messages_are_bounded(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        new = await it.made()
        await it.client.write(new.id, b"PS1=; stty -echo; echo 'be''gin'\n")
        early = await it.client.read(new.id, history=True)
        await printed(early, lambda found: b"begin\r\n" in found)
        one, two = await it.client.read(new.id, history=False), await it.client.attach(new.id)
        await it.client.write(new.id, b"seq 100000; exit\n")
        expected = b"".join(b"%d\r\n" % number for number in range(1, 100001))

        longest = 0
        found = bytearray()
        async for _, body in one:
            longest = max(longest, len(body))
            found += body
        one.close()
        assert bytes(found) == expected
        assert longest <= DATA_BYTES
        assert (await rest(two))[0] == expected
        assert (await rest(early))[0] == expected
        late, end = await rest(await it.client.read(new.id, history=True))
        assert late.endswith(expected)
        assert end == {"exited": 0}


@pytest.mark.slow
async def test_neither_a_reader_that_stops_nor_a_shell_that_ignores_a_hangup_holds_anybody_up(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as it:
        stubborn = await it.made("bash")
        await it.client.write(stubborn.id, b"trap '' HUP; echo 'rea''dy'; while :; do sleep 0.1; done\n")
        last = await it.client.read(stubborn.id, history=True)
        await printed(last, lambda found: b"ready" in found)
        began = time.monotonic()
        await it.client.hang_up(stubborn.id)
        assert await it.client.terminals() == []

        new = await it.made()
        first = await it.client.read(new.id, history=True)
        await printed(first, lambda found: b"$ " in found)
        first.close()
        stuck, reader = [await it.client.read(new.id, history=False) for _ in range(2)]
        flood = b"PS1=; stty -echo; head -c 10000000 /dev/zero | tr '\\0' x; echo; echo 'en''d'\n"
        await it.client.write(new.id, flood)
        found = await printed(reader, lambda found: b"x\r\nend\r\n" in found)
        assert found.count(b"x") >= 10_000_000
        said, end = await rest(stuck)
        assert end == {"behind": True}
        assert found.startswith(said), "nothing is left out in between"
        assert len(said) < 10_000_000
        reader.close()

        assert (await rest(last))[1] == {"exited": 137}
        assert 4.5 < time.monotonic() - began < 20


async def test_input_waits_for_a_program_that_does_not_read(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        new = await it.made()
        await it.client.write(new.id, b"PS1=; stty raw -echo; echo 'rea''dy'; sleep 1000 & wait $!\n")
        reader = await it.client.read(new.id, history=True)
        await printed(reader, lambda found: b"ready\n" in found)
        await it.client.write(new.id, b"y" * (INPUT_BYTES - 100_000))
        with pytest.raises(HolderRefused) as refusal:
            await it.client.write(new.id, b"z" * (INPUT_BYTES - 100_000))
        assert refusal.value.why == holder_protocol.FULL
        reader.close()


async def test_close_is_a_hangup_that_nohup_survives(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        polite = await it.made("bash")
        first = it.pid
        await it.client.write(
            polite.id, b"nohup sleep 1000 >/dev/null 2>&1 & echo $! >nohup.pid; mv nohup.pid pid\n"
        )
        await until((tmp_path / "pid").exists, "the pid")
        left = int((tmp_path / "pid").read_text())
        await until(lambda: command(left).startswith(b"sleep"), "nohup")
        reader = await it.client.attach(polite.id)
        await it.client.hang_up(polite.id)
        assert not is_alive(first)
        assert await it.client.terminals() == []
        assert (await rest(reader))[1].keys() == {"exited"}
        assert is_alive(left)
        os.kill(left, signal.SIGKILL)
        await it.client.hang_up(polite.id)  # no error
        with pytest.raises(HolderRefused) as refusal:
            await it.client.write(polite.id, b"x")
        assert refusal.value.why == holder_protocol.ENDED


async def test_a_resize_reaches_the_program_and_is_shown_to_who_attaches(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        new = await it.made("bash")
        await it.client.write(
            new.id, b'sh -c \'trap "stty size" WINCH; echo rea""dy; while :; do sleep 0.05; done\'\n'
        )
        reader = await it.client.read(new.id, history=True)
        await printed(reader, lambda found: b"ready" in found)
        await it.client.resize(new.id, 100, 0)
        await printed(reader, lambda found: b"24 100\r\n" in found)
        await it.client.resize(new.id, 0, 50)
        await printed(reader, lambda found: b"50 100\r\n" in found)
        (seen,) = await it.client.terminals()
        assert (seen.cols, seen.rows) == (100, 50)
        attached = await it.client.attach(new.id)
        assert (attached.cols, attached.rows) == (100, 50)
        attached.close()
        reader.close()


async def test_a_list_says_where_the_shell_is_now(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    async with scene(tmp_path) as it:
        one = await it.made(annotations={"ona.com/owner": "agent"})
        two = await it.made("/bin/sh", cwd="/")
        await it.client.write(one.id, b"cd below; touch there\n")
        await until((tmp_path / "below/there").exists, "the file")
        first, second = await it.client.terminals()

        assert (first.id, first.folder, first.annotations) == (
            one.id,
            str(tmp_path / "below"),
            {"ona.com/owner": "agent"},
        )
        assert (second.id, second.folder, second.shell) == (two.id, "/", "/bin/sh")
        assert abs(first.created_s - time.time()) < 60


async def test_only_so_many_are_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.terminals.terminal_maker.MOST_TERMINALS", 2)
    async with scene(tmp_path) as it:
        one = await it.made()
        await it.made()
        with pytest.raises(HolderRefused) as refusal:
            await it.made()
        assert refusal.value.why == holder_protocol.TOO_MANY
        await it.client.hang_up(one.id)
        await it.made()


async def test_a_holder_ends_when_it_has_nothing_to_hold_and_another_begins(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        with pytest.raises(ShellFailed):
            await it.made("no-such-shell")
        await until(lambda: not (tmp_path / socket_name()).exists(), "its end")
        await it.made()
        pid = holder_pid(tmp_path)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not is_alive(pid), "its death")
        assert await it.client.terminals() == []
        with pytest.raises(HolderRefused):
            await it.client.read("any", history=True)
        await until(lambda: not is_alive(it.pid), "the hangup of its shells")
        await it.made()


async def test_readers_of_a_holder_that_is_killed_learn_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        new = await it.made()
        reader = await it.client.attach(new.id)
        os.kill(holder_pid(tmp_path), signal.SIGKILL)
        with pytest.raises(HolderLost):
            await rest(reader)
        reader.close()


async def test_a_holder_listens_anew_when_its_socket_was_removed(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        assert it.client.is_reachable(), "without a holder nothing is missing"
        new = await it.made()
        assert it.client.is_reachable()
        pid = holder_pid(tmp_path)
        (tmp_path / socket_name()).unlink()
        assert not it.client.is_reachable()
        assert await it.client.terminals() == []
        await it.client.listen_again()
        await until(it.client.is_reachable, "the socket")
        assert [one.id for one in await it.client.terminals()] == [new.id]
        assert holder_pid(tmp_path) == pid
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not is_alive(pid), "its death")
        assert it.client.is_reachable()


async def test_a_holder_that_does_not_answer_ends_with_all_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANSWER_S", "DRAIN_S", "LOOK_S"):
        monkeypatch.setattr(f"supervisor.terminals.holder_client.{name}", 0.1)
    async with scene(tmp_path) as it:
        await it.made()
        pid = holder_pid(tmp_path)
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(HolderStuck):
            await it.client.terminals()
        assert await it.client.seen() == []
        assert await it.client.drain() == []
        await until(lambda: not is_alive(pid) and not is_alive(it.pid), "their end")


@pytest.mark.parametrize(
    "sent",
    [
        b"\0\0",
        b"\xff" * 64,
        b"\0\0\0\2\0\0\0\0[]",
        b"\0\0\0\2\0\0\0\0{x",
        encode_frame({"ask": "create"}),
        encode_frame({"ask": "nothing"}),
        encode_frame({"ask": "resize", "id": 7}),
        encode_frame({"ask": "create", "id": "x", "shell": "\0", "cwd": "/", "env": {"a": 1}, "cols": 1 << 40,
                      "rows": 1, "annotations": {}, "most": 64}),
    ],
)  # fmt: skip
async def test_garbage_ends_a_connection_and_nothing_else(tmp_path: Path, sent: bytes) -> None:
    async with scene(tmp_path) as it:
        new = await it.made()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            sock.connect(str(tmp_path / socket_name()))
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass
        assert [one.id for one in await it.client.terminals()] == [new.id]


async def test_a_holder_of_another_version_is_used_further_and_new_terminals_get_one_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path) as it:
        old = await it.made()
        (tmp_path / socket_name()).rename(tmp_path / socket_name(99))
        new = await it.made()

        assert [one.id for one in await it.client.terminals()] == [old.id, new.id]
        for terminal in (old, new):
            reader = await it.client.attach(terminal.id)
            await it.client.write(terminal.id, b"exit 3\n")
            assert (await rest(reader))[1] == {"exited": 3}


async def test_an_idle_holder_uses_no_processor_time(tmp_path: Path) -> None:
    def ticks(pid: int) -> tuple[int, int]:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text()
        switches = sum(int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line)
        return int(stat[11]) + int(stat[12]), switches

    async with scene(tmp_path) as it:
        new = await it.made()
        reader = await it.client.read(new.id, history=True)
        await printed(reader, lambda found: b"$ " in found)
        await it.client.terminals()
        pid = holder_pid(tmp_path)
        seen = [ticks(pid)]
        while seen[-1:] != seen[-5:-4]:  # it attends to our look at its pid
            await anyio.sleep(0.01)
            seen.append(ticks(pid))
        before = ticks(pid)
        await anyio.sleep(0.5)  # what is idle must stay so for a while
        assert ticks(pid) == before
        reader.close()


def test_the_held_program_is_made_of_all_its_modules() -> None:
    code = f"import sys; sys.argv = ['x']; sys.path.insert(0, {str(Path(launcher._ROOT))!r}); "
    code += "import supervisor.terminals.pty_holder"
    shown = f"{code}; print(*(name for name in sys.modules if name.startswith('supervisor')))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", shown], capture_output=True, text=True, check=True
    )
    held = re.findall(r"\('(supervisor[\w.]*)', ", launcher.script(holder_launcher._HOLDER))
    assert sorted(done.stdout.split()) == sorted([*held, "supervisor.terminals.pty_holder"])


async def test_a_holder_from_memory_does_all_that_one_from_files_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = launcher.in_memory(holder_launcher._HOLDER)
    monkeypatch.setattr(holder_launcher, "_held", held)
    try:
        async with scene(tmp_path) as it:
            new = await it.made()
            reader = await it.client.attach(new.id)
            await it.client.write(new.id, b"exit 5\n")
            assert (await rest(reader))[1] == {"exited": 5}
    finally:
        os.close(held)


async def test_two_that_create_at_once_have_one_holder(tmp_path: Path) -> None:
    async with scene(tmp_path) as it, anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(it.made)
    assert HolderClient(tmp_path)._paths() == []


async def test_a_shell_is_in_a_control_group_of_its_own_and_the_holder_stays_out(tmp_path: Path) -> None:
    groups = Cgroups.of(tmp_path)
    if groups is None:
        pytest.skip("there is no tree of control groups that is ours")
    async with scene(tmp_path) as it:
        it.maker = replace(it.maker, cgroups=groups)
        new = await it.made()
        group = f"{groups.folder}/terminal-{new.id}"
        assert cgroups.processes(group) == [it.pid]
        assert groups.runs() == [group], "the sweep kills it, too"
        never = it.maker.new_shell("no-such-shell")
        with pytest.raises(ShellFailed):
            await it.client.create(never)
        it.maker.discard(never)
        assert cgroups.processes(groups.shims) == []
        await it.client.hang_up(new.id)
        await until(lambda: groups.runs() == [], "the end of the group")
    groups.close(5.0)
    assert not Path(groups.folder).exists()  # noqa: ASYNC240


HOLD = "import sys; sys.path.insert(0, {root!r}); from supervisor.terminals.pty_holder import PtyHolder; "
HOLD += "PtyHolder({path!r}, 0.5).serve()"


async def test_what_has_ended_is_forgotten_after_a_while_and_then_the_holder_ends(tmp_path: Path) -> None:
    code = HOLD.format(root=launcher._ROOT, path=str(tmp_path / socket_name()))
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", code]) as holder:  # noqa: ASYNC220
        await until((tmp_path / socket_name()).exists, "the holder")
        it = Scene(tmp_path)
        new = await it.made()
        await it.client.write(new.id, b"exit 3\n")
        assert (await rest(await it.client.attach(new.id)))[1] == {"exited": 3}
        assert (await rest(await it.client.attach(new.id)))[1] == {"exited": 3}, "also when it has ended"
        assert await anyio.to_thread.run_sync(holder.wait, 20) == 0
    with pytest.raises(HolderRefused):
        await it.client.attach(new.id)
