"""`supervisor run --user`: whose the commands are, and what that user can do with the supervisor.

Each supervisor runs in a mount namespace of its own, with a password database that knows the user "dev", and with empty
folders in place of /var/lib and /root: what the machine has there is left alone.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from platform_wire import environmentopts_pb2 as pb
from supervisor.cli.remote.client import Client
from tests.e2e.harness import MARKER, Program, Project, until
from tests.e2e.namespace import children, unshare
from tests.e2e.ops_client import OpsClient, OpsFailure
from tests.host.users.other_user import GID, GROUP, UID, needs_root
from tests.removal import remove
from tests.workspace import worker_bench

pytestmark = [needs_root, pytest.mark.slow]

MARKED = ("--pass-env", MARKER)
"""So that the end of a test sees what the commands leave behind."""
MACHINE = f"""
set -e
etc=$1 python=$2
shift 2
cp /etc/passwd /etc/group $etc
echo "dev:x:{UID}:{GID}:Developer:$etc/home:/bin/sh" >>$etc/passwd
echo "closed:x:64400:{GID}:Lets nobody in:/:/usr/sbin/nologin" >>$etc/passwd
echo "dev:x:{GID}:" >>$etc/group
echo "extra:x:{GROUP}:dev" >>$etc/group
mount --bind $etc/passwd /etc/passwd
mount --bind $etc/group /etc/group
mkdir -p $etc/python
mount --bind $python $etc/python
for folder in /var/lib /root; do mount -t tmpfs -o mode=0755 tmpfs $folder; done
# Where this Python is below /root, the user is to find it there all the same.
mkdir -p $python
mount --bind $etc/python $python
exec "$@"
"""


class Machine(Project):
    """A project in a folder that everybody can reach, on a machine with a user "dev" who is at home in `home`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.etc = folder
        for mine in (self.home, self.folder):
            os.chown(mine, UID, GID)
        del self.env["XDG_STATE_HOME"]
        within = ("unshare", "--mount", "--propagation", "private", "sh", "-c", MACHINE, "sh")
        self.here: tuple[str, ...] = (*within, str(folder), sys.base_prefix)

    def supervise(self, *arguments: str, **env: str) -> Program:
        """Root's `supervisor run --user dev`."""
        words = ("run", "--format", "json", "--listen", "127.0.0.1:0", "--user", "dev", *MARKED, *arguments)
        return self._start(words, self.here, {"HOME": "/root", "USER": "root"} | env)

    def as_user(self, supervisor: Program, *arguments: str, uid: int = UID, **env: str) -> Program:
        """A user's command line, in a terminal of its own."""
        within = (
            *("nsenter", f"--mount=/proc/{supervisor.pid}/ns/mnt", f"--wdns={self.folder}"),
            *("setpriv", f"--reuid={uid}", f"--regid={uid + 1}", "--clear-groups"),
        )
        return self._start(arguments, within, env)

    def _start(self, arguments: tuple[str, ...], within: tuple[str, ...], env: dict[str, str]) -> Program:
        return self.keep(Program(arguments, self.folder, self.env | env, subprocess.PIPE, within))

    def ended(self, program: Program) -> tuple[int, str, str]:
        """Exit status, output and error of a program that is to end by itself."""
        return program.wait(), program.out, program.err


@pytest.fixture
def machine() -> Iterator[Machine]:
    folder = Path(tempfile.mkdtemp(prefix="user-", dir="/tmp"))
    folder.chmod(0o755)
    machine = Machine(folder)
    yield machine
    machine.close()
    remove(folder)


