"""Our text of numbers, as Prometheus's own package reads and writes it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Counter as TheirCounter
from prometheus_client import Histogram as TheirHistogram
from prometheus_client.parser import text_string_to_metric_families

from supervisor.api.http.exposition import Counter, Histogram, gauge, of_process, written

BOUNDS = (0.1, 1.0, 10.0)
LABELS = st.sampled_from(["a", 'a "word"', "C:\\new", "two\nlines", "é"])


def read(text: bytes) -> dict[tuple[object, ...], float]:
    """`{name and labels: value}`, without the times that their package adds."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@given(st.lists(st.tuples(LABELS, st.floats(0, 100))))
def test_counter_and_histogram_are_written_as_theirs(seen: list[tuple[str, float]]) -> None:
    registry = CollectorRegistry()
    theirs = TheirCounter("c", "Counts.", ["label"], registry=registry)
    their_times = TheirHistogram("h", "Takes.", ["label"], buckets=BOUNDS, registry=registry)
    ours, our_times = Counter("c_total", "Counts.", "label"), Histogram("h", "Takes.", BOUNDS, "label")
    for label, number in seen:
        theirs.labels(label).inc(number)
        their_times.labels(label).observe(number)
        ours.add(label, number)
        our_times.observe(number, label)

    assert read(written([ours.family(), our_times.family()])) == read(generate_latest(registry))


def test_numbers_without_a_label_are_there_from_the_beginning() -> None:
    counter, histogram = Counter("c_total", "Counts."), Histogram("h", "Takes.", BOUNDS)
    found = read(written([counter.family(), histogram.family(), gauge("g", "Is.", 1e20)]))
    assert found[("c_total",)] == 0
    assert found[("h_count",)] == found[("h_sum",)] == found["h_bucket", ("le", "+Inf")] == 0
    assert found[("g",)] == 1e20


def test_what_is_said_of_every_process() -> None:
    found = read(written(of_process()))
    assert found[("process_resident_memory_bytes",)] > 1e6
    assert found[("process_virtual_memory_bytes",)] >= found[("process_resident_memory_bytes",)]
    assert found[("process_start_time_seconds",)] > 1.7e9
    assert found[("process_cpu_seconds_total",)] > 0
    assert found[("process_max_fds",)] > found[("process_open_fds",)] > 2
