"""The strict reader of an operator's YAML files: config and policies.

All faults of a file are collected and raised at once, each as ``FILE:LINE: path: what is wrong and what is right``.
What a field means is read one way only: no anchors, no aliases, no tags, no merge keys, no duplicate keys, and no field
that nobody reads. Structure comes from libyaml, as Argo CD's reader is a port of it.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NoReturn, TypeVar

import yaml
from yaml import events
from yaml._yaml import CParser

from argocd_provenance.errors import FileFaults
from argocd_provenance.records import dataclass, field
from argocd_provenance.regex import regex

# No config or policy that people write comes near these; a larger one would be read for a second, or is a mistake.
_MAX_CHARACTERS = 512 * 1024
_TOO_LONG = (
    f"holds {{}} characters, and a file of more than {_MAX_CHARACTERS} is not read; split a policy file between two documents "
    "(at ---) into several files, and name each of them, or their folder, under `policies` in the config"
)
_MAX_DEPTH = 32

_Choice = TypeVar("_Choice", bound=str)

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
# What some YAML reader takes for a boolean. Only true and false are accepted as one, and none of them as text.
_BOOLEANS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n"})
_NUMBERS_BEGIN = frozenset("+-.0123456789")
_NUMBER = regex(
    r"[-+]?(0[xob][0-9a-f_]+|[0-9][0-9_]*(\.[0-9_]*)?(e[-+]?[0-9]+)?|\.[0-9]+(e[-+]?[0-9]+)?|\.inf)|\.nan",
    re.IGNORECASE,
)
_DATE = regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DURATION = regex(r"([1-9][0-9]{0,8})(ms|s|m|h|d)")
# A line of YAML with its break, as libyaml counts them.
_LINE = regex("[^\r\n\x85\u2028\u2029]*(?:\r\n|[\r\n\x85\u2028\u2029])|[^\r\n\x85\u2028\u2029]+")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar as written; `plain` when it stands without quotes, so that its form may mean a type."""

    text: str
    plain: bool


