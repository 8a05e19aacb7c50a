"""JSON of strangers that can be read in one way only: the one reader for what a registry sends and what is signed.

Law: two readers never disagree about what passed here. Python's own keeps the last of two equal keys, takes ``NaN``, and
makes infinity of ``1e999`` and half a character of an escaped surrogate; another program may not.
"""

import math
from collections.abc import Iterator
from typing import Any, NoReturn

from argocd_provenance.regex import regex

MAX_DEPTH = 64
MAX_VALUES = 1_000_000
"""Members of arrays and objects. Sixteen MiB of ``[],`` would be a gigabyte of Python; no SBOM of that size has so many."""
_SURROGATE = regex(r"\\u[dD][89a-fA-F]")


class NotJSONError(ValueError):
    """The bytes are not JSON that every reader reads alike."""


class TooDeepError(NotJSONError):
    """Arrays and objects nest deeper than anybody writes."""


def read(content: bytes) -> Any:
    """The value that `content` spells.

    Raises `NotJSONError` for duplicate keys, NaN, infinity, bad UTF-8, half a surrogate pair and a number longer than
    Python reads; `TooDeepError` beyond 64 levels or a million values.
    """
    if content.count(b",") + content.count(b"[") + content.count(b"{") > MAX_VALUES:
        raise TooDeepError(f"more than {MAX_VALUES} values")
    import json  # noqa: PLC0415 - which a run without images does without

    try:
        text = content.decode()
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise TooDeepError(f"nested deeper than {MAX_DEPTH}") from None
    except UnicodeDecodeError as error:
        raise NotJSONError(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise NotJSONError(f"not JSON: {error.msg.removesuffix(' at')} at byte {error.pos}") from None
    except NotJSONError:
        raise
    except ValueError:  # `int` of thousands of digits
        raise NotJSONError("a number is too long") from None
    # Brackets are an upper bound of the depth, so that ordinary documents are not walked.
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise TooDeepError(f"nested deeper than {MAX_DEPTH}")
    if _SURROGATE.search(text) and any(map(_has_surrogate, _strings(value))):
        raise NotJSONError("half of a surrogate pair")
    return value


def read_object(content: bytes) -> dict[str, Any]:
    """The JSON object that `content` is; `NotJSONError` as `read`, and for any other value."""
    value = read(content)
    if not isinstance(value, dict):
        raise NotJSONError("not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise NotJSONError(f"the key {name[:80]!r} stands twice")
            seen.add(name)
    return found


def _refuse(constant: str) -> NoReturn:
    raise NotJSONError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise NotJSONError(f"the number {digits[:40]} is out of range")
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
