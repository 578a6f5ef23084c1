"""What facts mean: pure, without a socket."""

from __future__ import annotations

import pytest

from supervisor.doctor.findings import State
from supervisor.doctor.network.assessment import clock_skew, finding, interception
from supervisor.doctor.network.observation import Answer, Cause, Certificate, Failure, Observation, Step
from tests.doctor.attempts import target


def shown(url: str, issuer: str) -> tuple[object, Observation]:
    seen = Observation(certificate=Certificate("CN=x", issuer, 0, 9e9), answer=Answer(200, "OK"))
    return target(url), seen


@pytest.mark.parametrize(
    ("hosts", "issuers", "state"),
    [
        (["a.example", "b.example.com", "c.example.org"], ["O=Proxy"] * 3, State.WARNING),
        (["a.example", "b.example.com", "c.example.org"], ["O=Proxy", "O=Proxy", "O=Amazon"], State.OK),
        (["a.example.com", "b.example.com", "c.example.com"], ["O=Example"] * 3, State.OK),
        (["a.example.com"], ["O=Proxy"], State.OK),
        ([], [], State.SKIPPED),
    ],
)
def test_one_issuer_for_unrelated_domains_is_a_proxy_that_intercepts(
    hosts: list[str], issuers: list[str], state: State
) -> None:
    tried = [shown(f"https://{host}", issuer) for host, issuer in zip(hosts, issuers, strict=True)]
    verdict = interception(tried)  # type: ignore[arg-type]

    assert verdict.state is state
    if state is State.WARNING:
        assert "for 3 unrelated domains, are by O=Proxy" in verdict.detail


@pytest.mark.parametrize(
    ("ahead_s", "took_s", "state", "words"),
    [
        (0.0, 0.1, State.OK, "agrees"),
        (0.9, 0.1, State.OK, "agrees"),
        (-0.9, 0.1, State.OK, "agrees"),
        (3.0, 0.1, State.OK, "2 s ahead of"),
        (9.0, 9.0, State.OK, "4 s ahead of"),
        (30.0, 0.1, State.WARNING, "29 s ahead of"),
        (-30.0, 0.1, State.WARNING, "30 s behind"),
        (400.0, 0.1, State.FAILED, "7 min ahead of"),
        (-90_000.0, 0.1, State.FAILED, "25 h behind"),
    ],
)
def test_clock_is_compared_with_the_planes_as_far_as_its_header_tells(
    ahead_s: float, took_s: float, state: State, words: str
) -> None:
    answer = Answer(200, "OK", date_s=1_000_000.0, at_s=1_000_000.0 + ahead_s + took_s / 2, took_s=took_s)
    verdict = clock_skew(answer)

    assert verdict.state is state
    assert words in verdict.detail


@pytest.mark.parametrize("answer", [None, Answer(200, "OK")])
def test_clock_of_a_plane_that_tells_no_time_is_unknown(answer: Answer | None) -> None:
    assert clock_skew(answer).state is State.UNKNOWN


def test_certificate_that_begins_tomorrow_blames_one_of_the_clocks() -> None:
    seen = Observation(
        failure=Failure(Step.TLS, Cause.DISTRUSTED, "certificate is not yet valid"),
        certificate=Certificate("CN=x", "O=Someone", 2e9, 3e9),
    )
    found = finding(target("https://a.invalid"), seen, 1e9)

    assert "the clock here says 2001-09-09 01:46 UTC: one of them is wrong" in found.verdict.detail


@pytest.mark.parametrize("step", list(Step))
@pytest.mark.parametrize("trouble", list(Cause))
@pytest.mark.parametrize("proxy", ["", "p:1"])
def test_every_trouble_at_every_step_has_a_sentence(step: Step, trouble: Cause, proxy: str) -> None:
    seen = Observation(proxy=proxy, failure=Failure(step, trouble, "this and that"))
    found = finding(target("https://a.invalid"), seen, 0.0)

    assert found.verdict.state in (State.FAILED, State.UNKNOWN)
    assert found.verdict.detail.strip()
    assert found.is_fatal == (found.verdict.state is State.FAILED)