@dataclass(slots=True)
class Faults:
    """The faults found so far in one file, or in several that are reported together."""

    found: list[tuple[str, int, str]] = field(default_factory=list)

    def add(self, file: str, line: int, message: str) -> None:
        """Record that at `line` of `file` something is wrong."""
        self.found.append((file, line, f"{file}:{line}: {message}"))

    def texts(self) -> tuple[str, ...]:
        """All faults, in the order of their lines, each once."""
        return tuple(dict.fromkeys(text for _, _, text in sorted(self.found)))

    def raise_any(self) -> None:
        """Raise `FileFaults` with all faults, if there are any."""
        if self.found:
            raise FileFaults(self.texts())


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a file, and where it stands.

    The accessors report what is wrong into `faults` and return an empty value then; `Faults.raise_any` must be called
    before anything that they returned is used.
    """

    file: str
    line: int
    path: str
    value: "Scalar | Mapping[str, Field] | tuple[Field, ...]"
    faults: Faults
    document: str = ""
    """``document 2: `` when the file holds several, else empty."""

    def fault(self, message: str) -> None:
        """Report that this field is wrong."""
        place = f"{self.path}: " if self.path else ""
        self.faults.add(self.file, self.line, f"{self.document}{place}{message}")

    @property
    def is_null(self) -> bool:
        """Whether nothing stands here."""
        return isinstance(self.value, Scalar) and self.value.plain and self.value.text in _NULL

    def mapping(self, known: Collection[str] | None, required: Collection[str] = ()) -> "Mapping[str, Field]":
        """The fields of a mapping; any that is not `known` (None: all are) is a fault, and so is a missing one."""
        if not isinstance(self.value, Mapping):
            self.fault(f"is {self._what()}; it must be a mapping")
            return {}
        unknown = self.value.keys() - set(known) if known is not None else frozenset()
        for name in unknown:
            self.value[name].fault(_unknown(name, known or ()))
        for name in sorted(set(required) - self.value.keys()):
            self.fault(f"{name} is missing")
        return {name: one for name, one in self.value.items() if name not in unknown} if unknown else self.value

    def sequence(self, *, empty: bool = True) -> "tuple[Field, ...]":
        """The items of a list; unless `empty` is allowed, at least one."""
        if not isinstance(self.value, tuple):
            self.fault(f"is {self._what()}; it must be a list")
            return ()
        if not self.value and not empty:
            self.fault("is an empty list; it must have at least one entry")
        return self.value

    def text(self, *, empty: bool = False) -> str:
        """A text. What a YAML reader could take for another type must stand in quotes."""
        if not isinstance(self.value, Scalar) or self.is_null:
            self.fault(f"is {self._what()}; it must be a text")
            return ""
        if self.value.plain and (_is_boolean(self.value.text) or _is_number(self.value.text)):
            self.fault(f"{self.value.text} is {self._what()}; put it in quotes if it is meant as text")
            return ""
        if not self.value.text and not empty:
            self.fault("is an empty text")
        return self.value.text

    def texts(self, *, empty: bool = True) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(item.text() for item in self.sequence(empty=empty))

    def choice(self, options: Sequence[_Choice]) -> _Choice:
        """A text that is one of `options`; the first of them after a fault."""
        for option in options:
            if isinstance(self.value, Scalar) and self.value.text == option:
                return option
        written = f"{self.value.text!r}" if isinstance(self.value, Scalar) and not self.is_null else self._what()
        self.fault(f"is {written}; it must be {_either(options)}{_meant(self._written(), options)}")
        return options[0]

    def boolean(self) -> bool:
        """A boolean: ``true`` or ``false``, without quotes."""
        if isinstance(self.value, Scalar) and self.value.plain and self.value.text in {"true", "false"}:
            return self.value.text == "true"
        written = self._written()
        self.fault(
            f"is {written!r}; it must be true or false" if written else f"is {self._what()}; it must be true or false"
        )
        return False

    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        if (
            isinstance(self.value, Scalar)
            and self.value.plain
            and re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", self.value.text)
        ):
            number = int(self.value.text)
            if low <= number <= high:
                return number
        self.fault(f"is {self._written() or self._what()}; it must be a whole number from {low} to {high}")
        return low

    def date(self) -> date:
        """A day as ``2027-01-31``."""
        written = self._written()
        try:
            if _DATE.fullmatch(written):
                return date.fromisoformat(written)
        except ValueError:
            pass  # a day that no calendar has
        self.fault(f"is {written or self._what()}; it must be a day such as 2027-01-31")
        return date.min

    def duration(self) -> float:
        """Seconds, from ``500ms``, ``40s``, ``5m``, ``24h`` or ``90d``."""
        match = _DURATION.fullmatch(self._written())
        if match is not None:
            return int(match[1]) * _SECONDS[match[2]]
        self.fault(f"is {self._written() or self._what()}; it must be a number with its unit: 40s, 5m, 24h or 90d")
        return 0.0

    def plain_values(self) -> Any:
        """The value as ordinary data, with every scalar as text; for what is carried and not understood."""
        if isinstance(self.value, Mapping):
            return {name: item.plain_values() for name, item in self.value.items()}
        if isinstance(self.value, tuple):
            return [item.plain_values() for item in self.value]
        return self.value.text

    def _written(self) -> str:
        return self.value.text if isinstance(self.value, Scalar) else ""

    def _what(self) -> str:
        if isinstance(self.value, Mapping):
            return "a mapping"
        if isinstance(self.value, tuple):
            return "a list"
        if self.is_null:
            return "empty"
        if self.value.plain and _is_boolean(self.value.text):
            return "a boolean"
        return "a number" if self.value.plain and _is_number(self.value.text) else "a text"


def documents(file: str, text: str, faults: Faults) -> tuple[Field, ...]:
    """The documents of an operator's file that hold something; none is a fault, and so is what is not strict YAML."""
    if len(text) > _MAX_CHARACTERS:
        faults.add(file, 1, _TOO_LONG.format(len(text)))
        return ()
    try:
        roots = _Builder(file, faults).documents(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        faults.add(file, mark.line + 1 if mark else 1, f"is no YAML: {getattr(error, 'problem', None) or error}")
        return ()
    if not roots and not any(name == file for name, _, _ in faults.found):
        faults.add(file, 1, "the file is empty; an empty file decides nothing")
    return roots


def document_text(text: str, line: int) -> str:
    """The document of a file's `text` that holds `line` (from 1), on the lines on which it stands: what is before is blank."""
    starts = [_line_of(event) for event in _events(text) if isinstance(event, events.DocumentStartEvent)]
    first = max((start for start in starts if start < line), default=0)
    following = min((start for start in starts if start >= line), default=None)
    lines = _LINE.findall(text)
    return "\n" * first + "".join(lines[first:following])


def _line_of(event: Any) -> int:
    return int(event.start_mark.line)


class _Builder:
    """Fields from libyaml's events."""

    def __init__(self, file: str, faults: Faults) -> None:
        self.file, self.faults = file, faults
        self.document = ""

    def documents(self, text: str) -> tuple[Field, ...]:
        # Read twice, for documents are numbered where there are several: events that were kept would cost more to collect.
        starts = sum(type(event) is events.DocumentStartEvent for event in _events(text))
        stream = _events(text)
        found: list[Field] = []
        for event in stream:
            if isinstance(event, events.DocumentStartEvent):
                self.document = f"document {len(found) + 1}: " if starts > 1 else ""
                if event.version or event.tags:
                    self._refuse(event, "", "YAML directives are not read here; remove the line")
                root = self._node(next(stream), stream, "", 0)
                if not root.is_null:
                    found.append(root)
        return tuple(found)

    def _node(self, event: Any, stream: Iterator[Any], path: str, depth: int, key: Any = None) -> Field:
        """The node that `event` begins; it stands where its `key` does, if it has one."""
        if depth > _MAX_DEPTH:
            self._stop(event, path, f"is nested deeper than {_MAX_DEPTH} levels")
        kind, place = type(event), key or event
        if kind is events.AliasEvent:
            self._refuse(event, path, f"the alias *{event.anchor} is not read here; write the value out")
            return self._field(place, path, Scalar("", plain=False))
        if event.anchor is not None:
            self._refuse(
                event, path, f"the anchor &{event.anchor} is not read here; write each value where it is meant"
            )
        if event.tag is not None:
            self._refuse(event, path, f"the tag {event.tag} is not read here; remove it")
        if kind is events.ScalarEvent:
            return self._field(place, path, Scalar(event.value, plain=not event.style))
        inner: Callable[..., Any] = self._mapping if kind is events.MappingStartEvent else self._sequence
        return self._field(place, path, inner(stream, path, depth + 1))

    def _mapping(self, stream: Iterator[Any], path: str, depth: int) -> Mapping[str, Field]:
        found: dict[str, Field] = {}
        for event in stream:
            if type(event) is events.MappingEndEvent:
                break
            if type(event) is not events.ScalarEvent:
                self._stop(event, path, "a key must be a text")
            name = event.value
            place = self._node(next(stream), stream, f"{path}.{name}" if path else name, depth, event)
            if event.anchor is not None or event.tag is not None:
                place.fault("a key takes neither an anchor nor a tag; remove it")
            if name == "<<" and not event.style:
                place.fault("merge keys are not read here; write the fields out")
            elif name in found:
                place.fault(f"stands twice, first in line {found[name].line}; keep one")
            else:
                found[name] = place
        return found

    def _sequence(self, stream: Iterator[Any], path: str, depth: int) -> tuple[Field, ...]:
        found: list[Field] = []
        for event in stream:
            if type(event) is events.SequenceEndEvent:
                break
            found.append(self._node(event, stream, f"{path}[{len(found)}]", depth))
        return tuple(found)

    def _field(self, event: Any, path: str, value: Any) -> Field:
        return Field(self.file, event.start_mark.line + 1, path, value, self.faults, self.document)

    def _refuse(self, event: Any, path: str, message: str) -> None:
        self._field(event, path, ()).fault(message)

    def _stop(self, event: Any, path: str, message: str) -> NoReturn:
        raise yaml.YAMLError(f"line {event.start_mark.line + 1}: {path}: {message}")


def _events(text: str) -> Iterator[Any]:
    # None stands after the end of the stream.
    return iter(CParser(text).get_event, None)


def _is_boolean(text: str) -> bool:
    return text.lower() in _BOOLEANS


def _is_number(text: str) -> bool:
    return text[:1] in _NUMBERS_BEGIN and bool(_NUMBER.fullmatch(text))


def _unknown(name: str, known: Collection[str]) -> str:
    return f"there is no such field{_meant(name, known) or '; known here: ' + ', '.join(sorted(known))}"


def _meant(name: str, options: Collection[str]) -> str:
    import difflib  # noqa: PLC0415 - for who mistyped

    folded = {option.lower(): option for option in options}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[close[0]]}?" if close else ""


def _either(options: Sequence[str]) -> str:
    return options[0] if len(options) == 1 else f"{', '.join(options[:-1])} or {options[-1]}"
