"""JSON of strangers: read one way only, or refused.

Python's reader keeps the last of two equal keys, takes ``NaN`` and reads numbers of any length; another program may not.
"""

import json
from typing import Any, NoReturn

# RFC 8259 section 6 leaves precision to the reader; no field of ours needs more than 64 bits.
_DIGITS = 20


class NotJSONError(ValueError):
    """The bytes are not JSON that every reader reads alike."""


def read_object(content: bytes) -> dict[str, Any]:
    """The JSON object that `content` is. Raises `NotJSONError`: duplicate keys, NaN, huge numbers, bad UTF-8, too deep."""
    try:
        value = json.loads(
            content.decode("utf-8", "strict"),
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_int=_integer,
            parse_float=_float,
        )
    except RecursionError:
        raise NotJSONError("nested too deeply") from None
    except UnicodeDecodeError:
        raise NotJSONError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise NotJSONError(f"not JSON: {error.msg} at byte {error.pos}") from None
    if not isinstance(value, dict):
        raise NotJSONError("not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotJSONError("a key stands twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise NotJSONError(f"{constant} is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise NotJSONError("a number is too long")
    return int(digits)


def _float(digits: str) -> float:
    if len(digits) > 4 * _DIGITS:
        raise NotJSONError("a number is too long")
    return float(digits)
