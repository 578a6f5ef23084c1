"""What the facts mean: turns an observation into a finding. Pure.

Any HTTP answer shows that a service can be reached, unless the list expects success. Exceptions:

    403        warning: the service says so, or a filter on the way
    5xx        failed: the service or a proxy cannot do it now
    UDP        an answer is ok, a refusal failed, silence unknown: a gateway ignores a datagram that it cannot read
    no name    of an example: unknown, since other names of the same pattern may exist
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from supervisor.doctor.endpoint_list import Expect
from supervisor.doctor.findings import Finding, State, Verdict
from supervisor.doctor.network.observation import Answer, Cause, Failure, Observation, Step
from supervisor.doctor.network.target import Skip, Target

SKEW_WARNING_S = 5.0
SKEW_FAILED_S = 300.0
"""From here on AWS refuses signatures, and tokens seem expired or not yet valid."""
_TELLING_DOMAINS = 3

_AT_STEP = {
    Step.DNS: "its name was not resolved",
    Step.TCP: "no connection",
    Step.PROXY: "the proxy gave no answer",
    Step.TLS: "the TLS handshake did not end",
    Step.HTTP: "no answer to the request",
    Step.UDP: "no answer",
}


def skipped(skip: Skip) -> Finding:
    """The finding on an endpoint that the doctor does not try."""
    return Finding(skip.endpoint.group, skip.name, skip.endpoint.required, Verdict(State.SKIPPED, skip.why))


def finding(target: Target, seen: Observation, now_s: float) -> Finding:
    """The finding on an endpoint. `now_s`: this machine's wall clock, shown if a certificate is not valid then."""
    verdict = _verdict(target, seen, now_s)
    through = [f"through the proxy {seen.proxy}"] if seen.proxy and seen.failure is None else []
    detail = "; ".join([verdict.detail, *through])
    return Finding(
        target.endpoint.group,
        target.name,
        target.endpoint.required,
        Verdict(verdict.state, detail),
        seen.seconds,
        facts(seen),
    )


def facts(seen: Observation) -> dict[str, object]:
    """What was seen, as JSON. What was not seen is missing."""
    known: dict[str, object] = {"addresses": seen.addresses, "address": seen.address, "proxy": seen.proxy}
    if seen.certificate is not None:
        known["certificate"] = {
            "subject": seen.certificate.subject,
            "issuer": seen.certificate.issuer,
            "notBefore": _moment(seen.certificate.not_before_s),
            "notAfter": _moment(seen.certificate.not_after_s),
        }
    if seen.answer is not None:
        known |= {"status": seen.answer.status, "location": seen.answer.location}
    if seen.failure is not None:
        known |= {
            "step": seen.failure.step.value,
            "trouble": seen.failure.cause.value,
            "why": seen.failure.text,
        }
    return {name: value for name, value in known.items() if value}


def _verdict(target: Target, seen: Observation, now_s: float) -> Verdict:
    if seen.failure is not None:
        return _failed(target, seen, seen.failure, now_s)
    if seen.answer is None:
        return Verdict(State.OK, "answers")
    issuer = f"; certificate by {seen.certificate.issuer}" if seen.certificate else ""
    verdict = _answered(target, seen.answer)
    return Verdict(verdict.state, verdict.detail + issuer)


def _answered(target: Target, answer: Answer) -> Verdict:
    said = f"{answer.status} {answer.reason}".rstrip()
    if answer.location and 300 <= answer.status < 400:
        said += f" to {answer.location}"
    if answer.status >= 500:
        return Verdict(
            State.FAILED, f"{said}: it was reached and does not work, or a proxy on the way does not reach it"
        )
    if target.endpoint.expect is Expect.SUCCESS and answer.status >= 400:
        return Verdict(
            State.FAILED, f"{said} in place of a file: something on the way answers, or keeps it back"
        )
    if answer.status == 407:
        return Verdict(State.FAILED, f"{said}: a proxy wants credentials; put them into the proxy variables")
    if answer.status == 403:
        return Verdict(State.WARNING, f"{said}: the service itself, or a filter on the way")
    return Verdict(State.OK, said)


def _failed(target: Target, seen: Observation, failure: Failure, now_s: float) -> Verdict:
    match failure.step, failure.cause:
        case Step.DNS, Cause.NO_NAME if target.is_example and not seen.proxy:
            return Verdict(
                State.UNKNOWN, "the DNS does not know this name; others that it stands for may exist"
            )
        case Step.UDP, Cause.TIMEOUT:
            return Verdict(
                State.UNKNOWN, f"no answer within {failure.text}, and no refusal: most gateways say nothing"
            )
        case _:
            return Verdict(State.FAILED, _why(seen, failure, now_s))


