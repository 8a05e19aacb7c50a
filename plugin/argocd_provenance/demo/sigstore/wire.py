"""How bytes are written: base64, canonical JSON, times of a trusted root, and a few lines of DER."""

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SEQUENCE, SET, INTEGER, OCTET_STRING, NULL, OBJECT_ID, UTF8_STRING, GENERALIZED_TIME = (
    0x30,
    0x31,
    0x02,
    0x04,
    0x05,
    0x06,
    0x0C,
    0x18,
)


def b64(content: bytes) -> str:
    """`content` in padded standard base64."""
    return base64.b64encode(content).decode()


def encode(value: Any) -> bytes:
    """`value` as JSON, as people's tools write it."""
    return json.dumps(value, separators=(",", ":")).encode()


def canonical(value: Any) -> bytes:
    """`value` as canonical JSON (RFC 8785, as far as log entries need it)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(content: bytes) -> bytes:
    """The raw SHA-256 of `content`."""
    return hashlib.sha256(content).digest()


def sha256_text(content: bytes) -> str:
    """The digest of `content` as OCI writes it."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def window(start: datetime, end: datetime | None = None) -> dict[str, str]:
    """A ``validFor`` of a trusted root."""
    spelled = {"start": start, "end": end}
    return {name: f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for name, time in spelled.items() if time is not None}


def spki(key: PublicKeyTypes) -> bytes:
    """`key` as DER SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def der(certificate: x509.Certificate) -> bytes:
    """`certificate` as DER."""
    return certificate.public_bytes(Encoding.DER)


def tlv(tag: int, *parts: bytes) -> bytes:
    """One DER element: tag, length, and the content in `parts`."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def object_id(dotted: str) -> bytes:
    """A DER OBJECT IDENTIFIER."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    encoded = bytes([first * 40 + second])
    for arc in rest:
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7F)
        encoded += bytes(reversed(groups))
    return tlv(OBJECT_ID, encoded)


def integer(value: int) -> bytes:
    """A DER INTEGER that is not negative."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def utf8(text: str) -> bytes:
    """A DER UTF8String."""
    return tlv(UTF8_STRING, text.encode())
