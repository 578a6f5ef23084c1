"""`supervisor bundle` of a running supervisor: what is in it, and that no planted secret is."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from supervisor.cli.remote.client import Client
from tests.bundle.unpacking import manifest_of, unpacked
from tests.cli.running import Running
from tests.e2e.harness import Program

# Made up by hand; none opens anything. Each has a part that nothing else has.
PLANTED = {
    "environment variable": "pl4nted01-in-the-environment",
    "token file": "pl4nted02-in-the-token-file",
    "spec": "pl4nted03-in-the-spec",
    "automations": "pl4nted04-in-the-automations",
    "log": "pl4nted05-in-a-log",
    "URL": "pl4nted06-in-a-url",
    "header": "pl4nted07-in-a-header",
}
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJwbDRudGVkIjoxfQ.cGw0bnRlZA"

FILE = f"""
tasks:
  leak:
    name: Leak
    triggeredBy: [postMachineStart]
    command: |
      printf 'DEPLOY_TOKEN=%s\\n' "$DEPLOY_TOKEN"
      printf 'a line with %s in it\\n' "$DEPLOY_TOKEN"
      printf %s "$DEPLOY_TOKEN" | base64 -w0; echo
      echo "npm_token={PLANTED["log"]}"
      echo "cloning https://me:{PLANTED["URL"]}@git.invalid/x.git"
      echo "> Authorization: Custom {PLANTED["header"]}"
      echo "{JWT}"
      echo "echo {PLANTED["spec"]} {PLANTED["token file"]} {PLANTED["automations"]}"
      echo "the end"
  flood:
    name: Flood
    triggeredBy: [postMachineStart]
    # The end that is kept begins somewhere within a secret.
    command: for i in $(seq 9000); do printf '%s' "$i $DEPLOY_TOKEN-$DEPLOY_TOKEN "; done; echo "the end"
  container:
    name: Container
    command: 'true'
    runsOn: {{docker: {{image: none, environment: ["API_KEY={PLANTED["automations"]}"]}}}}
