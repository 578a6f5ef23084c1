"""`supervisor doctor`, always with a list that names servers on the loopback."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from supervisor.doctor.endpoint_list import parse_listing
from tests.cli.conftest import PROGRAM, Invoke, Result
from tests.doctor.guard import loopback_only
from tests.doctor.servers import OK, Authority, answering, closed, serving, silent, within_tls

__all__ = ["loopback_only"]

Doctor = Callable[..., Result]
DATE = b"HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n\r\n"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The one CA that the machine trusts."""
    made = Authority("Trusted Test CA")
    made.ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def listing(folder: Path, *endpoints: dict[str, object]) -> Path:
    """A file for --endpoints."""
    path = folder / "endpoints.json"
    groups = [{"name": "Test", "required": True, "endpoints": list(endpoints)}]
    path.write_text(json.dumps({"groups": groups}))
    return path


@pytest.fixture
def doctor(supervisor: Invoke, folder: Path) -> Doctor:
    """`doctor({"url": ...}, "--format", "json")`: never without a list of its own."""

    def run(*arguments: str | dict[str, object]) -> Result:
        endpoints = [each for each in arguments if isinstance(each, dict)]
        options = [each for each in arguments if isinstance(each, str)]
        return supervisor("doctor", "--endpoints", listing(folder, *endpoints), *options)

    return run


@pytest.fixture
def good(authority: Authority) -> Generator[str]:
    """The URL of an endpoint that is all right."""
    with serving(within_tls(authority.server(), answering(OK))) as server:
        yield f"https://localhost:{server.port}"


@pytest.fixture
def bad() -> Generator[str]:
    """The URL of an endpoint that refuses."""
    with closed() as port:
        yield f"https://127.0.0.1:{port}"


def test_table_tells_of_every_endpoint_and_of_the_machine(doctor: Doctor, good: str, bad: str) -> None:
    result = doctor({"url": good}, {"url": bad, "required": False}, {"yours": "Your registry"})
    rows = {re.split(r"\s{2,}", line)[1]: line for line in result.out.splitlines() if "  " in line}

    assert (result.status, result.err) == (0, "")
    assert "ok" in rows[good]
    assert "certificate by O=Trusted Test CA" in rows[good]
    assert "optional  failed" in rows[bad]
    assert "skipped" in rows["Your registry"]
    assert {
        "shell",
        "disk, state",
        "pidfd",
        "cgroup v2",
        "inotify",
        "git",
        "docker",
        "proxy",
        "clock",
    } <= rows.keys()
    assert result.out.splitlines()[-1].startswith("no required check failed")


def test_required_endpoint_that_fails_is_exit_status_1(doctor: Doctor, bad: str) -> None:
    result = doctor({"url": bad})

    assert result.status == 1
    assert result.out.splitlines()[-1].startswith("1 required check failed")


def test_json_has_what_was_seen(doctor: Doctor, good: str, bad: str) -> None:
    result = doctor({"url": good}, {"url": bad}, "--format", "json")
    found = {each["name"]: each for each in result.json["findings"]}

    assert (result.status, result.json["ok"]) == (1, False)
    assert found[good]["certificate"]["issuer"] == "O=Trusted Test CA, OU=Tests"
    assert (found[good]["state"], found[good]["status"]) == ("ok", 200)
    assert (found[bad]["state"], found[bad]["step"], found[bad]["trouble"]) == ("failed", "tcp", "refused")
    assert found[bad]["seconds"] >= 0


def test_endpoints_are_tried_side_by_side(doctor: Doctor) -> None:
    with ExitStack() as stack:
        urls = [f"https://127.0.0.1:{stack.enter_context(serving(silent)).port}" for _ in range(20)]
        result = doctor(*({"url": url} for url in urls), "--timeout", "1", "--format", "json")
    tests = [each for each in result.json["findings"] if each["group"] == "Test"]

    assert [each["name"] for each in tests] == urls
    assert all(each["trouble"] == "timeout" for each in tests)
    assert sum(each["seconds"] for each in tests) >= 20


def test_clock_of_the_plane_is_compared(doctor: Doctor, authority: Authority) -> None:
    with serving(within_tls(authority.server(), answering(DATE))) as server:
        result = doctor({"url": f"https://localhost:{server.port}", "plane": True}, "--format", "json")
    (clock,) = [each for each in result.json["findings"] if each["name"] == "clock"]

    assert result.status == 1
    assert clock["state"] == "failed"
    assert "ahead of the management plane's: tokens and certificates fail" in clock["detail"]