def test_commands_are_the_users_and_have_no_secret_of_the_supervisor(machine: Machine) -> None:
    machine.write(
        "tasks:\n"
        "  who:\n"
        "    name: Who\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    command: |\n"
        "      id -un; id -Gn; echo $HOME $USER $LOGNAME $SHELL $PWD; ulimit -n; ls ~\n"
        "      ! env | grep -e sesame -e =/root/[^.]\n"
        "      ! cat /proc/[0-9]*/environ 2>&- | grep -az sesame\n"
        "      ls -l /proc/self/fd | grep -c -- '->'\n"
        "      touch made\n"
    )
    (machine.home / "mine").touch()
    program = machine.supervise(
        "--logs", SUPERVISOR_SECRET="sesame", XDG_STATE_HOME="/root/state", MAIL="/root/mail"
    )

    program.event(reference="who", phase="succeeded")
    lines = [event["line"] for event in program.events if event["kind"] == "log"]
    limit = str(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    home = f"{machine.home} dev dev /bin/sh {machine.folder}"
    assert lines == ["dev", "dev extra", home, limit, "mine", "4"]
    assert (machine.folder / "made").stat().st_uid == UID
    assert machine.stop(program) == 130


def test_the_users_own_command_line_works_in_any_terminal(machine: Machine) -> None:
    machine.write(
        "services:\n"
        "  web:\n"
        "    name: Web\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    commands: {start: exec sleep 1000}\n"
        "tasks:\n"
        "  build: {name: Build, command: 'id -un; echo KEY=value >>$GITPOD_OUTPUT; exit 7'}\n"
    )
    program = machine.supervise()
    program.event(reference="web", phase="running")

    assert machine.ended(machine.as_user(program, "run-task", "build"))[:2] == (7, "dev\n")
    assert machine.ended(machine.as_user(program, "service", "stop", "web", "--wait"))[0] == 0
    status, token, _ = machine.ended(machine.as_user(program, "token", "--scope", "logs"))
    assert (status, len(token.split("."))) == (0, 3)
    assert machine.ended(machine.as_user(program, "shutdown"))[0] == 0
    assert machine.end(program) == 0


def test_the_users_commands_reach_the_supervisor(machine: Machine) -> None:
    machine.write(
        "tasks:\n"
        "  ask:\n"
        "    name: Ask\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        f"    command: {sys.executable} -I {Path(__file__).parents[2]}/supervisor/__main__.py run-task other\n"
        "  other: {name: Other, command: echo asked}\n"
    )
    program = machine.supervise("--logs")

    program.event(reference="ask", phase="succeeded")
    assert "asked" in [event.get("line") for event in program.events]
    assert machine.stop(program) == 130


def test_what_is_the_supervisors_stays_closed_to_the_user_and_all_to_others(machine: Machine) -> None:
    machine.write(
        "services:\n"
        "  web:\n"
        "    name: Web\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    commands:\n"
        "      start: |\n"
        "        state=$(dirname $SUPERVISOR_SOCKET)\n"
        "        until [ -e $state/token.key ]; do sleep 0.02; done\n"
        "        for file in token.key state.db lock shim.sock; do cat $state/$file; echo x >>$state/$file; done\n"
        "        ls $state; mv $state $state.mine; rm -f $SUPERVISOR_SOCKET\n"
        "        echo done; exec sleep 1000\n"
    )
    program = machine.supervise("--logs")

    program.event(kind="log", line="done")
    lines = [event["line"] for event in program.events if event["kind"] == "log"]
    assert len([line for line in lines if line.endswith("Permission denied")]) == len(lines) - 1 == 11
    status, _, error = machine.ended(machine.as_user(program, "status", uid=64380))
    assert (status, "no supervisor runs for" in error) == (3, True)
    assert machine.stop(program) == 130


def test_terminals_are_the_users_and_open_nothing_of_roots(machine: Machine) -> None:
    closed = machine.folder / "closed"
    closed.mkdir(mode=0o700)
    mine = machine.etc / "mine"
    mine.write_text("#!/bin/sh\n")
    mine.chmod(0o744)
    limits = "id -Gn; ulimit -n; cat /proc/self/oom_score_adj"
    machine.write(
        f"tasks: {{t: {{name: T, triggeredBy: [postEnvironmentStart], command: '({limits}) >task'}}}}\n"
    )
    program = machine.supervise("--listen", "127.0.0.1:0", SUPERVISOR_SECRET="sesame")
    program.event(reference="t", phase="succeeded")
    token = until(lambda: machine.ended(machine.as_user(program, "token"))[1].strip(), "a token")
    state = machine.ended(machine.as_user(program, "status", "--format", "json"))[1]
    ops = OpsClient(int(json.loads(state)["url"].rpartition(":")[2]), token)

    assert refused(lambda: ops.create("sh", working_directory="closed")) == "permission_denied"
    assert refused(lambda: ops.create(str(mine))) == "invalid_argument"
    id_ = ops.create("")
    reader = ops.read(id_)
    ops.write(id_, f"({limits}) >terminal; id -un; echo $HOME:$USER:$SHELL:$PWD; stat -c %U $(tty);".encode())
    ops.write(
        id_, b"echo hi >$(tty); env | grep -c sesame; cat /proc/[0-9]*/environ 2>&- | grep -acz sesame;"
    )
    ops.write(
        id_, b"cat $(dirname $SUPERVISOR_SOCKET)/terminals-1.sock /proc/$PPID/environ; touch made; exit\n"
    )
    assert reader.end() is None
    said = reader.printed.partition(b"exit\r\n")[2].decode()
    home = f"{machine.home}:dev:/bin/sh:{machine.folder}"
    lines = said.split("\r\n")
    assert lines[:6] == ["dev", home, "dev", "hi", "0", "0"], said
    assert [line.rpartition(": ")[2] for line in lines[6:8]] == ["Permission denied"] * 2, said
    task, terminal = [(machine.folder / name).read_text() for name in ("task", "terminal")]
    assert terminal == task, "groups, and what is inherited, are a command's"
    assert (machine.folder / "made").stat().st_uid == UID
    reader.close()
    profiles = pb.ListTerminalProfilesRequest()
    profiles.config_profiles["mine"].path = str(mine)
    profiles.config_profiles["sh"].path = "/bin/sh"
    answer = ops.unary("ListTerminalProfiles", profiles, pb.ListTerminalProfilesResponse)
    assert [one.profile_name for one in answer.profiles] == ["sh"]
    assert machine.stop(program) == 130


def test_files_are_the_users_and_none_of_roots_is_reached(machine: Machine) -> None:
    machine.here = (
        *machine.here,
        "sh",
        "-c",
        'mkdir -m 700 /root/closed; echo s >/root/closed/x; exec "$@"',
        "sh",
    )
    (machine.folder / "planted").symlink_to("/etc/shadow")
    (machine.folder / "away").symlink_to("/root/closed")
    shared = machine.folder / "shared"
    shared.write_text("of the group")
    os.chown(shared, 0, GROUP)
    shared.chmod(0o660)
    theirs = machine.folder / "readable"
    theirs.write_text("root's")
    machine.write("{}\n")
    program = machine.supervise(SUPERVISOR_SECRET="sesame")
    token = until(lambda: machine.ended(machine.as_user(program, "token"))[1].strip(), "a token")
    seen = json.loads(machine.ended(machine.as_user(program, "status", "--format", "json"))[1])
    ops = OpsClient(int(seen["url"].rpartition(":")[2]), token)
    state = os.path.dirname(seen["socket"])

    assert ops.read_file("shared") == b"of the group"
    living = worker_bench.children(program.pid)
    (worker,) = [pid for pid in living if b"worker_start" in worker_bench.command_line(pid)]
    files = ["/etc/shadow", "planted", "away/x", "/root/closed/x", f"{state}/token.key", f"{state}/state.db"]
    ours = [
        f"/proc/{pid}/{name}" for pid in ("self", worker, program.pid) for name in ("environ", "mem", "maps")
    ]
    folders = ["away", "/root/closed", f"{state}/runs"]
    existing = [*files, "readable", f"/proc/{program.pid}/comm", "/proc/self/mem"]
    modes = (pb.WRITE_MODE_TRUNCATE, pb.WRITE_MODE_APPEND, pb.WRITE_MODE_CREATE_OR_TRUNCATE)
    calls: dict[str, Callable[[], object]] = {
        **{f"read {path}": partial(ops.read_file, path) for path in (*files, *ours, *folders)},
        **{
            f"write {path} in mode {mode}": partial(ops.write_file, path, b"x", mode)
            for path in existing
            for mode in modes
        },
        **{
            f"create {path}": partial(ops.write_file, path, b"x", pb.WRITE_MODE_CREATE)
            for path in ("/etc/new", "away/new", "/root/closed/a/b", f"{state}/new")
        },
        **{
            f"find in {path}": partial(ops.unary, "Find", pb.FindRequest(path=path), pb.FindResponse)
            for path in folders
        },
    }
    found = {name: refused(call) for name, call in calls.items()}
    assert found == dict.fromkeys(calls, "permission_denied")
    status = ops.read_file("/proc/self/status").decode()
    assert f"Uid:\t{UID}\t{UID}\t{UID}\t{UID}\n" in status
    assert sorted(re.search(r"^Groups:\t(.*)$", status, re.MULTILINE)[1].split()) == [str(GID), str(GROUP)]  # type: ignore[index]
    assert "CapEff:\t0000000000000000" in status

    closed_to_new = machine.folder / "read-only"
    closed_to_new.mkdir()
    (closed_to_new / "old").write_text("old")
    os.chown(closed_to_new / "old", UID, GID)
    before = (closed_to_new / "old").stat().st_ino
    ops.write_file("read-only/old", b"new", pb.WRITE_MODE_TRUNCATE)
    assert ((closed_to_new / "old").read_text(), (closed_to_new / "old").stat().st_ino) == ("new", before)
    create = partial(ops.write_file, "read-only/new", b"x", pb.WRITE_MODE_CREATE_OR_TRUNCATE)
    assert refused(create) == "permission_denied"
    assert os.listdir(closed_to_new) == ["old"]

    ops.write_file("made/by/me", b"dev's", pb.WRITE_MODE_CREATE)
    ops.write_file("shared", b"changed", pb.WRITE_MODE_TRUNCATE)
    for name in ("made", "made/by", "made/by/me"):
        assert ((machine.folder / name).stat().st_uid, (machine.folder / name).stat().st_gid) == (UID, GID)
    assert (shared.read_text(), shared.stat().st_uid, shared.stat().st_gid) == ("changed", 0, GROUP)
    assert theirs.read_text() == "root's"
    assert machine.stop(program) == 130
    assert "sesame" not in program.out + program.err


def refused(call: Callable[[], object]) -> str:
    """The code that a call is refused with; empty if it is not."""
    try:
        call()
    except OpsFailure as failure:
        return failure.code
    return ""


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--user", "nobody-known"], 'user "nobody-known": there is no such user'),
        (["--user", "closed"], 'user "closed": its shell /usr/sbin/nologin lets nobody in'),
        (["--state-dir", "/root/closed/state"], 'user "dev" cannot reach it; choose another'),
    ],
)
def test_a_user_that_commands_cannot_run_as_is_refused_before_anything_starts(
    machine: Machine, arguments: list[str], why: str
) -> None:
    machine.write("tasks: {t: {name: T, triggeredBy: [postEnvironmentStart], command: touch ran}}\n")
    machine.here = (*machine.here, "sh", "-c", 'mkdir -m 700 /root/closed; exec "$@"', "sh")

    status, out, error = machine.ended(machine.supervise(*arguments))

    assert (status, out) == (1, "")
    assert why in error
    assert error.startswith("supervisor: cannot ")
    assert not (machine.folder / "ran").exists()
    assert machine.left_after_a_moment() == []


