"""What is counted in the words of strace."""

from benchmarks.peers import calls

TRACE = """\
7  execve("/bin/supervisor", ["supervisor"], 0x7ffd /* 9 vars */) = 0
7  execve("/nowhere/bash", ["bash"], 0x7ffd /* 9 vars */) = -1 ENOENT (No such file or directory)
7  mkdir("/r/state/runs/1", 0700) = 0
7  mkdir("/r/state/scripts", 0700) = -1 EEXIST (File exists)
7  mkdir("/sys/fs/cgroup/bench/state/1", 0777) = 0
8  mknodat(AT_FDCWD, "/r/state/runs/1/fifo", S_IFIFO|0600 <unfinished ...>
7  openat(AT_FDCWD, "/r/state/runs/1/log", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 5
8  <... mknodat resumed>)            = 0
8  openat(AT_FDCWD, "/r/state/runs/1/log", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 5
8  openat(AT_FDCWD, "/r/state/runs/1/log", O_RDONLY) = 6
8  rename("/r/state/runs/1/exit.new", "/r/state/runs/1/exit") = 0
8  clone3({flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD, stack=0x7f, stack_size=0x9000}, 88) = 9
7  --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=9} ---
7  unlink("/r/state/runs/1/fifo") = 0
7  unlink("/tmp/other") = 0
7  fdatasync(6)                      = 0
7  +++ exited with 0 +++
"""


def test_calls_are_counted_by_what_they_do() -> None:
    assert calls.count(TRACE.splitlines(keepends=True)) == {
        "made": 3,
        "renamed": 1,
        "removed": 1,
        "synced": 1,
        "grouped": 1,
        "begun": 1,
        "executed": 1,
        "all": 14,
    }


def test_table_has_before_and_now_for_each_kind() -> None:
    counts = dict.fromkeys(calls.KINDS.values(), 2.0)
    found = {"a probe": {"before": counts, "supervisor": dict.fromkeys(counts, 0.5)}}

    text = calls.table(found, "abc beside def")

    assert text.startswith("Counted at abc beside def.\n\n| for each | a probe: before | a probe: now |\n")
    assert "\n| renames in it | 2 | 0.5 |\n" in text
