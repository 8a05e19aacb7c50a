"""Fields of signed JSON, and base64, that can be read in one way only; the JSON itself is `oci.strictjson`'s.

Law: what is not spelled exactly as its format says is refused, never guessed.
"""

import base64
import binascii
from typing import Any

from argocd_provenance.evidence.rejections import Refused
from argocd_provenance.oci.strictjson import NotJSONError, TooDeepError
from argocd_provenance.oci.strictjson import read as _read


def read(raw: bytes, what: str, limit: int) -> Any:
    """The value that `raw` spells. Refuses what is over `limit` bytes or ambiguous, as `what`."""
    if len(raw) > limit:
        raise Refused("too-large", f"{what} has {len(raw)} bytes, at most {limit} are read")
    try:
        return _read(raw)
    except TooDeepError as fault:
        raise Refused("too-large", f"{what}: {fault}") from None
    except NotJSONError as fault:
        raise Refused("malformed", f"{what}: {fault}") from None


def mapping(value: Any, what: str) -> dict[str, Any]:
    """`value`, which must be an object; null members are dropped, as protobuf's JSON reads them."""
    if not isinstance(value, dict):
        raise Refused("malformed", f"{what} is {'missing' if value is None else 'not an object'}")
    return {name: member for name, member in value.items() if member is not None}


def text(value: Any, what: str) -> str:
    """`value`, which must be a string."""
    if not isinstance(value, str):
        raise Refused("malformed", f"{what} is {'missing' if value is None else 'not a string'}")
    return value


def sequence(value: Any, what: str) -> list[Any]:
    """`value`, which must be an array."""
    if not isinstance(value, list):
        raise Refused("malformed", f"{what} is {'missing' if value is None else 'not an array'}")
    return value


def decoded(value: Any, what: str) -> bytes:
    """The bytes that `value` spells in standard base64, padded, with nothing left over."""
    spelled = text(value, what)
    try:
        content = base64.b64decode(spelled, validate=True)
    except (binascii.Error, ValueError) as fault:
        raise Refused("malformed", f"{what}: {fault}") from None
    if base64.b64encode(content).decode() != spelled:
        raise Refused("malformed", f"{what} is not canonical base64")
    return content
