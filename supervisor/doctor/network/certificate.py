"""Reads who issued a certificate, from its bytes.

Python shows the contents of a certificate only once it has verified it, and the doctor needs those of the others. The
fields stand near the beginning of a fixed structure, RFC 5280 section 4.1:

    Certificate ::= SEQUENCE { tbsCertificate, ... }
    tbsCertificate ::= SEQUENCE { [0] version OPTIONAL, serialNumber, signature, issuer, validity, subject, ... }
    Name ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value }
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from supervisor.doctor.network.observation import Certificate

_SEQUENCE, _SET, _VERSION = 0x30, 0x31, 0xA0
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_BMP_STRING = 0x1E
_ATTRIBUTES = {b"\x55\x04\x03": "CN", b"\x55\x04\x0a": "O", b"\x55\x04\x0b": "OU"}  # 2.5.4.3, .10, .11
_ORDER = ("O", "OU", "CN")
_LONGEST = 200


def certificate(der: bytes) -> Certificate | None:
    """What a certificate says; None if the bytes are not a certificate."""
    try:
        ((_, outer),) = _values(der)
        (_, inner), *_ = _values(outer)
        fields = list(_values(inner))
        if fields[0][0] == _VERSION:
            del fields[0]
        _serial, _signature, (_, issuer), (_, validity), (_, subject), *_ = fields
        (before, after) = map(_seconds, _values(validity))
        return Certificate(_name(subject), _name(issuer), before, after)
    except (ValueError, IndexError, OverflowError):
        return None


def _values(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The (tag, content) of each value in `data`, X.690 section 8.1. Raises ValueError, IndexError."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length > 0x80:
            octets = length & 0x7F
            length, at = int.from_bytes(data[at : at + octets], "big"), at + octets
        elif length == 0x80:
            raise ValueError("DER has no values of indefinite length")
        if at + length > len(data):
            raise ValueError("a value is longer than the one around it")
        yield tag, data[at : at + length]
        at += length


def _name(data: bytes) -> str:
    """Organisation, unit and common name, in this order. Of several the last one."""
    found: dict[str, str] = {}
    for _, group in _values(data):
        for _, pair in _values(group):
            (_, kind), (tag, value) = _values(pair)
            if kind in _ATTRIBUTES:
                found[_ATTRIBUTES[kind]] = _text(tag, value)
    return ", ".join(f"{key}={found[key]}" for key in _ORDER if key in found)[:_LONGEST]


def _text(tag: int, value: bytes) -> str:
    text = value.decode("utf-16-be" if tag == _BMP_STRING else "utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)


def _seconds(value: tuple[int, bytes]) -> float:
    """A time in UTC. RFC 5280 writes YYMMDDHHMMSSZ until 2049, and four digits of the year from then on."""
    tag, content = value
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("20" if text[:2] < "50" else "19") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("unknown kind of time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