def test_the_next_supervisor_goes_on_with_the_users_commands(machine: Machine) -> None:
    machine.write(
        "services:\n"
        "  web:\n"
        "    name: Web\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    commands: {start: 'id -un; trap \"exit 0\" TERM; while :; do sleep 0.02; done'}\n"
        "tasks:\n"
        "  build: {name: Build, command: 'id -un; exit 7'}\n"
    )
    state = machine.etc / "state"
    first = machine.supervise("--state-dir", str(state))
    first.event(reference="web", phase="running")
    web = next(
        pid for pid, command in machine.processes().items() if re.search(r"/scripts/\w+\.sh$", command)
    )
    first.process.kill()
    first.wait()

    second = machine.supervise("--state-dir", str(state))
    second.event(kind="notice", text="has left what ran: going on with it")
    socket = ("--socket", str(state / "api.sock"))
    task = machine.as_user(second, "run-task", "build", *socket)
    assert machine.ended(task)[:2] == (7, "dev\n")
    assert os.stat(f"/proc/{web}").st_uid == UID
    assert machine.stop(second) == 130
    assert not os.path.exists(f"/proc/{web}")


def test_link_to_a_file_that_is_closed_to_the_user_shows_nothing_of_it(machine: Machine) -> None:
    hidden = machine.etc / "hidden"
    hidden.touch(mode=0o600)
    hidden.write_text("tasks: {build: {name: Build, command: 'true', xyzzy-sesame: 1}}\nxyzzy-sesame: [\n")
    (machine.folder / "automations.yaml").symlink_to(hidden)
    program = machine.supervise("--state-dir", str(machine.etc / "state"))
    socket = ("--socket", str(machine.etc / "state" / "api.sock"))

    program.event(kind="file", text='user "dev" may not read it')
    update, status = (
        machine.ended(machine.as_user(program, *words, *socket))
        for words in (("update", "--dry-run"), ("status", "--format", "json"))
    )
    environment = Client(socket[1]).call(
        "GetEnvironment", "gitpod.v1.EnvironmentService", environmentId=json.loads(status[1])["environmentId"]
    )
    refused = 'cannot read the file: user "dev" may not read it; make it readable for that user, with chown or chmod'
    assert refused in environment["environment"]["status"]["automationsFile"]["failureMessage"]
    assert refused in update[1] + update[2]

    machine.write("tasks: {t: {name: T, command: 'true'}}\n")
    assert machine.ended(machine.as_user(program, "update", *socket))[0] == 0
    assert machine.stop(program) == 130
    shown = repr((program.out, program.err, update, status, environment))
    kept = b"".join(path.read_bytes() for path in (machine.etc / "state").rglob("*") if path.is_file())
    assert "xyzzy" not in shown
    assert b"xyzzy" not in kept


