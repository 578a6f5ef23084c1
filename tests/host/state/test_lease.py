"""Whether a file is open for writing, on a real file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.host.state.lease import being_written


def asked(path: Path) -> bool | None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return being_written(descriptor)
    finally:
        os.close(descriptor)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "automations.yaml"
    path.write_text("tasks: {}\n")
    if asked(path) is None:
        pytest.skip("this filesystem knows no leases")
    return path


def test_writer_is_seen_from_its_open_to_its_close(file: Path) -> None:
    assert asked(file) is False
    with file.open("a"):
        assert asked(file) is True
    with file.open() as reader:
        assert asked(file) is False
        assert reader.read()
    assert asked(file) is False


def test_writer_of_another_process_is_seen(file: Path) -> None:
    writer = subprocess.Popen(
        ["sh", "-c", 'exec >>"$0"; echo ready >&2; read _', file],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with writer:
        assert writer.stderr
        assert writer.stderr.readline() == b"ready\n"
        assert asked(file) is True
    assert asked(file) is False


def test_open_during_the_question_neither_fails_nor_ends_us(file: Path) -> None:
    """In a process of its own: where nobody handles it, the kernel's usual word to who holds a lease is the end."""
    code = (
        "import os, sys, threading\n"
        "from supervisor.host.state.lease import being_written\n"
        "stop = threading.Event()\n"
        "def write():\n"
        "    while not stop.is_set():\n"
        "        os.close(os.open(sys.argv[1], os.O_WRONLY))\n"
        "writer = threading.Thread(target=write)\n"
        "writer.start()\n"
        "reader = os.open(sys.argv[1], os.O_RDONLY)\n"
        "seen = {being_written(reader) for _ in range(20000)}\n"
        "stop.set()\n"
        "writer.join()\n"
        "print(sorted(seen))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[False, True]\n", "")


def test_without_permission_the_answer_is_not_known(file: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    code = (
        "import os, sys\n"
        "from supervisor.host.state.lease import being_written\n"
        "reader = os.open(sys.argv[1], os.O_RDONLY)\n"
        "os.setresuid(4711, 4711, 4711)\n"
        "print(being_written(reader))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout) == (0, "None\n")