def test_plane_of_the_settings_is_the_one_that_is_checked(
    doctor: Doctor, bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERVISOR_CONTROL_PLANE_URL", f"{bad}/api")

    assert f"{bad}/api" in doctor({"url": "https://plane.invalid", "plane": True}).out


def test_settings_that_cannot_be_used_leave_the_plane_of_the_list(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERVISOR_CONTROL_PLANE_URL", "no URL")

    assert "https://plane.invalid" in doctor({"url": "https://plane.invalid", "plane": True}).out


def test_disk_of_the_state_is_where_the_settings_say(
    doctor: Doctor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "elsewhere").mkdir()
    monkeypatch.setenv("SUPERVISOR_STATE_DIR", str(folder / "elsewhere"))

    assert f"free at {folder}/elsewhere" in doctor({"yours": "nothing"}).out


def test_region_and_account_fill_in_what_is_skipped_without_them(doctor: Doctor) -> None:
    url = {"url": "https://<account-id>.<region>.invalid"}
    name = "https://123456789012.eu-west-1.invalid"

    assert "name it with --region" in doctor(url).out
    assert name in doctor(url, "--region", "eu-west-1", "--account-id", "123456789012").out


def test_region_of_the_environment_counts(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")

    assert "https://eu-west-3.invalid" in doctor({"url": "https://<region>.invalid"}).out


def test_list_tells_what_would_be_tried_and_tries_nothing(
    supervisor: Invoke, loopback_only: list[str]
) -> None:
    result = supervisor("doctor", "--list", "--region", "eu-west-1")

    assert result.status == 0
    assert "required  https://ec2.eu-west-1.amazonaws.com\n" in result.out
    assert "optional  https://ghcr.io\n" in result.out
    assert loopback_only == []


def test_local_tries_no_endpoint(supervisor: Invoke, loopback_only: list[str]) -> None:
    result = supervisor("doctor", "--local", "--format", "json")

    assert {each["group"] for each in result.json["findings"]} == {"Machine"}
    assert loopback_only == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--region", "Mars"], '"Mars" is not one; for example eu-central-1'),
        (["--account-id", "12"], '"12" is not one; for example 123456789012'),
        (["--timeout", "0"], "0.0 is not in the range"),
        (["--timeout", "inf"], "inf is not in the range"),
        (["--timeout", "nan"], "nan"),
        (["--runner", "big"], 'there is no "big"; there are standard, enterprise'),
    ],
)
def test_wrong_usage_is_told_before_anything_is_tried(
    doctor: Doctor, arguments: list[str], words: str
) -> None:
    result = doctor({"url": "https://127.0.0.1:1"}, *arguments)

    assert result.status == 2
    assert words in result.err


def test_list_that_is_wrong_is_told_with_its_places(supervisor: Invoke, folder: Path) -> None:
    (folder / "list.yaml").write_text("groups:\n  - {name: A, required: true, endpoints: [{ulr: x}]}\n")
    result = supervisor("doctor", "--endpoints", "list.yaml")

    assert result.status == 2
    assert (
        'list.yaml:2:44: groups[0].endpoints[0].ulr: unknown field "ulr"; did you mean "url"?' in result.err
    )


def test_list_in_the_help_is_a_list(supervisor: Invoke) -> None:
    _, _, after = supervisor("doctor", "--help").out.partition("FILE is YAML or JSON:\n")
    entries, problems = parse_listing(after.partition("\nOptions:")[0].encode())

    assert (len(entries), problems) == (6, [])


def test_list_is_read_from_standard_input(supervisor: Invoke, bad: str) -> None:
    text = f"groups: [{{name: A, required: true, endpoints: [{{url: '{bad}'}}]}}]"
    result = supervisor("doctor", "--endpoints", "-", stdin=text.encode())

    assert result.status == 1
    assert bad in result.out


@pytest.mark.slow
def test_terminal_sees_progress_and_what_failed_in_full(folder: Path, bad: str) -> None:
    main, side = pty.openpty()
    with os.fdopen(main, "rb", buffering=0) as terminal:
        process = subprocess.Popen(
            [sys.executable, "-I", PROGRAM, "doctor", "--endpoints", listing(folder, {"url": bad})],
            stdin=side,
            stdout=side,
            stderr=side,
            env={"PATH": os.environ["PATH"], "COLUMNS": "60", "TERM": "xterm"},
        )
        os.close(side)
        seen = b""
        while piece := _read(terminal.fileno()):
            seen += piece
        status = process.wait(timeout=30)

    assert status == 1
    assert b"checked 9 of 9" in seen
    assert (
        b"it refuses connections: nothing listens there, or a firewall says so"
        in seen.rpartition(bad.encode())[2]
    )


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 4096)
    except OSError:  # EIO: the other side of a terminal is closed
        return b""


def test_reader_that_goes_away_is_no_error(folder: Path, bad: str) -> None:
    command = [
        sys.executable,
        "-I",
        str(PROGRAM),
        "doctor",
        "--endpoints",
        str(listing(folder, {"url": bad})),
    ]
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, timeout=50, check=False)
    finally:
        os.close(write)

    assert (done.returncode, done.stderr) == (141, b"")