def test_a_narrow_umask_keeps_the_user_out_of_nothing(machine: Machine) -> None:
    machine.write("tasks: {a: {name: A, triggeredBy: [postEnvironmentStart], command: test -r $0}}\n")
    within = (*machine.here, "sh", "-c", 'umask 077; exec "$@"', "sh")
    words = ("run", "--format", "json", "--listen", "none", "--user", "dev", *MARKED)
    program = machine._start(words, within, {"HOME": "/root", "USER": "root"})

    program.event(reference="a", phase="succeeded")
    assert machine.stop(program) == 130


def test_state_directory_in_the_users_home_is_refused(machine: Machine) -> None:
    machine.write("tasks: {a: {name: A, triggeredBy: [postEnvironmentStart], command: echo}}\n")
    program = machine.supervise("--state-dir", str(machine.home / "state"))

    status, _, said = machine.ended(program)
    assert status == 2
    assert f"{machine.home} belongs to user {UID}" in said
    assert list(machine.home.iterdir()) == []


@pytest.mark.parametrize(
    "target", ["kallsyms", "{pid}/maps", "{pid}/root/etc/shadow", "self/environ", "self/maps"]
)
def test_link_into_proc_shows_nothing(machine: Machine, target: str) -> None:
    machine.write("tasks: {t: {name: T, command: 'true'}}\n")
    program = machine.supervise("--state-dir", str(machine.etc / "state"))
    until((machine.etc / "state/api.sock").exists, "the socket")
    machine.file.unlink()
    machine.file.symlink_to(f"/proc/{target.format(pid=program.pid)}")
    refused = program.event(kind="file", text="cannot read the file: ")["text"]
    assert machine.stop(program) == 130
    assert refused.endswith(
        (
            'user "dev" may not read it; make it readable for that user, with chown or chmod',
            "it leads into /proc",
        )
    ), refused