"""


def bundle(running: Running, path: Path, *arguments: str) -> tuple[Program, dict[str, bytes]]:
    program = running.cli("bundle", str(path), *arguments)
    assert program.process.returncode == 0, program.err
    return program, unpacked(path.read_bytes())


@pytest.fixture
def leaking(running: Running, tmp_path: Path) -> Running:
    """A supervisor that was given secrets in every way, and whose tasks have printed them."""
    running.project.stop(running.program)
    home = running.project.home
    (home / "token").write_text(PLANTED["token file"])
    (home / "spec.json").write_text(
        json.dumps({"environmentToken": PLANTED["spec"], "other": {"secret": "pl4nted08"}})
    )
    running.project.env["DEPLOY_TOKEN"] = PLANTED["environment variable"]
    running.project.write(FILE)
    # The bundle's own variables and flags say nothing of these two.
    running.project.env["SUPERVISOR_INITIAL_SPEC"] = str(home / "spec.json")
    running.program = running.start("--environment-token-file", "../home/token")
    del running.project.env["SUPERVISOR_INITIAL_SPEC"], running.project.env["DEPLOY_TOKEN"]
    for task in ("leak", "flood"):
        assert running.cli("task", "start", task, "--wait").process.returncode == 0
    return running


@pytest.mark.slow
def test_no_planted_secret_is_in_the_bundle(leaking: Running, tmp_path: Path) -> None:
    key = (leaking.socket.parent / "token.key").read_bytes()
    token = leaking.out("token").strip()
    written = base64.b64encode(PLANTED["environment variable"].encode()).rstrip(b"=")
    _, files = bundle(leaking, tmp_path / "b")
    everything = b"\0".join(files.values())
    logs = [content for name, content in files.items() if name.startswith("runs/") and name.endswith("/log")]

    assert sum(b"the end" in log for log in logs) == 2, files.keys()
    assert sum(b"bytes before this are not in the bundle" in log for log in logs) == 1
    for secret in (*PLANTED.values(), JWT, token):
        for piece in (secret, secret[:9], secret[-15:]):
            assert piece.encode() not in everything, piece
    for raw in (key, key.hex().encode(), base64.b64encode(key)[:40], written[:30], b"pl4nted08"):
        assert raw not in everything


@pytest.mark.slow
def test_bundle_has_what_support_asks_for(leaking: Running, tmp_path: Path) -> None:
    program, files = bundle(leaking, tmp_path / "b")
    status = json.loads(files["supervisor/status.json"])
    recent = json.loads(files["state/recent.json"])
    told = json.loads(files["supervisor/recent.json"])
    manifest = manifest_of(files)

    assert "Secrets are replaced by ***" in program.out
    assert status["pid"] == leaking.program.pid
    assert {task["metadata"]["reference"] for task in json.loads(files["supervisor/tasks.json"])} == {
        "leak",
        "flood",
        "container",
    }
    assert json.loads(files["supervisor/executions.json"])
    assert "awake" in json.loads(files["supervisor/activity.json"])
    assert {"leak", "flood"} <= {each["reference"] for each in recent}
    leak = [each for each in told["changes"] if each["reference"] == "leak"]
    phases = [(each["before"], each["after"]) for each in leak if each["kind"] == "execution"]
    assert (phases[0][0], phases[-1]) == (None, ("running", "succeeded"))
    assert ("run", "live", "ended", "exited 0") in [
        (each["kind"], each["before"], each["after"], each["reason"]) for each in leak
    ]
    assert [each["time"] for each in leak] == sorted(each["time"] for each in leak)
    assert json.loads(files["state/records.json"])
    assert b"API_KEY=***" in files["automations.yaml"]
    assert json.loads(files["supervisor/environment.json"])["DEPLOY_TOKEN"] == "***"
    assert b" run --format json --trigger " in files["supervisor/command"]
    assert b"VmRSS" in files["supervisor/status"]
    assert {each["name"] for each in manifest["files"]} == files.keys() - {"manifest.json"}
    assert all(each["why"] for each in manifest["leftOut"])


@pytest.mark.slow
def test_supervisors_own_words_are_there_where_a_file_has_them(running: Running, tmp_path: Path) -> None:
    _, files = bundle(running, tmp_path / "b")
    why = {each["name"]: each["why"] for each in manifest_of(files)["leftOut"]}
    assert why["supervisor/stderr"].startswith("it goes to pipe:")

    running.project.stop(running.program)
    running.project.within = ("sh", "-c", 'echo "TOKEN=pl4nted" >err; exec "$@" 2>>err', "sh")
    running.program = running.start()
    running.project.within = ()
    _, files = bundle(running, tmp_path / "c")

    assert files["supervisor/stderr"].startswith(b"TOKEN=***\n")


@pytest.mark.slow
def test_supervisor_that_hangs_is_told_inside(running: Running, tmp_path: Path) -> None:
    running.json("service", "list")  # who serves has stored its records
    subprocess.run(["kill", "-STOP", str(running.program.pid)], check=True)
    try:
        program = running.cli(
            "bundle", str(tmp_path / "b"), "--socket", str(running.socket), cwd=running.project.home
        )
    finally:
        subprocess.run(["kill", "-CONT", str(running.program.pid)], check=True)
    files = unpacked((tmp_path / "b").read_bytes())
    why = {each["name"]: each["why"] for each in manifest_of(files)["leftOut"]}

    assert program.process.returncode == 0
    assert "gives no answer within 5 s" in why["supervisor/status.json"]
    assert b"State:\tT (stopped)" in files["supervisor/status"]
    assert json.loads(files["state/records.json"])


@pytest.mark.slow
def test_report_of_a_bug_is_in_it_and_stalls_are_and_no_value_of_a_variable_is(
    running: Running, tmp_path: Path
) -> None:
    running.project.stop(running.program)
    running.project.env["DEPLOY_TOKEN"] = PLANTED["environment variable"]
    obeyed = "        case StopService(service_id):\n"
    running.program = running.project.run_copy(
        tmp_path / "copy", "--listen", "none", core__commands=(obeyed, f"{obeyed}            1 / 0\n")
    )
    running.program.event(kind="task", reference="build", phase="succeeded")
    container = {"docker": {"image": "none", "environment": ["MODE=pl4nted11-in-a-container"]}}
    variables = [
        {"name": "COLOR", "value": 'pl4nted12 that\'s a "value"'},
        {"name": "API_KEY", "value": "pl4nted13"},
    ]
    Client(str(running.socket)).call(
        "CreateService",
        environmentId=running.json("status")["environmentId"],
        metadata={"reference": "made", "name": "Made"},
        spec={
            "commands": {"start": f"echo {PLANTED['environment variable']}"},
            "runsOn": container,
            "env": variables,
        },
    )
    _, files = bundle(running, tmp_path / "before")
    assert b'"name": "COLOR"' in files["supervisor/services.json"]
    assert b"pl4nted" not in b"\0".join(files.values())

    assert running.cli("service", "stop", "web").process.returncode == 1
    assert running.program.wait() == 70
    (report,) = running.project.state.glob("crash-*.txt")
    (running.project.state / "stalls").write_text("Timeout (0:00:06)!\n")
    assert "pl4nted" not in report.read_text(), "it holds no value at all"
    _, files = bundle(running, tmp_path / "b")
    told = files[f"state/{report.name}"]

    assert b"ZeroDivisionError: division by zero" in told
    assert b"CreateService(" in told
    assert b"StopService(service_id=" in told
    assert files["state/stalls"] == b"Timeout (0:00:06)!\n"
    assert b"pl4nted" not in b"\0".join(files.values())
    running.program = running.start()
