"""The tables say what was measured, and the page has the tables of what was measured last."""

import pytest

from benchmarks.peers import calls, page
from benchmarks.peers.contestants import contestants
from benchmarks.peers.measured import Measured
from benchmarks.peers.rows import Limit, shown


def measured() -> Measured:
    """Two rounds of three works, in which somebody is ahead and somebody has failed."""
    found = Measured(machine="2 cores, ext4", revision="abc", against="def", rounds=2, minutes=3.4)
    for each in contestants("now", "then"):
        found.introduce(each)
    for factor, used_s in ((1.0, 0.01), (3.0, 0.2)):
        others = (used_s, 1.0)
        for work in ("chain", "hundred", "probes"):
            found.begin(work)
        for name, value in {
            "floor": 0.5,
            "just": 1.0,
            "go-task": 0.75,
            "before": 4.0,
            "supervisor": 2.0,
        }.items():
            found.add("chain", name, {"hop_ms": value * factor}, others)
        for name, value in {"circus": 20.0, "supervisord": 300.0, "before": 68.0, "supervisor": 30.0}.items():
            found.add("hundred", name, {"stop_ms": value * factor}, others)
        found.add("probes", "supervisor", {"probe_us": 800.0}, others)
        found.add("probes", "before", {"probe_us": 8123.4}, others)
    found.cannot["chain"] = {"circus": "has no dependencies", "honcho": "has no dependencies"}
    found.failed["log"] = {"pm2": ["TimeoutError: no"]}
    found.absent["s6"] = "it is in Debian's package s6"
    return found


def test_table_has_medians_the_ratio_and_the_verdict() -> None:
    lines = page.tables(measured()).splitlines()

    assert (
        "| chain of 200 tasks, a hop | 1 ms | go-task 1.5, just 2 | 8 ms | **4 ms** | 0.50 | just (2 ms) | "
        "**not met** (2.00) | 10.5 %, at most 20 % |"
    ) in lines
    assert (
        "| a probe each second for 100 services: processor time a probe |  | no peer can | 8123 µs | **800 µs** "
        "| 0.10 | 900 µs | met | 10.5 %, at most 20 % |"
    ) in lines


def test_machine_that_was_not_quiet_is_told() -> None:
    noisy, quiet = measured(), measured()
    noisy.others = {"chain": [[0.3, 1.0], [1.0, 2.0]], "log": [[0.02, 1.0]]}
    quiet.others = {"chain": [[0.03, 1.0], [1.0, 2.0]], "log": [[0.02, 1.0]]}

    assert "**The machine was not quiet**: others used 30 % of it" in page.tables(noisy)
    assert "not quiet" not in page.tables(quiet)


def test_interpreted_peers_that_are_ahead_are_named() -> None:
    text = page.tables(measured())

    assert (
        "ahead of this supervisor in time:\n\n- stop 100 services: until the last has ended: circus\n" in text
    )


def test_everybody_stands_in_the_table_of_a_row_with_those_that_do_not_take_part() -> None:
    text = page.tables(measured())

    assert "| go-task | Go | 1.5 ms | 0.75 to 2.25 | 1.50 | 0.38 |" in text
    assert "Not in it: circus, honcho (has no dependencies)." in text
    assert "- log, pm2: TimeoutError: no" in text
    assert "| s6 | not installed | it is in Debian's package s6 |" in text


def test_page_keeps_what_stands_around_the_tables() -> None:
    text = f"before\n{page.BEGIN}old\n{page.END}after\n"

    assert page.with_part(text, page.BEGIN, "new\n") == f"before\n{page.BEGIN}\nnew\n\n{page.END}after\n"
    with pytest.raises(ValueError, match="no place"):
        page.with_part("before\nafter\n", page.BEGIN, "new\n")


def test_page_has_the_tables_of_what_was_kept() -> None:
    """After an edit of the rows or of how they are shown: `benchmarks/run --peers --render`."""
    text = page.PAGE.read_text()

    assert page.with_part(text, page.BEGIN, page.tables(Measured.read())) == text
    assert page.with_part(text, page.BEGIN_CALLS, calls.table(*calls.read())) == text


def test_limit_is_a_number_or_so_many_times_another() -> None:
    medians = {"just": 2.0}

    assert (Limit(900).value(medians), Limit(900).text("µs")) == (900, "900 µs")
    assert (Limit(1.5, "just").value(medians), Limit(1.5, "just").text("ms")) == (3.0, "1.5 times just")
    assert Limit(1, "circus").value(medians) is None


@pytest.mark.parametrize(
    ("value", "text"), [(8123.4, "8123"), (99.96, "100"), (4.504, "4.5"), (0.0512, "0.0512")]
)
def test_number_has_three_digits(value: float, text: str) -> None:
    assert shown(value) == text
