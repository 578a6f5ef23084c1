"""Reports of editors: coalesced, and over when the next one does not come."""

from __future__ import annotations

import pytest

from supervisor.activity.editor_reports import MOST_SOURCES, Reports
from supervisor.activity.sighting import Sighting
from supervisor.model.errors import InvalidActivity


def only(reports: Reports, now_s: float) -> Sighting:
    (found,) = reports.sightings(now_s)
    return found


def test_report_counts_for_as_long_as_the_next_may_take() -> None:
    reports = Reports(300)
    reports.add("VS Code", 10)
    assert only(reports, 309).seen_s == 10
    assert list(reports.sightings(310)) == []


def test_reports_of_one_source_are_one_sighting() -> None:
    reports = Reports(300)
    for at in range(1000):
        reports.add("VS Code", at / 10)
    assert (only(reports, 100).since_s, only(reports, 100).seen_s) == (0, 99.9)


def test_report_that_comes_a_little_late_goes_on_with_what_was() -> None:
    reports = Reports(300)
    for at in (0, 301, 610):
        reports.add("VS Code", at)
    assert only(reports, 611).since_s == 0
    reports.add("VS Code", 2000)
    assert only(reports, 2000).since_s == 2000


def test_sources_of_clients_without_number_are_not_all_remembered() -> None:
    reports = Reports(300)
    for number in range(MOST_SOURCES + 5):
        reports.add(f"editor {number}", number / 10)
    names = [seen.source for seen in reports.sightings(20)]
    assert len(names) == MOST_SOURCES
    assert names[0] == "editor 5"


def test_report_that_no_signal_can_carry_is_refused() -> None:
    reports = Reports(300)
    with pytest.raises(InvalidActivity, match="3 to 80 characters"):
        reports.add("vi", 0)
    assert list(reports.sightings(0)) == []
