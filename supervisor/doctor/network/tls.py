"""TLS: a handshake with the CAs that this machine trusts, and a look at a certificate that it does not trust.

When OpenSSL refuses a certificate it ends the handshake and does not show the certificate. So the doctor reads it on a
second connection, which verifies nothing and carries no data.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import cast

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSAttribute, TLSStream

from supervisor.doctor.network.certificate import certificate
from supervisor.doctor.network.observation import AttemptFailed, Cause, Observation
from supervisor.doctor.network.transport import cause_of_loss

_NO_TLS = {
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "UNEXPECTED_MESSAGE",
}


@dataclass(frozen=True, slots=True)
class Trust:
    """The TLS settings of both kinds of handshake."""

    verifying: ssl.SSLContext
    looking: ssl.SSLContext
    """Accepts any certificate. Only for reading it."""

    @classmethod
    def of_machine(cls) -> Trust:
        """Trust what OpenSSL trusts here: its own store, or SSL_CERT_FILE and SSL_CERT_DIR."""
        looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        looking.check_hostname = False
        looking.verify_mode = ssl.CERT_NONE
        return cls(ssl.create_default_context(), looking)


async def wrap(stream: ByteStream, host: str, trust: Trust, seen: Observation) -> ByteStream:
    """The stream within TLS, verified. Raises AttemptFailed. The caller has set `seen.step`."""
    try:
        wrapped = await TLSStream.wrap(
            stream, hostname=host, ssl_context=trust.verifying, standard_compatible=False
        )
    except ssl.SSLCertVerificationError as error:
        seen.fail(Cause.DISTRUSTED, _lowered(error.verify_message.rstrip(".")))
        raise AttemptFailed from None
    except ssl.SSLError as error:
        no_tls = error.reason in _NO_TLS
        seen.fail(
            Cause.NO_TLS if no_tls else Cause.OTHER,
            (error.reason or str(error)).replace("_", " ").lower(),
        )
        raise AttemptFailed from None
    except (anyio.BrokenResourceError, anyio.EndOfStream) as error:
        seen.fail(cause_of_loss(error))
        raise AttemptFailed from None
    seen.certificate = certificate(_der(wrapped))
    return wrapped


async def look(stream: ByteStream, host: str, trust: Trust, seen: Observation) -> None:
    """Record the certificate that the other side shows, without verifying it."""
    try:
        wrapped = await TLSStream.wrap(
            stream, hostname=host, ssl_context=trust.looking, standard_compatible=False
        )
    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream):  # includes ssl.SSLError
        return
    seen.certificate = certificate(_der(wrapped))


def _der(stream: TLSStream) -> bytes:
    return cast(bytes, stream.extra(TLSAttribute.peer_certificate_binary))


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