def _why(seen: Observation, failure: Failure, now_s: float) -> str:
    at = f"the proxy {seen.proxy}" if seen.proxy and failure.step in (Step.DNS, Step.TCP, Step.PROXY) else ""
    who = at or "it"
    match failure.cause:
        case Cause.TIMEOUT:
            before = f"{at}: " if at else ""
            return (
                f"{before}{_AT_STEP[failure.step]} within {failure.text}: a firewall drops it, or it is down"
            )
        case Cause.NO_NAME:
            return f"the DNS does not know {at or 'this name'}: {failure.text}"
        case Cause.REFUSED:
            return f"{who} refuses connections: nothing listens there, or a firewall says so"
        case Cause.UNREACHABLE:
            return f"{who} cannot be reached: {failure.text}"
        case Cause.CLOSED:
            return f"{who} closes the connection during the {failure.step.value.upper()} step"
        case Cause.NO_TLS:
            return f"{who} does not speak TLS there: {failure.text}"
        case Cause.DISTRUSTED:
            return _distrusted(seen, failure, now_s)
        case Cause.NO_HTTP:
            return f'{who} does not answer in HTTP: "{failure.text}"'
        case Cause.DENIED:
            return f"{who} refuses a tunnel: {failure.text}; allow this endpoint there"
        case Cause.NO_PROXY:
            return failure.text
        case Cause.OTHER:
            return f"{at and at + ': '}{failure.step.value.upper()}: {failure.text}"


def _distrusted(seen: Observation, failure: Failure, now_s: float) -> str:
    certificate = seen.certificate
    if certificate is None:
        return f"its certificate is not trusted: {failure.text}"
    if not certificate.not_before_s <= now_s <= certificate.not_after_s:
        span = f"{_moment(certificate.not_before_s)} to {_moment(certificate.not_after_s)}"
        return (
            f"its certificate by {certificate.issuer} is good from {span}, and the clock here says {_moment(now_s)}: "
            "one of them is wrong"
        )
    return (
        f"its certificate by {certificate.issuer} is not trusted: {failure.text}; if that is your proxy, give this "
        "machine its CA"
    )


def interception(findings: Iterable[tuple[Target, Observation]]) -> Verdict:
    """Whether one CA issued the certificates of unrelated services.

    A proxy that intercepts TLS issues all certificates itself. If its CA is installed, nothing else shows it.
    """
    issuers: dict[str, set[str]] = {}
    for target, seen in findings:
        if seen.certificate is not None:
            issuers.setdefault(seen.certificate.issuer, set()).add(_domain(target.host))
    names = sorted(issuers)
    if not names:
        return Verdict(State.SKIPPED, "no certificate was seen")
    if len(names) == 1 and len(issuers[names[0]]) >= _TELLING_DOMAINS:
        many = len(issuers[names[0]])
        return Verdict(
            State.WARNING,
            f"all certificates, for {many} unrelated domains, are by {names[0]}: a proxy on the way reads and "
            "replaces TLS; programs with a trust store of their own need its CA",
        )
    return Verdict(State.OK, f"none seen: certificates by {_some(names)}")


def clock_skew(answer: Answer | None) -> Verdict:
    """The difference between this machine's clock and the management plane's."""
    if answer is None or answer.date_s is None:
        return Verdict(State.UNKNOWN, "the management plane sent no time")
    # The header has whole seconds, rounded down. The server wrote it at some time between request and answer.
    skew_s = (answer.at_s - answer.took_s / 2) - (answer.date_s + 0.5)
    slack_s = 0.5 + answer.took_s / 2
    size_s = max(0.0, abs(skew_s) - slack_s)
    if size_s < 1:
        return Verdict(State.OK, "agrees with the management plane's")
    said = f"{_span(size_s)} {'ahead of' if skew_s > 0 else 'behind'} the management plane's"
    if size_s >= SKEW_FAILED_S:
        return Verdict(State.FAILED, f"{said}: tokens and certificates fail; set it, and let NTP keep it")
    return Verdict(State.WARNING if size_s >= SKEW_WARNING_S else State.OK, said)


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _domain(host: str) -> str:
    """Roughly the part of a name that belongs to one owner: the last two labels. An address stays as it is."""
    return host if ":" in host or host.replace(".", "").isdigit() else ".".join(host.split(".")[-2:])


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} others" if len(names) > 3 else ""
    return "; ".join(names[:3]) + more


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
