"""What was observed of one endpoint: facts alone. What they mean is for `verdict`."""

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


class Trouble(enum.Enum):
    """Why a step came to nothing."""

    TIMEOUT = "timeout"
    NO_NAME = "no name"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CLOSED = "closed"
    """The other side closed the connection in the middle."""
    NO_TLS = "no TLS"
    """What came is no TLS at all."""
    DISTRUSTED = "distrusted"
    """A certificate that this machine does not accept."""
    NO_HTTP = "no HTTP"
    """What came is no HTTP answer."""
    DENIED = "denied"
    """The proxy answered, and not with a tunnel."""
    NO_PROXY = "no proxy"
    """The variable's value is no proxy that can be used here."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Broken:
    """Where an attempt ended too early."""

    step: Step
    trouble: Trouble
    text: str = ""
    """In the words of the machine or of the other side."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Of a server, as it says; whether to believe it is another question. Names as `O=Example, CN=Example CA`."""

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
    """The server's clock; None: it does not say."""
    at_s: float = 0.0
    """This machine's wall clock when the answer came."""
    took_s: float = 0.0
    """From the request to the answer."""


@dataclass(slots=True)
class Seen:
    """What an attempt has come to; filled in as it goes, so that a timeout leaves what was seen until then."""

    step: Step = Step.DNS
    addresses: list[str] = field(default_factory=list)
    """All that the host's name stands for."""
    address: str = ""
    """The one that answered."""
    proxy: str = ""
    """The proxy's host and port; empty: none is in between."""
    certificate: Certificate | None = None
    answer: Answer | None = None
    broken: Broken | None = None
    seconds: float = 0.0

    def breaks(self, trouble: Trouble, text: str = "") -> None:
        """Note why the attempt ends at the present step."""
        self.broken = Broken(self.step, trouble, text)


class Stopped(Exception):
    """Ends an attempt whose `broken` says why."""
