"""The values of CEL as values of Python, and what is equal to what. cel-spec: doc/langdef.md, "Values", "Equality".

null is None; bool, double and string are Python's; int is Python's within 64 bits; list and map are what JSON gives. A
Python bool is an int and True == 1, so that every comparison here looks at the kind first.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from argocd_provenance.records import dataclass

LOW, HIGH = -(2**63), 2**63 - 1


class CelError(Exception):
    """What goes wrong while an expression is judged, as the specification's errors do."""


class OutOfStepsError(Exception):
    """The expression takes more steps than any policy needs. No operator passes over it, for it is no error of CEL."""


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """Nanoseconds since 1970-01-01T00:00:00Z."""

    nanoseconds: int


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span in nanoseconds."""

    nanoseconds: int


@dataclass(frozen=True, slots=True)
class CelType:
    """A type as a value: what ``type(x)`` gives."""

    name: str


_KINDS: dict[type, str] = {
    bool: "bool", int: "int", float: "double", str: "string", type(None): "null_type", list: "list", tuple: "list",
    dict: "map", CelType: "type", Timestamp: "google.protobuf.Timestamp", Duration: "google.protobuf.Duration",
}  # fmt: skip
_NUMBERS = frozenset({"int", "double"})
_ORDERED = frozenset({"bool", "string", "google.protobuf.Timestamp", "google.protobuf.Duration"})


def kind(value: Any) -> str:
    """The name of the type of `value`."""
    found = _KINDS.get(type(value))
    if found is not None:
        return found
    if isinstance(value, Mapping):
        return "map"
    raise CelError(f"a value of type {type(value).__name__} is none of CEL's")


def checked(value: Any) -> Any:
    """`value`, which came from evidence or out of arithmetic: an integer must have 64 bits."""
    if type(value) is int and not LOW <= value <= HIGH:
        raise CelError("an integer does not fit into 64 bits")
    return value


def equal(one: Any, other: Any, spend: Callable[[int], None]) -> bool:
    """Whether two values are equal: numbers by their value, others of different types never."""
    spend(1)
    left, right = kind(one), kind(other)
    if left != right:
        return left in _NUMBERS and right in _NUMBERS and bool(one == other)
    if left == "list":
        return len(one) == len(other) and all(equal(a, b, spend) for a, b in zip(one, other, strict=True))
    if left == "map":
        return len(one) == len(other) and all(
            (place := find(other, key)) is not MISSING and equal(value, place, spend) for key, value in one.items()
        )
    if left == "string":
        spend(len(one) >> 4)
    return bool(one == other)


class _Missing:
    """No value at all."""


MISSING = _Missing()


def find(mapping: Mapping[Any, Any], key: Any) -> Any:
    """The value under `key`, or `MISSING`; True is not the key 1, while 1.0 is."""
    found = mapping.get(key, MISSING)
    if found is MISSING or type(key) is str:
        return found
    boolean = type(key) is bool
    return next((value for name, value in mapping.items() if name == key and (type(name) is bool) == boolean), MISSING)


def ordered(one: Any, other: Any) -> None:
    """Raise `CelError` unless one of the two can be before the other."""
    left, right = kind(one), kind(other)
    if not (left in _NUMBERS and right in _NUMBERS) and not (left == right and left in _ORDERED):
        raise CelError(f"{left} and {right} have no order")


def nodes(value: Any) -> int:
    """How many steps it takes to walk `value` once, roughly: for lists and maps their length."""
    return len(value) if isinstance(value, Sequence | Mapping) else 1
