"""Numbers in Prometheus's text form, written by hand: the package for it takes 1.5 MB, most of it for its own server.

A family is one name with one value a label, or a single value without one. Counters and histograms begin at zero.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format.
"""

from __future__ import annotations

import os
import resource
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate

Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, Labels, float]
"""What follows the family's name, the labels, and the value."""


@dataclass(frozen=True, slots=True)
class Family:
    """What is written of one name."""

    name: str
    text: str
    """What it means, for people."""
    kind: str
    """`gauge`, `counter` or `histogram`."""
    samples: Sequence[Sample]


def gauge(name: str, text: str, value: float) -> Family:
    """One value that may go up and down."""
    return Family(name, text, "gauge", [("", (), value)])


def labelled(name: str, text: str, kind: str, label: str, values: Mapping[str, float]) -> Family:
    """`{value of the label: number}`."""
    return Family(name, text, kind, [("", ((label, value),), number) for value, number in values.items()])


@dataclass(slots=True)
class Counter:
    """Counts, for each value of a label; with an empty one there is no label."""

    name: str
    text: str
    label: str = ""
    numbers: dict[str, float] = field(default_factory=dict)

    def add(self, value: str = "", number: float = 1) -> None:
        """Count one more, or more than one."""
        self.numbers[value] = self.numbers.get(value, 0) + number

    def family(self) -> Family:
        """As it is now."""
        if self.label:
            return labelled(self.name, self.text, "counter", self.label, self.numbers)
        return Family(self.name, self.text, "counter", [("", (), self.numbers.get("", 0))])


@dataclass(slots=True)
class Histogram:
    """How many observations were at most so large, for each value of a label; with an empty one there is no label."""

    name: str
    text: str
    bounds: Sequence[float]
    label: str = ""
    _counts: dict[str, list[int]] = field(default_factory=dict)
    """Observations by the smallest bound that they are within; the last ones are above all."""
    _sums: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.label:
            self._of("")

    def observe(self, number: float, value: str = "") -> None:
        """Count an observation."""
        self._of(value)[bisect_left(self.bounds, number)] += 1
        self._sums[value] += number

    def family(self) -> Family:
        """As it is now."""
        samples = (sample for value in self._counts for sample in self._samples(value))
        return Family(self.name, self.text, "histogram", [*samples])

    def _of(self, value: str) -> list[int]:
        if value not in self._counts:
            self._counts[value], self._sums[value] = [0] * (len(self.bounds) + 1), 0.0
        return self._counts[value]

    def _samples(self, value: str) -> Iterator[Sample]:
        labels: Labels = ((self.label, value),) if self.label else ()
        up_to = list(accumulate(self._counts[value]))
        bounds = [*map(_number, self.bounds), "+Inf"]
        for bound, count in zip(bounds, up_to, strict=True):
            yield "_bucket", (("le", bound), *labels), count
        yield "_count", labels, up_to[-1]
        yield "_sum", labels, self._sums[value]


def of_process() -> Iterator[Family]:
    """What Prometheus's clients say of every process. Raises OSError."""
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()  # from the third one on, see proc(5)
    ticks = os.sysconf("SC_CLK_TCK")
    user, system, begun, virtual, resident = (int(fields[number - 3]) for number in (14, 15, 22, 23, 24))
    yield gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", virtual)
    yield gauge(
        "process_resident_memory_bytes",
        "Resident memory size in bytes.",
        resident * os.sysconf("SC_PAGE_SIZE"),
    )
    yield gauge(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        _boot_s() + begun / ticks,
    )
    cpu = Counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.")
    cpu.add(number=(user + system) / ticks)
    yield cpu.family()
    yield gauge("process_open_fds", "Number of open file descriptors.", len(os.listdir("/proc/self/fd")))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = float("inf") if soft == resource.RLIM_INFINITY else float(soft)
    yield gauge("process_max_fds", "Maximum number of open file descriptors.", most)


@cache
def _boot_s() -> int:
    """When the machine was started, on the wall clock."""
    with open("/proc/stat", encoding="utf-8") as file:
        return next((int(line.split()[1]) for line in file if line.startswith("btime ")), 0)


def written(families: Iterable[Family]) -> bytes:
    """The families as text."""
    lines = []
    for family in families:
        lines.append(f"# HELP {family.name} {family.text}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        lines += [
            f"{family.name}{suffix}{_labels(labels)} {_number(value)}"
            for suffix, labels, value in family.samples
        ]
    return "".join(f"{line}\n" for line in lines).encode()


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return "+Inf" if value == float("inf") else repr(float(value))
