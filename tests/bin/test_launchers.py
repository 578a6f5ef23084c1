"""The launchers, in small checkouts of their own whose lock files name no packages, so that no network is needed."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

NONE: dict[str, str] = {}
ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """\
import json, os, signal, sys
if sys.argv[1:] == ["wait"]:
    print("waiting", flush=True)
    signal.pause()
print(json.dumps([sys.argv[1:], os.getpid(), os.getcwd(), sys.executable]))
sys.exit(int(os.environ.get("EXIT_CODE", "0")))
"""


def make_checkout(root: Path) -> Path:
    shutil.copytree(ROOT / "bin", root / "bin", symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "supervisor").mkdir()
    (root / "supervisor/__init__.py").write_text("")
    (root / "supervisor/__main__.py").write_text(PROGRAM)
    (root / "requirements.lock").write_text("# Names nothing.\n")
    (root / "requirements-dev.lock").write_text("# Names nothing.\n")
    return root


def run(
    program: Path | str, *arguments: str, cwd: Path | None = None, odd: dict[str, str] = NONE, **env: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [program, *arguments],
        cwd=cwd,
        env=os.environ | env | odd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def set_up_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_checkout(tmp_path_factory.mktemp("launchers") / "a checkout")
    first = run(root / "bin/supervisor", PYTHON=sys.executable)
    assert first.returncode == 0, first.stderr
    assert first.stderr.startswith("supervisor: first use: making .venv")
    return root


@pytest.fixture
def checkout(set_up_checkout: Path, tmp_path: Path) -> Path:
    """One that is set up and may be spoiled. Also shows that a copied checkout works: see the executable below."""
    return shutil.copytree(set_up_checkout, tmp_path / "checkout", symlinks=True)


def test_supervisor_is_quiet_and_passes_arguments_through_once_set_up(checkout: Path) -> None:
    done = run(checkout / "bin/supervisor", "run", "a b", "", "$HOME", "--", "*")

    assert done.stderr == ""
    assert '["run", "a b", "", "$HOME", "--", "*"]' in done.stdout
    assert f'"{checkout}/.venv/bin/python"' in done.stdout


def test_supervisor_passes_the_exit_code_through(checkout: Path) -> None:
    assert run(checkout / "bin/supervisor", EXIT_CODE="7").returncode == 7


def test_supervisor_becomes_python_so_that_signals_reach_it(checkout: Path) -> None:
    with subprocess.Popen([checkout / "bin/supervisor", "wait"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"waiting\n"
        process.send_signal(signal.SIGTERM)

        assert process.wait() == -signal.SIGTERM


@pytest.mark.parametrize(
    ("cwd", "program"),
    [
        ("elsewhere", "../checkout/bin/supervisor"),
        ("checkout", "bin/supervisor"),
        ("checkout", "./bin/supervisor"),
        ("checkout/bin", "./supervisor"),
        ("elsewhere", "./relative-link"),
        ("elsewhere", "./link-to-a-link"),
        ("elsewhere", "./link-to-folder/bin/supervisor"),
    ],
)
def test_supervisor_finds_its_checkout(checkout: Path, cwd: str, program: str) -> None:
    elsewhere = checkout.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "relative-link").symlink_to("../checkout/bin/supervisor")
    (elsewhere / "link-to-a-link").symlink_to(elsewhere / "relative-link")
    (elsewhere / "link-to-folder").symlink_to(checkout)

    done = run(program, cwd=checkout.parent / cwd)

    assert (done.returncode, done.stderr) == (0, "")
    assert f'"{checkout.parent / cwd}"' in done.stdout  # the current folder stays the user's


@pytest.mark.parametrize(
    "program", ["bin/entrypoint", "link", "link-to-folder/bin/entrypoint", "copy/bin/entrypoint"]
)
def test_entrypoint_is_the_same_launcher_and_says_run(checkout: Path, program: str) -> None:
    (checkout / "link").symlink_to("bin/entrypoint")
    (checkout / "link-to-folder").symlink_to(checkout)
    # As a tool copies that follows links.
    shutil.copytree(checkout / "bin", checkout / "copy/bin")
    shutil.copytree(checkout / "supervisor", checkout / "copy/supervisor")
    (checkout / "copy/.venv").symlink_to(checkout / ".venv")

    assert (checkout / "bin/entrypoint").readlink() == Path("supervisor")
    assert '[["run", "a b", "--logs"]' in run(checkout / program, "a b", "--logs").stdout


def test_a_users_own_link_named_entrypoint_is_the_command_line(checkout: Path, tmp_path: Path) -> None:
    (link := tmp_path / "entrypoint").symlink_to(checkout / "bin/supervisor")

    assert '[["status"]' in run(link, "status").stdout


DAMAGED = """
import os, resource, signal, subprocess, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("name", ["entrypoint", "supervisor"])
def test_a_cache_that_a_full_disk_has_cut_off_is_written_anew(checkout: Path, name: str) -> None:
    """CPython 3.11 keeps such a cache, and no import of the module works from then on."""
    shutil.copy(ROOT / "supervisor/__main__.py", checkout / "supervisor")
    (checkout / "supervisor/cli.py").write_text("def main():\n    return 3\n" + "x = 1.5, 'a', b'c'\n" * 1000)
    launcher, caches = checkout / "bin" / name, checkout / "supervisor/__pycache__"

    full = run(sys.executable, "-c", DAMAGED, str(launcher))
    cut_off = [cache.stat().st_size for cache in caches.glob("cli.*.pyc")]
    again, third = run(launcher), run(launcher)

    assert [(done.returncode, done.stderr) for done in (full, again, third)] == [(3, "")] * 3
    assert cut_off in ([2048], []), "other versions keep none"
    [cache] = caches.glob("cli.*.pyc")
    assert cache.stat().st_size > 2048


