"""The functions of CEL. cel-spec: doc/langdef.md, "List of Standard Definitions".

A function takes what steps may be spent, and its arguments; whatever it cannot take is an error.
"""

import functools
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from argocd_provenance.policy.cel.values import CelError, CelType, Duration, Timestamp, checked, kind
from argocd_provenance.regex import regex

Spend = Callable[[int], None]
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_DURATION = regex(r"([+-]?)((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|ms|s|m|h))+")
_PART = regex(r"([0-9]*)\.?([0-9]*)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_OFFSET = regex(r"([+-]?)([0-9]{2}):([0-9]{2})")
_INTEGER = regex(r"[+-]?[0-9]{1,20}")
_DOUBLE = regex(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEGIN, _END = -62135596800 * 10**9, 253402300800 * 10**9 - 1
_LONGEST = 315576000000 * 10**9


def text(value: Any) -> str:
    """`value`, which must be a string."""
    if type(value) is not str:
        raise CelError(f"a string is expected, not {kind(value)}")
    return value


def _size(_: Spend, value: Any) -> int:
    if kind(value) not in ("string", "list", "map"):
        raise CelError(f"{kind(value)} has no size")
    return len(value)


def _in_text(test: Callable[[str, str], bool]) -> Callable[[Spend, Any, Any], bool]:
    def judged(spend: Spend, value: Any, part: Any) -> bool:
        spend(len(text(value)) >> 4)
        return test(value, text(part))

    return judged


def _matches(spend: Spend, value: Any, pattern: Any) -> bool:
    spend((len(text(value)) >> 2) + 8)
    return _expression(text(pattern)).search(value) is not None


@functools.lru_cache(maxsize=256)
def _expression(pattern: str) -> Any:
    import re2  # noqa: PLC0415 - 0.6 MB that an expression without patterns never needs

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise CelError("the pattern is no RE2 expression") from error


def _int(_: Spend, value: Any) -> int:
    match kind(value):
        case "int":
            return int(value)
        case "double":
            if value != value or abs(value) >= 2**63:  # noqa: PLR0124 - not a number
                raise CelError("the number does not fit into 64 bits")
            return int(value)
        case "string":
            if not _INTEGER.fullmatch(value):
                raise CelError("the text is no integer")
            return int(checked(int(value)))
        case "google.protobuf.Timestamp":
            return int(value.nanoseconds // 10**9)
        case other:
            raise CelError(f"{other} is no integer")


def _double(_: Spend, value: Any) -> float:
    match kind(value):
        case "int" | "double":
            return float(value)
        case "string" if _DOUBLE.fullmatch(value):
            return float(value)
        case other:
            raise CelError(f"{other} is no double")


def _string(_: Spend, value: Any) -> str:
    match kind(value):
        case "string":
            return str(value)
        case "int":
            return str(value)
        case "bool":
            return "true" if value else "false"
        case other:
            raise CelError(f"{other} is not written as a text here")


def _bool(_: Spend, value: Any) -> bool:
    if type(value) is bool:
        return value
    for word, wanted in (("1 t T true TRUE True", True), ("0 f F false FALSE False", False)):
        if type(value) is str and value in word.split():
            return wanted
    raise CelError(f"{kind(value)} is no bool")


def _timestamp(_: Spend, value: Any) -> Timestamp:
    match kind(value):
        case "google.protobuf.Timestamp":
            return value  # type: ignore[no-any-return]  # the kind says it
        case "int":
            return bounded(Timestamp(value * 10**9))
        case "string":
            return _read_timestamp(value)
        case other:
            raise CelError(f"{other} is no timestamp")


def _read_timestamp(written: str) -> Timestamp:
    match = _RFC3339.fullmatch(written)
    try:
        moment = datetime.fromisoformat(f"{match[1]}T{match[2]}+00:00") if match else None
    except ValueError:
        moment = None
    if match is None or moment is None:
        raise CelError("the text is no timestamp of RFC 3339")
    offset = 0
    if match[4] != "Z":
        hours, minutes = int(match[4][1:3]), int(match[4][4:])
        if hours > 23 or minutes > 59:
            raise CelError("the text is no timestamp of RFC 3339")
        offset = (hours * 60 + minutes) * (-1 if match[4][0] == "-" else 1)
    seconds = (moment - _EPOCH) // timedelta(seconds=1) - offset * 60
    return bounded(Timestamp(seconds * 10**9 + int((match[3] or "").ljust(9, "0"))))


def bounded(moment: Timestamp) -> Timestamp:
    """`moment`, from the year 1 to 9999."""
    if not _BEGIN <= moment.nanoseconds <= _END:
        raise CelError("the timestamp is out of range")
    return moment


def bounded_span(span: Duration) -> Duration:
    """`span`, of at most some 10,000 years; cel-go keeps it in 64 bits of nanoseconds, some 292 years."""
    if abs(span.nanoseconds) > min(_LONGEST, 2**63 - 1):
        raise CelError("the duration is out of range")
    return span


def _duration(_: Spend, value: Any) -> Duration:
    if type(value) is Duration:
        return value
    written = text(value)
    if len(written) > 64 or not _DURATION.fullmatch(written):
        raise CelError("the text is no duration, such as 36h or 1.5s")
    total = 0
    for whole, fraction, unit in _PART.findall(written):
        total += int(whole or "0") * _UNITS[unit]
        total += int(fraction or "0") * _UNITS[unit] // 10 ** len(fraction)
    return bounded_span(Duration(-total if written.startswith("-") else total))


def _getter(part: Callable[[datetime, Timestamp], int], in_span: int | None = None) -> Callable[..., int]:
    def judged(_: Spend, value: Any, zone: Any = "UTC") -> int:
        if type(value) is Duration and in_span is not None and zone == "UTC":
            span = value.nanoseconds
            whole = abs(span) // in_span * (1 if span >= 0 else -1)
            return whole % 1000 if in_span == 10**6 and span >= 0 else whole
        if type(value) is not Timestamp:
            raise CelError(f"{kind(value)} has no such part")
        moment = _EPOCH + timedelta(seconds=value.nanoseconds // 10**9)
        return part(moment.astimezone(_zone(text(zone))), value)

    return judged


def _zone(name: str) -> timezone:
    if name == "UTC":
        return UTC
    match = _OFFSET.fullmatch(name)
    if match is None or int(match[2]) > 23 or int(match[3]) > 59:
        raise CelError("a time zone is UTC or an offset such as +02:00 here")
    minutes = (int(match[2]) * 60 + int(match[3])) * (-1 if match[1] == "-" else 1)
    return timezone(timedelta(minutes=minutes))


def _dyn(_: Spend, value: Any) -> Any:
    return value


def _type(_: Spend, value: Any) -> CelType:
    return CelType(kind(value))


_PARTS: Mapping[str, Callable[..., Any]] = {
    "getFullYear": _getter(lambda at, _: at.year),
    "getMonth": _getter(lambda at, _: at.month - 1),
    "getDate": _getter(lambda at, _: at.day),
    "getDayOfMonth": _getter(lambda at, _: at.day - 1),
    "getDayOfWeek": _getter(lambda at, _: at.isoweekday() % 7),
    "getDayOfYear": _getter(lambda at, _: at.timetuple().tm_yday - 1),
    "getHours": _getter(lambda at, _: at.hour, 3600 * 10**9),
    "getMinutes": _getter(lambda at, _: at.minute, 60 * 10**9),
    "getSeconds": _getter(lambda at, _: at.second, 10**9),
    "getMilliseconds": _getter(lambda _, said: said.nanoseconds % 10**9 // 10**6, 10**6),
}
GLOBAL: Mapping[str, tuple[tuple[int, ...], Callable[..., Any]]] = {
    "size": ((1,), _size), "matches": ((2,), _matches), "int": ((1,), _int), "double": ((1,), _double),
    "string": ((1,), _string), "bool": ((1,), _bool), "timestamp": ((1,), _timestamp), "duration": ((1,), _duration),
    "dyn": ((1,), _dyn), "type": ((1,), _type),
}  # fmt: skip
"""Functions by name, with how many arguments they take."""
METHODS: Mapping[str, tuple[tuple[int, ...], Callable[..., Any]]] = {
    "size": ((1,), _size),
    "matches": ((2,), _matches),
    "startsWith": ((2,), _in_text(str.startswith)),
    "endsWith": ((2,), _in_text(str.endswith)),
    "contains": ((2,), _in_text(str.__contains__)),
    **{name: ((1, 2), part) for name, part in _PARTS.items()},
}
"""Methods by name, with how many arguments they take, the receiver included."""
TYPES = frozenset({"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"})
