"""JSON and base64 that can be read in one way only.

Law: two readers never disagree about what passed here. No duplicate keys, no byte order mark, no NaN or infinity, no
lone surrogates, no second spelling of the same bytes; and nothing deeper or larger than a signer would write.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from argocd_provenance.evidence.rejections import Refused

MAX_DEPTH = 64
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read(raw: bytes, what: str, limit: int) -> Any:
    """The value that `raw` spells. Refuses what is over `limit` bytes or ambiguous, as `what`."""
    if len(raw) > limit:
        raise Refused("too-large", f"{what} has {len(raw)} bytes, at most {limit} are read")
    try:
        text = raw.decode()
        value = json.loads(
            text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant, parse_float=_finite
        )
    except (ValueError, RecursionError) as fault:
        raise Refused("malformed", f"{what}: {fault or type(fault).__name__}") from None
    # Brackets are an upper bound of the depth, so that ordinary documents are not walked.
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise Refused("too-large", f"{what} is nested deeper than {MAX_DEPTH}")
    if _SURROGATE.search(text) and any(map(_has_surrogate, _strings(value))):
        raise Refused("malformed", f"{what}: half of a surrogate pair")
    return value


def mapping(value: Any, what: str) -> dict[str, Any]:
    """`value`, which must be an object; null members are dropped, as protobuf's JSON reads them."""
    if not isinstance(value, dict):
        raise Refused("malformed", f"{what} is not an object")
    return {name: member for name, member in value.items() if member is not None}


def text(value: Any, what: str) -> str:
    """`value`, which must be a string."""
    if not isinstance(value, str):
        raise Refused("malformed", f"{what} is not a string")
    return value


def sequence(value: Any, what: str) -> list[Any]:
    """`value`, which must be an array."""
    if not isinstance(value, list):
        raise Refused("malformed", f"{what} is not an array")
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


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the key {name[:80]!r} appears twice")
            seen.add(name)
    return result


def _no_constant(spelling: str) -> NoReturn:
    raise ValueError(f"{spelling} is no JSON")


def _finite(spelling: str) -> float:
    number = float(spelling)
    if not math.isfinite(number):
        raise ValueError(f"the number {spelling[:40]} is out of range")
    return number


def _depth(value: Any) -> int:
    """How deep arrays and objects nest in `value`."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [member for item in level for member in (item.values() if isinstance(item, dict) else item)]
    return depth


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from _strings(member)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _has_surrogate(string: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in string)
