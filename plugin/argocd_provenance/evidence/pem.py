"""PEM (RFC 7468), read strictly: exactly one block of the label asked for, and nothing around it."""

import base64
import binascii

from argocd_provenance.evidence.rejections import Refused
from argocd_provenance.regex import regex

_BLOCK = regex(r"\s*-----BEGIN ([A-Z0-9 ]+)-----\s([A-Za-z0-9+/=\s]+)-----END \1-----\s*")


def labelled(pem: str) -> tuple[str, bytes] | None:
    """Label and content of `pem`; None unless it is exactly one block."""
    block = _BLOCK.fullmatch(pem)
    if block is None:
        return None
    try:
        return block[1], base64.b64decode("".join(block[2].split()), validate=True)
    except binascii.Error:
        return None


def one_block(pem: str, label: str, what: str) -> bytes:
    """The content of the one block of `pem`; raises `Refused`, calling it `what`, where that is not a `label`."""
    block = labelled(pem)
    if block is None or block[0] != label:
        raise Refused("malformed", f"{what} is not exactly one PEM block of type {label}")
    return block[1]