def test_link_to_what_only_root_may_see_does_not_tell_whether_it_exists(machine: Machine) -> None:
    closed = machine.etc / "closed"
    closed.mkdir(0o700)
    (closed / "folder").mkdir()
    (closed / "file").touch(0o644)
    machine.write("tasks: {t: {name: T, command: 'true'}}\n")
    program = machine.supervise("--state-dir", str(machine.etc / "state"))
    program.event(kind="file", text="no service and no task has a trigger")
    said = []
    for count, name in enumerate(("missing", "file", "folder"), 1):
        aside = machine.folder / "aside"
        aside.symlink_to(closed / name)
        aside.rename(machine.file)
        said.append(program.event(count=count, kind="file", text="may not read it")["text"])
        machine.write(f"tasks: {{t: {{name: T{count}, command: 'true'}}}}\n")
        program.event(count=count, kind="edit", text="updated t")
    assert len(set(said)) == 1, said
    assert machine.stop(program) == 130


@pytest.mark.parametrize(
    ("first", "arguments", "seen"),
    [
        (False, (), "LANG TZ"),
        (
            False,
            ("--pass-env", "AWS_*,!AWS_SECRET*", "--pass-env", "MY_VAR"),
            "AWS_PROFILE AWS_REGION LANG TZ MY_VAR",
        ),
        (True, (), "AWS_REGION FROM_IMAGE LANG TZ MY_VAR"),
        (
            True,
            ("--pass-env", "!MY*", "--pass-env", "KUBECONFIG"),
            "AWS_REGION FROM_IMAGE KUBECONFIG LANG TZ",
        ),
    ],
)
def test_roots_variables_are_the_users_only_where_they_are_meant_to_be(
    machine: Machine, first: bool, arguments: tuple[str, ...], seen: str
) -> None:
    if first:
        machine.here = (*(unshare() or ()), *machine.here)
    machine.write("tasks: {env: {name: E, triggeredBy: [postEnvironmentStart], command: exec env}}\n")
    roots = {
        "AWS_SECRET_ACCESS_KEY": "sesame", "AWS_PROFILE": "p", "AWS_REGION": "eu-1", "KUBECONFIG": "/root/k",
        "CREDENTIALS_DIRECTORY": "/run/c", "FROM_IMAGE": "i", "MY_VAR": "m", "LANG": "C", "TZ": "UTC",
    }  # fmt: skip
    program = machine.supervise("--state-dir", str(machine.etc / "state"), *arguments, **roots)
    program.event(reference="env", phase="succeeded")
    (log,) = (machine.etc / "state/runs").glob("*/log")
    names = {line.partition("=")[0] for line in log.read_text().splitlines()}
    if first:
        (pid,) = children(program.pid)
        os.kill(pid, signal.SIGTERM)
        assert machine.end(program) == 0
    else:
        assert machine.stop(program) == 130
    assert names & roots.keys() == set(seen.split())


