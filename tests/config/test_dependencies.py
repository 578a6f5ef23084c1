"""References that do not meet, told once each, with both ends."""

import pytest

from supervisor.config import load_bytes
from supervisor.config.suggest import Suggester, edit_distance


def problems(text: str) -> list[str]:
    return [problem.render("f") for problem in load_bytes(text.encode()).errors]


def graph(**dependencies: str) -> str:
    lines = [f"  {task}: {{name: x, command: y, dependsOn: [{on}]}}" for task, on in dependencies.items()]
    return "\n".join(["tasks:", *lines])


def cycles(**dependencies: str) -> list[str]:
    found = [problem.split("cycle: ") for problem in problems(graph(**dependencies))]
    return [way for _, way in found]


def test_cycle_is_told_once_as_its_whole_path_from_its_first_task() -> None:
    assert problems(graph(build="test", test="build")) == [
        "f:2:44: tasks.build.dependsOn[0]: the dependencies form a cycle: build -> test -> build"
    ]


def test_cycle_is_told_from_its_first_task_wherever_the_search_comes_in() -> None:
    assert cycles(a="c", b="c", c="d", d="b") == ["b -> c -> d -> b"]


def test_each_dependency_that_closes_a_cycle_is_told() -> None:
    assert sorted(cycles(a="b, c", b="a", c="b, a")) == ["a -> b -> a", "a -> c -> a"]


def test_dependencies_that_meet_again_are_no_cycle() -> None:
    assert cycles(a="b, c", b="d", c="d", d="") == []


def test_self_dependency_is_told_as_that_alone() -> None:
    assert problems(graph(a="b, a", b="")) == [
        "f:2:43: tasks.a.dependsOn[1]: a task cannot depend on itself; remove it"
    ]


def test_task_may_depend_on_a_service_and_on_a_later_task() -> None:
    text = "services: {db: {name: x, commands: {start: y}}}\n" + graph(a="b, db", b="db")

    assert problems(text) == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("biuld", "build"),
        ("Build", "build"),
        ("buil", "build"),
        ("instal_deps", "install-deps"),
        ("deps", ""),
    ],
)
def test_unknown_dependency_is_told_with_the_nearest_reference(written: str, meant: str) -> None:
    text = graph(a=written, build="", **{"install-deps": ""})
    hint = f'; did you mean "{meant}"?' if meant else ""

    assert problems(text) == [
        f'f:2:40: tasks.a.dependsOn[0]: no task or service has the reference "{written}"{hint}'
    ]


def test_reference_of_a_service_and_a_task_is_told_with_both_places() -> None:
    service, task = "services: {web: {name: x, commands: {start: y}}}", "tasks: {web: {name: x, command: y}}"

    assert problems(f"{service}\n{task}") == [
        'f:2:9: tasks.web: the service at line 1, column 12 has the reference "web" too; rename one of them'
    ]
    assert problems(f"{task}\n{service}") == [
        'f:2:12: services.web: the task at line 1, column 9 has the reference "web" too; rename one of them'
    ]


def test_references_are_checked_in_a_file_that_has_other_mistakes() -> None:
    text = graph(a="b", b="a, c") + "\n  d: {nmae: x, command: y, depends_on: [e]}\nother: 1"

    assert [problem.split(": ")[1] for problem in problems(text)] == [
        *(
            "tasks.a.dependsOn[0]",
            "tasks.b.dependsOn[1]",
            "tasks.d",
            "tasks.d.nmae",
            "tasks.d.depends_on[0]",
            "other",
        )
    ]


# ---- near names ----


@pytest.mark.parametrize(
    ("left", "right", "distance"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("start", "strt", 1),
        ("start", "statr", 1),
        ("name", "same", 1),
        ("ab", "ba", 1),
    ],
)
def test_edit_distance_counts_slips_of_the_fingers(left: str, right: str, distance: int) -> None:
    assert edit_distance(left, right) == distance


def test_nearest_is_the_first_of_the_nearest_and_none_if_all_are_far() -> None:
    suggester = Suggester()

    assert suggester.nearest("comands", ["command", "commands"]) == "commands"
    assert suggester.nearest("triggered-by", ["name", "triggeredBy"]) == "triggeredBy"
    assert suggester.nearest("containerStart", ["manual", "postDevcontainerStart"]) == "postDevcontainerStart"
    assert suggester.nearest("ports", ["services", "tasks"]) is None
    assert suggester.nearest("", ["a"]) is None
    assert suggester.nearest("x" * 1000, ["x" * 1000]) is None


def test_search_for_near_names_ends_when_it_has_cost_enough() -> None:
    suggester = Suggester()
    many = [f"task{number}" for number in range(1000)]

    assert suggester.nearest("taks1", many) == "task1"
    for _ in range(100):
        suggester.nearest("nothing", many)
    assert suggester.nearest("taks1", many) is None
