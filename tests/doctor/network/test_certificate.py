"""What a certificate says of itself: read from its bytes as a library for certificates reads it."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.doctor.network.certificate import certificate

KEY = ec.generate_private_key(ec.SECP256R1())
NAMES = {"O": NameOID.ORGANIZATION_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME, "CN": NameOID.COMMON_NAME}


def name(**parts: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NAMES[key], value) for key, value in parts.items()])


def der(
    subject: x509.Name,
    issuer: x509.Name,
    before: datetime = datetime(2020, 1, 1, tzinfo=UTC),
    after: datetime = datetime(2030, 1, 1, tzinfo=UTC),
) -> bytes:
    builder = x509.CertificateBuilder(
        issuer, subject, KEY.public_key(), x509.random_serial_number(), before, after
    )
    return builder.sign(KEY, SHA256()).public_bytes(Encoding.DER)


REAL = der(name(CN="a.invalid"), name(CN="An CA", O="Example"))


@given(
    st.dictionaries(st.sampled_from(sorted(NAMES)), st.text("aé€x, =", min_size=1, max_size=60), min_size=1),
    st.datetimes(datetime(1951, 1, 1), datetime(2048, 1, 1)),
    st.datetimes(datetime(2048, 2, 1), datetime(9000, 1, 1)),
)
def test_names_and_times_are_those_that_were_written(
    parts: dict[str, str], before: datetime, after: datetime
) -> None:
    before, after = (moment.replace(microsecond=0, tzinfo=UTC) for moment in (before, after))

    read = certificate(der(name(CN="a.invalid"), name(**parts), before, after))

    assert read is not None
    assert read.subject == "CN=a.invalid"
    assert read.issuer == ", ".join(f"{key}={parts[key]}" for key in ("O", "OU", "CN") if key in parts)
    assert (read.not_before_s, read.not_after_s) == (before.timestamp(), after.timestamp())


def test_certificate_of_a_ca_is_read_too() -> None:
    read = certificate(ssl.PEM_cert_to_DER_cert(trustme.CA(organization_name="X").cert_pem.bytes().decode()))

    assert read is not None
    assert read.issuer == read.subject
    assert read.issuer.startswith("O=X")


def test_what_could_steer_a_terminal_is_no_part_of_a_name() -> None:
    read = certificate(der(name(CN="a"), name(O="ev\x1b[31mil\n")))

    assert read is not None
    assert read.issuer == "O=ev?[31mil?"


@given(st.binary(max_size=300))
@example(b"")
@example(b"\x30\x80")
@example(REAL[:-1])
def test_bytes_that_are_no_certificate_are_none(data: bytes) -> None:
    assert certificate(data) is None


@given(st.integers(0, len(REAL) - 1), st.integers(0, 255))
def test_damaged_certificate_is_read_or_refused_and_nothing_else(at: int, byte: int) -> None:
    certificate(REAL[:at] + bytes([byte]) + REAL[at + 1 :])


@pytest.mark.parametrize("junk", [b"\0", REAL])
def test_certificate_with_something_behind_it_is_none(junk: bytes) -> None:
    assert certificate(REAL + junk) is None
