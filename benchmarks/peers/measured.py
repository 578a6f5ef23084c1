"""What a run of the suite has found, as it is kept: every turn's numbers, and who could not do what."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.peers.contestants import Contestant

KEPT = Path(__file__).parent / "measured.json"
_DIGITS = 4


@dataclass
class Measured:
    """Numbers of one run. Names of works, contestants and numbers are those of the modules of these names."""

    machine: str = ""
    revision: str = ""
    against: str = ""
    rounds: int = 0
    minutes: float = 0.0
    contestants: dict[str, dict[str, str]] = field(default_factory=dict)
    """`{contestant: {"language", "kind", "origin", "less"}}`; kind is "interpreted" or "compiled"."""
    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """`{number: {contestant: a value a turn}}`."""
    others: dict[str, list[list[float]]] = field(default_factory=dict)
    """`{work: for each round the seconds that others used of the machine in its turns, and of how many}`."""
    cannot: dict[str, dict[str, str]] = field(default_factory=dict)
    """`{work: {contestant: why}}`."""
    failed: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """`{work: {contestant: the problem of each turn that failed twice}}`."""
    absent: dict[str, str] = field(default_factory=dict)
    """`{contestant: why it is not installed}`."""

    def introduce(self, contestant: Contestant) -> None:
        """Note who it is."""
        self.contestants[contestant.name] = {
            "language": contestant.language,
            "kind": "interpreted" if contestant.interpreted else "compiled",
            "origin": contestant.origin,
            "less": contestant.less,
        }

    def add(
        self, work: str, contestant: str, numbers: Mapping[str, float], others: tuple[float, float]
    ) -> None:
        """Note a turn: its numbers, and what others used of how many seconds of the machine."""
        for key, value in numbers.items():
            self.values.setdefault(key, {}).setdefault(contestant, []).append(_rounded(value))
        sums = self.others[work][-1]
        sums[:] = (round(total + new, _DIGITS) for total, new in zip(sums, others, strict=True))

    def begin(self, work: str) -> None:
        """Note that the turns of a round begin."""
        self.others.setdefault(work, []).append([0.0, 0.0])

    def shares(self, work: str) -> list[float]:
        """The share of the machine that others used, for each round."""
        return [used / whole for used, whole in self.others.get(work, []) if whole]

    def medians(self, key: str) -> dict[str, float]:
        """`{contestant: median}` of a number."""
        return {name: statistics.median(values) for name, values in self.values.get(key, {}).items()}

    def write(self) -> None:
        """Keep it, in place of what was kept."""
        KEPT.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls) -> Measured:
        """What was kept."""
        return cls(**json.loads(KEPT.read_text()))


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
