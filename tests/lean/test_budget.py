"""What `supervisor run` imports before its first command, which waits for every import: how much, and nothing heavy.

Modules and the bytes of their code are counted, which do not vary with the machine. A commit that adds to them on
purpose raises the budget. `supervisor/lean/README.md` says what they cost.
"""

import json
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

ROOT = Path(__file__).resolve().parents[2]
BUDGET = {"ours": (149, 1_147_000), "others": (36, 694_000)}
"""`{whose modules: (how many, bytes of their code)}`, with Python 3.11."""
NEWER = 1.25
"""How much more it may be with another Python."""
HEAVY = {
    *("ctypes", "dataclasses", "datetime", "hashlib", "inspect", "logging", "ipaddress", "queue", "sqlite3"),
    *("subprocess", "threading", "typing", "urllib.parse", "uuid"),
    *(
        "aiohttp",
        "anyio",
        "asyncio",
        "click",
        "encodings.idna",
        "google.protobuf",
        "jsonschema",
        "jwt",
        "psutil",
    ),
    *("supervisor.activity.activity", "watchfiles", "yaml"),
}
"""Not to be imported before the first command."""
WORTH = {
    "typing": 140_000,
    **({"urllib.parse": 130_000} if sys.version_info < (3, 12) else {}),
    "dataclasses": 400_000,
    "hashlib": 10_000,
    "sqlite3": 90_000,
    "yaml": 300_000,
    "click": 1_000_000,
    "threading": 70_000,
}
"""`{what a stand-in saves the import of: how many bytes of code that brings at least}`. One that brings less now is
ordinary Python again: its stand-in can go."""

BEFORE_THE_SHIM = 26
"""How many modules with code in Python, ours and others, the start of the shim waits for."""

COUNT = """
import marshal, os, sys
sys.path += PATHS
def size(module):
    spec = getattr(module, "__spec__", None)
    if spec is None or not spec.cached or not spec.origin.endswith(".py"):
        return 0  # in C or frozen
    if os.path.exists(spec.cached):
        return os.path.getsize(spec.cached) - len(spec.origin)  # the path stands in it
    return len(marshal.dumps(compile(spec.loader.get_data(spec.origin), spec.origin, "exec"))) - len(spec.origin)
def tell(*_, **__):
    import gc
    if sys.argv[1:] != ["run"] and gc.isenabled():
        sys.exit("garbage is looked for before the first command")
    before = {name: size(module) for name, module in list(sys.modules.items())}
    import importlib, json
    print(json.dumps(before), flush=True)
    for name in WORTH:
        if os.fork() == 0:
            importlib.import_module(name)
            more = sum(size(module) for name, module in list(sys.modules.items()) if name not in before)
            print(json.dumps([name, more]), flush=True)
            os._exit(0)
        os.wait()
    os._exit(0)
class TellAtSpawn:
    # Replaces what asks for a spawn once that is imported, and imports nothing earlier than it would be.
    @staticmethod
    def find_spec(name, path, target=None):
        if name == "supervisor.host.runs.spawn.shim_client":
            spec = sys.meta_path[-1].find_spec(name, path)
            execute = spec.loader.exec_module
            def exec_module(module):
                execute(module)
                module.ShimClient.spawn = tell
            spec.loader.exec_module = exec_module
            return spec
if ARGUMENTS:
    sys.meta_path.insert(0, TellAtSpawn)
else:
    from supervisor.shim import launcher
    ARGUMENTS = ("run",)
    launcher.start = tell
sys.argv = ["supervisor", *ARGUMENTS]
from supervisor.cli import main
main()
"""


def until_the_first_command(
    folder: Path, *arguments: str, worth: tuple[str, ...] = ()
) -> tuple[dict[str, int], dict[str, int]]:
    """`{module: bytes of its code}` of what is imported by then, and what each of `worth` would bring besides."""
    (folder / "automations.yaml").write_text(
        "services: {a: {name: A, triggeredBy: [postEnvironmentStart], commands: {start: 'true'}}}\n"
        "tasks: {t: {name: T, command: 'true'}}\n"
    )
    paths = [str(ROOT), str(Path(anyio.__file__).parents[1])]
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"WORTH, ARGUMENTS, PATHS = {worth!r}, {arguments!r}, {paths}\n{COUNT}",
        ],
        cwd=folder,
        # Any free port, since a notice about one that is taken starts the thread that prints.
        env={
            "PATH": "/usr/bin:/bin",
            "SUPERVISOR_STATE_DIR": str(folder / "s"),
            "SUPERVISOR_LISTEN": "127.0.0.1:0",
            "TMPDIR": str(folder),
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    modules, *more = map(json.loads, done.stdout.splitlines())
    return modules, dict(more)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, int], dict[str, int]]:
    return until_the_first_command(
        tmp_path_factory.mktemp("run"), "run", "automations.yaml", worth=tuple(WORTH)
    )


@pytest.mark.parametrize("whose", BUDGET)
def test_the_first_command_waits_for_no_more_code_than_planned(
    run: tuple[dict[str, int], dict[str, int]], whose: str
) -> None:
    ours = whose == "ours"
    sizes = {name: size for name, size in run[0].items() if size and name.startswith("supervisor") is ours}
    largest = sorted(sizes, key=lambda name: -sizes[name])[:10]
    count, size_bytes = BUDGET[whose]

    more = 1.0 if sys.version_info[:2] == (3, 11) else NEWER
    assert len(sizes) <= count * more, f"these are imported: {' '.join(sorted(sizes))}"
    assert sum(sizes.values()) <= size_bytes * more, f"the largest are {', '.join(largest)}"


def test_the_shim_is_started_before_the_rest_is_imported(tmp_path: Path) -> None:
    """It starts on another core meanwhile."""
    modules, _ = until_the_first_command(tmp_path)
    counted = [name for name, size in modules.items() if size]

    assert len(counted) <= BEFORE_THE_SHIM * (1.0 if sys.version_info[:2] == (3, 11) else NEWER), (
        f"these are imported: {' '.join(sorted(counted))}"
    )
    assert not {"pathlib", "re", "supervisor.boot.supervisor"} & modules.keys()


@pytest.mark.parametrize(
    "arguments", [("run", "automations.yaml", "--format", "json"), ("run-task", "t", "--standalone")]
)
def test_nothing_heavy_is_imported_before_the_first_command(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    modules, _ = until_the_first_command(tmp_path, *arguments)

    assert "supervisor.boot.supervisor" in modules
    assert not HEAVY & modules.keys()


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="what a stand-in saves depends on Python's version"
)
@pytest.mark.parametrize("name", WORTH)
def test_what_a_stand_in_saves_is_still_worth_it(
    run: tuple[dict[str, int], dict[str, int]], name: str
) -> None:
    assert run[1][name] >= WORTH[name]
