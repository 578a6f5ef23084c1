"""TLS: a handshake that trusts whom this machine trusts, and a look at the certificate of one that it does not.

OpenSSL ends a handshake whose certificate it refuses, and then tells nothing of it. So who sent it is found out on a
second connection, which verifies nothing and carries nothing.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import cast

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSAttribute, TLSStream

from supervisor.doctor.network.certificate import certificate
from supervisor.doctor.network.dial import trouble_of
from supervisor.doctor.network.observation import Seen, Stopped, Trouble

_NO_TLS = {
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "UNEXPECTED_MESSAGE",
}


@dataclass(frozen=True, slots=True)
class Trust:
    """Two ways to shake hands."""

    verifying: ssl.SSLContext
    looking: ssl.SSLContext
    """Takes any certificate. For a look at it alone."""

    @classmethod
    def of_machine(cls) -> Trust:
        """As OpenSSL trusts here: its own store, or SSL_CERT_FILE and SSL_CERT_DIR."""
        looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        looking.check_hostname = False
        looking.verify_mode = ssl.CERT_NONE
        return cls(ssl.create_default_context(), looking)


async def wrap(stream: ByteStream, host: str, trust: Trust, seen: Seen) -> ByteStream:
    """The stream within TLS, verified. Raises Stopped; `seen.step` is the caller's."""
    try:
        wrapped = await TLSStream.wrap(
            stream, hostname=host, ssl_context=trust.verifying, standard_compatible=False
        )
    except ssl.SSLCertVerificationError as error:
        seen.breaks(Trouble.DISTRUSTED, _lowered(error.verify_message.rstrip(".")))
        raise Stopped from None
    except ssl.SSLError as error:
        no_tls = error.reason in _NO_TLS
        seen.breaks(
            Trouble.NO_TLS if no_tls else Trouble.OTHER,
            (error.reason or str(error)).replace("_", " ").lower(),
        )
        raise Stopped from None
    except (anyio.BrokenResourceError, anyio.EndOfStream) as error:
        cause = error.__cause__
        trouble = trouble_of(cause) if isinstance(cause, OSError) else Trouble.CLOSED
        seen.breaks(Trouble.CLOSED if trouble is Trouble.OTHER else trouble)
        raise Stopped from None
    seen.certificate = certificate(_der(wrapped))
    return wrapped


async def look(stream: ByteStream, host: str, trust: Trust, seen: Seen) -> None:
    """Note the certificate that the other side shows, whatever it is worth."""
    try:
        wrapped = await TLSStream.wrap(
            stream, hostname=host, ssl_context=trust.looking, standard_compatible=False
        )
    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream):  # ssl.SSLError is an OSError
        return
    seen.certificate = certificate(_der(wrapped))


def _der(stream: TLSStream) -> bytes:
    return cast(bytes, stream.extra(TLSAttribute.peer_certificate_binary))


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
