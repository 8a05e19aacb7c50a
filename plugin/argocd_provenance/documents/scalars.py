"""What a plain scalar is, by the rules of go-yaml v2, which Argo CD reads with.

Source: go.yaml.in/yaml/v2 ``resolve.go`` and sigs.k8s.io/yaml ``convertToJSONableObject``. These rules are neither YAML
1.1's nor 1.2's: ``y``, ``on``, ``0o17``, ``1e3`` and ``1_000`` are no text, ``190:20`` and dates are.
"""

import math
import re
from typing import Final

from argocd_provenance.regex import regex

Plain = str | int | float | bool | None

_WORDS: Final[dict[str, Plain]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_NUMERIC_START = frozenset("+-.0123456789")
_DECIMAL = regex(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_BASED = regex(r"([-+]?)0(?:[xX]([0-9a-fA-F]+)|[bB]([01]+)|[oO]?([0-7]+))", re.ASCII)
_LOOSE_BINARY = regex(r"0b([-+][01]+)", re.ASCII)
_FLOAT = regex(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_INT64_MIN, _UINT64_MAX = -(2**63), 2**64 - 1

# Raw, libyaml refuses these or breaks a line at them; as \uXXXX they are read. No surrogate pairs: go-yaml refuses those.
_TO_ESCAPE = regex("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def plain(text: str) -> Plain:
    """The value of the plain scalar `text`."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC_START:
        return text
    if text[0] == ".":
        return _float(text, text)
    digits = text.replace("_", "")
    number = _integer(digits)
    return number if number is not None else _float(digits, text)


def _integer(digits: str) -> int | None:
    if _DECIMAL.fullmatch(digits):
        # Longer than any 64-bit number; int() of very long texts is slow, and refused by Python.
        number = int(digits) if len(digits) <= 21 else _UINT64_MAX + 1
    elif match := _BASED.fullmatch(digits):
        sign, hexadecimal, binary, octal = match.groups()
        number = int(hexadecimal, 16) if hexadecimal else int(binary, 2) if binary else int(octal, 8)
        number = -number if sign == "-" else number
    elif match := _LOOSE_BINARY.fullmatch(digits):
        number = int(match[1], 2)
    else:
        return None
    return number if _INT64_MIN <= number <= _UINT64_MAX else None


def _float(digits: str, text: str) -> float | str:
    if not _FLOAT.fullmatch(digits):
        return text
    number = float(digits)
    return text if math.isinf(number) else number


def json_text(value: object, *, sort_keys: bool = False) -> str:
    """`value` as one line of JSON that go-yaml reads as the same value."""
    import json  # noqa: PLC0415 - for documents with images

    compact = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=sort_keys)
    return _TO_ESCAPE.sub(lambda found: f"\\u{ord(found[0]):04x}", compact)
