"""What each contestant is given to do: the same, in its own words."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.environments import node_version, version
from benchmarks.peers.contestants import (
    BEFORE,
    FLOOR,
    OURS,
    S6,
    CannotDo,
    Cat,
    Concurrently,
    Contestant,
    Floor,
    GoTask,
    Honcho,
    Just,
    Mprocs,
    Ours,
    contestants,
)
from benchmarks.peers.rows import ROWS
from benchmarks.peers.works import WORKS
from supervisor.config import load_bytes
from supervisor.model.spec import AutomationsFile

HERE = Ours("/bin/supervisor")


def loaded(folder: Path) -> AutomationsFile:
    file = load_bytes((folder / "automations.yaml").read_bytes()).file
    assert file is not None
    return file


def test_services_are_the_same_plain_lines(tmp_path: Path) -> None:
    lines = ["server --port 1", "server --port 2"]

    program = HERE.services(tmp_path, lines)
    Honcho().services(tmp_path, lines)
    S6().services(tmp_path, lines)

    assert program.argv == [
        "/bin/supervisor",
        "run",
        "automations.yaml",
        "--state-dir",
        "state",
        "--no-watch",
    ]
    assert [service.spec.start for service in loaded(tmp_path).services.values()] == lines
    assert (tmp_path / "Procfile").read_text() == "s1: server --port 1\ns2: server --port 2\n"
    assert (tmp_path / "scan/s2/run").read_text() == "#!/bin/sh\nexec server --port 2\n"
    assert (tmp_path / "scan/s2/log/run").read_text().endswith(f" {tmp_path}/logs/2\n")


def test_each_service_has_a_probe(tmp_path: Path) -> None:
    HERE.probes(tmp_path, 2)

    assert [service.spec.ready for service in loaded(tmp_path).services.values()] == ["ready 1", "ready 2"]


def test_chain_depends_on_the_one_before(tmp_path: Path) -> None:
    HERE.chain(tmp_path, 3)
    Just().chain(tmp_path, 3)
    GoTask().chain(tmp_path, 3)

    tasks = loaded(tmp_path).tasks
    assert [(task.spec.command, task.depends_on) for task in tasks.values()] == [
        ("mark 1", ()),
        ("mark 2", ("t1",)),
        ("mark 3", ("t2",)),
    ]
    assert [name for name, task in tasks.items() if task.triggers] == ["t3"]
    recipes = "t1: \n    @mark 1\nt2: t1\n    @mark 2\nt3: t2\n    @mark 3\n"
    assert (tmp_path / "justfile").read_text() == recipes
    assert json.loads((tmp_path / "Taskfile.yml").read_text())["tasks"]["t3"] == {
        "deps": ["t2"],
        "cmds": ["mark 3"],
    }


def test_many_tasks_are_as_many_for_everybody(tmp_path: Path) -> None:
    HERE.tasks(tmp_path, 3)
    Just(parallel=True).tasks(tmp_path, 3)
    GoTask().tasks(tmp_path, 3)

    tasks = loaded(tmp_path).tasks
    assert [task.spec.command for task in tasks.values()] == ["mark 1", "mark 2", "mark 3"]
    assert tasks["t3"].depends_on == ("t1", "t2")
    assert (tmp_path / "justfile").read_text().endswith("[parallel]\nlast: t1 t2\n    @mark 3\n")
    assert json.loads((tmp_path / "Taskfile.yml").read_text())["tasks"]["last"]["deps"] == ["t1", "t2"]


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (lambda folder: Floor().client(folder), "API"),
        (lambda folder: Honcho().chain(folder, 2), "dependencies"),
        (lambda folder: Honcho().tasks(folder, 2), "ends everything"),
        (lambda folder: S6().tasks(folder, 2), "starts again"),
        (lambda folder: S6().probes(folder, 2), "probes"),
        (lambda folder: Just().services(folder, ["server --port 1"]), "tasks only"),
        (lambda folder: Mprocs().log(folder), "more than a minute"),
        (lambda folder: Cat().services(folder, ["server --port 1"]), "no supervisor"),
    ],
)
def test_what_a_contestant_cannot_do_has_a_reason(
    tmp_path: Path, wish: Callable[[Path], object], why: str
) -> None:
    with pytest.raises(CannotDo, match=why):
        wish(tmp_path)


def test_everybody_has_a_name_and_is_described() -> None:
    everybody = contestants("now", "then")
    names = [each.name for each in everybody]

    assert {FLOOR, OURS, BEFORE} <= set(names)
    assert len(set(names)) == len(names)
    assert all(each.language and each.__doc__ != Contestant.__doc__ for each in everybody)
    assert BEFORE not in [each.name for each in contestants("now", None)]


def test_limits_name_contestants_and_rows_name_works() -> None:
    names = {each.name for each in contestants("now", None)}

    assert {row.limit.of for row in ROWS if row.limit is not None and row.limit.of} <= names
    assert {row.work for row in ROWS} == {work.name for work in WORKS}


def test_versions_are_those_of_the_locks() -> None:
    assert Concurrently().origin == f"npm {node_version('concurrently')}"
    assert version("runners", "honcho").count(".") == 2
    assert version("supervisord").count(".") == 2
