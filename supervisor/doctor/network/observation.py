"""What an attempt saw of one endpoint: facts alone. `assessment` says what they mean."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Step(enum.Enum):
    """The steps of an attempt, in their order."""

    DNS = "dns"
    TCP = "tcp"
    PROXY = "proxy"
    TLS = "tls"
    HTTP = "http"
    UDP = "udp"


class Cause(enum.Enum):
    """Why a step failed."""

    TIMEOUT = "timeout"
    NO_NAME = "no name"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CLOSED = "closed"
    """The other side closed the connection in the middle of a step."""
    NO_TLS = "no TLS"
    """The other side does not speak TLS."""
    DISTRUSTED = "distrusted"
    """This machine does not accept the certificate."""
    NO_HTTP = "no HTTP"
    """The other side does not speak HTTP."""
    DENIED = "denied"
    """The proxy refused the tunnel."""
    NO_PROXY = "no proxy"
    """The doctor cannot use the proxy that a variable names."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Failure:
    """The step at which an attempt failed, and why."""

    step: Step
    cause: Cause
    text: str = ""
    """The words of the machine or of the other side."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a server's certificate says; it may be false. Names as `O=Example, CN=Example CA`."""

    subject: str
    issuer: str
    not_before_s: float
    """Wall clock."""
    not_after_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an HTTP answer."""

    status: int
    reason: str
    location: str = ""
    date_s: float | None = None
    """The server's clock; None: it sends no date."""
    at_s: float = 0.0
    """This machine's wall clock when the answer came."""
    took_s: float = 0.0
    """The time from the request to the answer."""


@dataclass(slots=True)
class Observation:
    """What an attempt has seen. The steps fill it in one by one, so a timeout leaves what was seen before."""

    step: Step = Step.DNS
    addresses: list[str] = field(default_factory=list)
    """All addresses of the host's name."""
    address: str = ""
    """The address that answered."""
    proxy: str = ""
    """The proxy's host and port; empty: there is no proxy in between."""
    certificate: Certificate | None = None
    answer: Answer | None = None
    failure: Failure | None = None
    seconds: float = 0.0

    def fail(self, cause: Cause, text: str = "") -> None:
        """Record why the current step failed."""
        self.failure = Failure(self.step, cause, text)


class AttemptFailed(Exception):
    """Ends an attempt. The observation's `failure` says why."""
