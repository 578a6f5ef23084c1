"""The least that a chain costs in Python if each step is stored before it is begun: `least.py FOLDER TASKS`.

One process decides, writes each task's script and folder, and commits its record to SQLite; the other, which outlives
it, starts the commands and tells of their ends over a socket. No plan, no phases, no environment, no control groups, no
clients: the benchmark `chain` shows it beside the supervisor, as a bound for what there is to gain.
"""

import _sqlite3 as sqlite
import os
import socket
import sys


def shim(link: socket.socket) -> None:
    """Start what is asked for, and tell when it has ended."""
    actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)]
    while path := link.recv(4096):
        folder = os.fsdecode(path)
        log = os.open(f"{folder}/log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        argv = ["/bin/bash", "-e", f"{folder}/script.sh"]
        files = [*actions, (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
        pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=files, setsid=True)
        os.close(log)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        link.send(b"%d" % status)


def main(state: str, tasks: int) -> None:
    """Run the chain."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        shim(its)
        os._exit(0)
    its.close()
    store = sqlite.connect(f"{state}/state.db", isolation_level=None)
    store.execute("PRAGMA journal_mode = WAL").fetchone()
    store.execute("PRAGMA synchronous = NORMAL")
    store.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY, phase TEXT)")
    for number in range(tasks):
        store.execute("BEGIN")
        store.execute("REPLACE INTO runs VALUES (?, 'ended')", (number - 1,))
        store.execute("REPLACE INTO runs VALUES (?, 'live')", (number,))
        store.execute("COMMIT")
        folder = f"{state}/{number}"
        os.mkdir(folder, 0o700)
        with open(f"{folder}/script.sh", "w") as script:
            script.write("true")
        ours.send(os.fsencode(folder))
        if ours.recv(16) != b"0":
            sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