def test_supervisor_finds_its_checkout_through_path(checkout: Path) -> None:
    done = run("sh", "-c", "supervisor", cwd=checkout, PATH=f"bin:{os.environ['PATH']}")

    assert (done.returncode, done.stderr) == (0, "")


def test_supervisor_needs_no_home_and_ignores_python_settings_meant_for_others(
    checkout: Path, tmp_path: Path
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong module')")
    home = str(tmp_path / "nonexistent")

    done = run(
        checkout / "bin/supervisor",
        cwd=tmp_path,
        HOME=home,
        PYTHONPATH=str(tmp_path),
        PYTHONHOME="/nonexistent",
    )

    assert (done.returncode, done.stderr) == (0, "")


ODD = {
    "discovery.type": "single",
    "my-var": "2",
    "BASH_FUNC_f%%": "() { echo hi\n}",
    "1st": "\udcff",
    "ok": "a\nb=c",
}


@pytest.mark.parametrize("launcher", ["supervisor", "entrypoint"])
def test_launcher_passes_on_variables_whose_names_are_no_identifiers(checkout: Path, launcher: str) -> None:
    shutil.copy(ROOT / "supervisor/__main__.py", checkout / "supervisor")
    (checkout / "supervisor/cli.py").write_text(
        "import json, os\ndef main():\n    print(json.dumps(dict(os.environ)), flush=True)\n    return 0\n"
    )
    seen = [json.loads(run(checkout / "bin" / launcher, odd=odd).stdout) for odd in (NONE, ODD)]

    assert seen[1] == seen[0] | ODD
    assert not any(name.startswith("SUPERVISOR_ENVIRON") for name in seen[1])
    large = run(checkout / "bin" / launcher, odd=ODD, large1="x" * 60_000, large2="x" * 60_000)
    assert (large.returncode, large.stderr) == (0, ""), "they are lost, and nothing else is"


def test_first_use_needs_no_environment(tmp_path: Path) -> None:
    root = make_checkout(tmp_path / "checkout")
    done = subprocess.run([root / "bin/supervisor"], env={}, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_supervisor_says_why_no_environment_can_be_made(tmp_path: Path) -> None:
    root = make_checkout(tmp_path / "a:b")
    done = run(root / "bin/supervisor", PYTHON=sys.executable)

    assert done.returncode == 1
    assert "supervisor: cannot set up .venv: Refusing to create a venv in " in done.stderr
    assert "Traceback" not in done.stderr


def test_supervisor_updates_when_the_lock_file_changes_even_to_an_older_one(checkout: Path) -> None:
    lock = checkout / "requirements.lock"
    lock.write_text("# Names nothing either.\n")
    os.utime(lock, (1, 1))

    assert "requirements.lock is new or has changed: updating" in run(checkout / "bin/supervisor").stderr
    assert run(checkout / "bin/supervisor").stderr == ""


def test_supervisor_does_not_set_up_again_for_the_same_lock_file_with_another_time(checkout: Path) -> None:
    (checkout / "requirements.lock").touch()

    assert run(checkout / "bin/supervisor").stderr == ""


def test_test_becomes_ready_by_an_update_and_leaves_supervisor_ready(checkout: Path) -> None:
    done = run(checkout / "bin/test")

    assert "test: requirements-dev.lock is new or has changed: updating" in done.stderr
    assert "No module named pytest" in done.stderr  # the lock file of this checkout names nothing
    assert done.returncode == 1
    assert run(checkout / "bin/supervisor").stderr == ""


def test_supervisor_says_why_it_cannot_install_and_tries_again_next_time(checkout: Path) -> None:
    lock = checkout / "requirements.lock"
    lock.write_text("surely-not-there==1.0 --hash=sha256:" + "0" * 64 + "\n")

    failed = run(checkout / "bin/supervisor", PIP_NO_INDEX="1", PIP_FIND_LINKS="", PIP_CONFIG_FILE=os.devnull)

    assert failed.returncode == 1
    assert "surely-not-there" in failed.stderr
    assert "cannot set up .venv: pip cannot install the packages of requirements.lock" in failed.stderr
    assert failed.stdout == ""
    assert not list((checkout / ".venv").glob("ready-*"))


@pytest.mark.slow
def test_supervisor_makes_an_interrupted_environment_again(checkout: Path) -> None:
    for stamp in (checkout / ".venv").glob("ready-*"):
        stamp.unlink()
    (left_over := checkout / ".venv/left-over").touch()

    done = run(checkout / "bin/supervisor", PYTHON=sys.executable)

    assert done.returncode == 0
    assert "first use: making .venv" in done.stderr
    assert not left_over.exists()


@pytest.mark.slow
def test_two_first_starts_at_once_make_one_environment(tmp_path: Path) -> None:
    root = make_checkout(tmp_path / "checkout")
    environment = os.environ | {"PYTHON": sys.executable}
    processes = [
        subprocess.Popen(
            [root / "bin/supervisor"], env=environment, stdout=-3, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in processes]

    assert [process.returncode for process in processes] == [0, 0], said
    assert sum("making .venv" in text for text in said) == 1
    assert sum("another set-up of .venv is under way" in text for text in said) == 1


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        ("printf 3.9; exit 3", "is Python 3.9, and 3.11 or newer is needed; install"),
        (
            "exit 4",
            "has no venv and ensurepip modules (on Debian and Ubuntu they are in the package python3-venv)",
        ),
        ("exit 127", "is not a Python that starts"),
    ],
)
def test_supervisor_says_what_is_wrong_with_a_python(tmp_path: Path, python: str, sentence: str) -> None:
    root = make_checkout(tmp_path / "checkout")
    unfit = tmp_path / "an unfit python"
    unfit.write_text(f"#!/bin/sh\n{python}\n")
    unfit.chmod(0o755)

    done = run(root / "bin/supervisor", PYTHON=str(unfit))

    assert done.returncode == 1
    assert done.stderr.startswith("supervisor: cannot set up .venv: ")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (root / ".venv").exists()


def test_supervisor_says_when_there_is_no_python(tmp_path: Path) -> None:
    root = make_checkout(tmp_path / "checkout")

    done = run(root / "bin/supervisor", PATH=str(tmp_path), PYTHON="")

    assert done.returncode == 1
    assert "cannot set up .venv: no python3 in PATH; install Python 3.11 or newer" in done.stderr


def test_set_up_passes_over_an_unfit_python_in_path(tmp_path: Path) -> None:
    root = make_checkout(tmp_path / "checkout")
    for name, program in {
        "python3": "printf 3.9; exit 3",
        "python3.11": 'case $2 in -c) ;; *) echo "chosen: $*" ;; esac',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / name).chmod(0o755)

    done = run(root / "bin/set-up", "supervisor", "requirements.lock", PATH=str(tmp_path), PYTHON="")

    assert done.stdout.startswith("chosen: -I ")


def test_supervisor_says_when_the_checkout_cannot_be_written(tmp_path: Path) -> None:
    root = make_checkout(tmp_path / "checkout")
    (root / ".venv.lock").mkdir()  # refused to root too, unlike a folder without write permission

    done = run(root / "bin/supervisor", PYTHON=sys.executable)

    assert done.returncode == 1
    assert "the checkout must be in a folder you can write to" in done.stderr
