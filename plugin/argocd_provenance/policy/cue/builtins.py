"""The builtins that are read: constants, functions of values, and validators.

cue: pkg/time, pkg/list, pkg/struct, pkg/strings.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from argocd_provenance.policy.cue.syntax import Number
from argocd_provenance.policy.cue.values import Undecided, type_of
from argocd_provenance.regex import regex

CONSTANTS: Mapping[str, str] = {
    "time.RFC3339": "2006-01-02T15:04:05Z07:00",
    "time.RFC3339Nano": "2006-01-02T15:04:05.999999999Z07:00",
}
FUNCTIONS: Mapping[str, int] = {"len": 1, "time.Parse": 2}
"""Functions of values, by the number of their arguments."""

_MAX_HOUR, _MAX_MINUTE = 23, 59
_TIME = regex(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)


VALIDATORS: Mapping[str, tuple[str, str, Callable[[Any, Any], bool]]] = {
    "list.MinItems": ("list", "number", lambda value, limit: len(value) >= limit),
    "list.MaxItems": ("list", "number", lambda value, limit: len(value) <= limit),
    "struct.MinFields": ("struct", "number", lambda value, limit: len(value) >= limit),
    "struct.MaxFields": ("struct", "number", lambda value, limit: len(value) <= limit),
    "strings.MinRunes": ("string", "number", lambda value, limit: len(value) >= limit),
    "strings.MaxRunes": ("string", "number", lambda value, limit: len(value) <= limit),
    "strings.HasPrefix": ("string", "string", lambda value, part: value.startswith(part)),
    "strings.HasSuffix": ("string", "string", lambda value, part: value.endswith(part)),
    "strings.Contains": ("string", "string", lambda value, part: part in value),
}
"""What a value must be of, what the argument must be of, and when it holds."""


def known(name: str, arguments: int) -> str:
    """Why ``name(…)`` with so many arguments is not read; empty where it is."""
    if name in VALIDATORS:
        return "" if arguments == 1 else f"{name} is read with one argument, as a constraint"
    if name in FUNCTIONS:
        return "" if arguments == FUNCTIONS[name] else f"{name} takes {FUNCTIONS[name]} arguments"
    return f"the function {name} is not read here; known are {', '.join(sorted({*VALIDATORS, *FUNCTIONS}))}"


def call(name: str, arguments: tuple[Any, ...]) -> Any:
    """The value of a function. Raises `Undecided`."""
    if name == "len":
        if isinstance(arguments[0], Mapping | list | tuple):
            return len(arguments[0])
        if isinstance(arguments[0], str):
            return len(arguments[0].encode())
        raise Undecided(f"len of a {type_of(arguments[0])}")
    layout, text = arguments
    if not isinstance(layout, str) or not isinstance(text, str) or layout not in CONSTANTS.values():
        raise Undecided("time.Parse is read with time.RFC3339 or time.RFC3339Nano, and a text")
    return instant(text)


def validated(name: str, limit: Any, value: Any) -> bool:
    """Whether `value` passes the validator. Raises `Undecided` where its argument is of no use."""
    of, wanted, holds = VALIDATORS[name]
    if type_of(limit) != wanted:
        raise Undecided(f"{name} takes a {wanted}")
    if isinstance(limit, Number):
        if not limit.whole or limit.amount < 0:
            raise Undecided(f"{name} takes a whole number from 0")
        limit = int(limit.amount)
    elif wanted == "number" and not isinstance(limit, int):
        raise Undecided(f"{name} takes a whole number")
    return type_of(value) == of and holds(value, limit)


def instant(text: str) -> str:
    """What ``time.Parse`` makes of an RFC 3339 time: the same instant in UTC, as RFC 3339 with the digits it needs.

    Go's ``time.Parse`` takes a fraction whether the layout has one or not. Raises `Undecided`.
    """
    match = _TIME.fullmatch(text)
    fault = Undecided(f"{text[:60]!r} is no time such as 2024-01-31T00:00:00Z")
    if match is None or int(match[9] or 0) > _MAX_HOUR or int(match[10] or 0) > _MAX_MINUTE:
        raise fault
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    offset = timedelta(hours=int(match[9] or 0), minutes=int(match[10] or 0))
    try:
        time = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        time = time + offset if match[8] == "-" else time - offset
    except (ValueError, OverflowError):
        raise fault from None
    fraction = (match[7] or "").rstrip("0")
    return f"{time.replace(tzinfo=None).isoformat()}{'.' + fraction if fraction else ''}Z"