def test_nothing_in_the_state_directory_is_open_to_a_group_or_to_others(machine: Machine) -> None:
    machine.write(
        "services:\n"
        "  web: {name: Web, triggeredBy: [postEnvironmentStart], commands: {start: exec sleep 1000}}\n"
    )
    within = (*machine.here, "sh", "-c", 'umask 0; exec "$@"', "sh")
    words = ("run", "--format", "json", "--listen", "127.0.0.1:0", "--user", "dev")
    program = machine._start(words, within, {"HOME": "/root", "USER": "root"})
    program.event(reference="web", phase="running")
    assert machine.ended(machine.as_user(program, "token", "--scope", "logs"))[0] == 0

    find = ("find", "/var/lib/supervisor", "-mindepth", "1", "-printf", "%y %m %u %P\n")
    listed = subprocess.run(
        ["nsenter", f"--mount=/proc/{program.pid}/ns/mnt", *find], capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines():
        kind, mode, owner, path = line.split()
        # What is passed through can be listed by nobody; a folder of root's cannot let in one user alone.
        assert (mode == "710") if kind == "d" else (int(mode, 8) & 0o077 == 0), line
        mine = path.rpartition("/")[2] in ("api.sock", "fifo") or path.endswith((".output", ".sh"))
        assert owner == ("dev" if mine else "root"), line
    assert len(listed.stdout.splitlines()) > 12
    assert machine.stop(program) == 130


def test_user_who_holds_a_lease_on_a_log_holds_nobody_up(machine: Machine) -> None:
    hold = (
        "import fcntl, os, signal, sys; signal.signal(signal.SIGIO, signal.SIG_IGN);"
        "fcntl.fcntl(os.open(sys.argv[1], os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_WRLCK);"
        "open('held', 'w').close(); signal.pause()"
    )
    (machine.folder / "hold.py").write_text(hold)
    machine.write(
        "tasks:\n"
        "  a:\n"
        "    name: A\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    command: |\n"
        "      exec >/dev/null 2>&1\n"
        f"      {sys.executable} -I hold.py ${{GITPOD_OUTPUT%/*}}/log &\n"
        "      until [ -e held ]; do sleep 0.02; done\n"
        "      echo wrong >>$GITPOD_OUTPUT; exit 3\n"
        "  b: {name: B, triggeredBy: [postEnvironmentStart], command: 'until [ -e held ]; do sleep 0.02; done'}\n"
    )
    # A log that is pumped is root's: they cannot even open it.
    program = machine.supervise("--log-transport", "file")

    program.event(kind="task", reference="a", phase="failed")
    program.event(kind="task", reference="b", phase="succeeded")
    assert machine.stop(program) == 130


def test_state_directory_that_is_removed_is_made_again_for_the_user(machine: Machine) -> None:
    machine.write(
        "services:\n"
        "  web: {name: Web, triggeredBy: [postEnvironmentStart], commands: {start: exec sleep 1000}}\n"
        "tasks:\n"
        "  a: {name: A, command: 'echo K=V >>$GITPOD_OUTPUT; exit 7'}\n"
    )
    state = machine.etc / "state"
    program = machine.supervise("--state-dir", str(state))
    program.event(reference="web", phase="running")

    remove(state)
    program.event(kind="notice", text="the API's socket was removed")
    run = machine.as_user(program, "run-task", "--socket", str(state / "api.sock"), "a")
    assert machine.ended(run)[0] == 7
    web = until(
        lambda: next(
            (path.parent for path in state.glob("runs/*/log") if "it was removed" in path.read_text()),
            None,
        ),
        "the run directory of web",
    )
    assert web is not None
    assert (stat.S_IMODE(web.stat().st_mode), web.stat().st_gid) == (0o710, GID)
    assert machine.stop(program) == 130


def test_commands_of_clients_are_the_users(machine: Machine) -> None:
    (machine.folder / "closed").mkdir(mode=0o700)  # root's
    program = machine.supervise()
    until(lambda: machine.as_user(program, "status").wait() == 0, "an answer")

    who = machine.as_user(program, "exec", "--id", "who", "id -un; echo $HOME; cat /etc/shadow; exit 4")
    assert machine.ended(who)[:2] == (4, f"dev\n{machine.home}\n")
    assert "/etc/shadow: Permission denied" in who.err
    for folder in ("closed", "/root/x"):
        code, out, err = machine.ended(machine.as_user(program, "exec", "--cwd", folder, "pwd"))
        assert (code, out) == (1, ""), folder
        assert "cannot run the command" in err
    listed = machine.as_user(program, "operations", "--format", "json")
    assert [one["id"] for one in json.loads(machine.ended(listed)[1])] == ["who"]
    assert machine.stop(program) == 130
