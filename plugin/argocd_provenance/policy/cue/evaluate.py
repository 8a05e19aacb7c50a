"""A policy held against a statement: what does not fit, and where.

A statement is concrete, so that unifying it with a policy that adds nothing gives the statement or an error. Every field
that the policy constrains must therefore be there (upstream passes a policy whose fields are missing); with `missing_ok`
a missing field passes as upstream, as long as what the policy says of it does not contradict itself.
"""

from collections.abc import Iterator, Mapping
from typing import Any as Anything

from argocd_provenance.policy.cue import builtins
from argocd_provenance.policy.cue.agree import agree
from argocd_provenance.policy.cue.scope import Frame, Scope
from argocd_provenance.policy.cue.syntax import (
    All,
    Any,
    Bound,
    Call,
    Expression,
    Field,
    Guard,
    List,
    Reference,
    Struct,
    Type,
    Value,
)
from argocd_provenance.policy.cue.values import Undecided, bounded, compared, equal, is_a, type_of
from argocd_provenance.policy.cue.words import phrase, shown
from argocd_provenance.records import dataclass, field


@dataclass(frozen=True, slots=True)
class Miss:
    """What does not fit: the path in the statement, what the policy says, what is there."""

    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.path or 'the statement'}: expected {self.expected}, found {self.found}"


@dataclass(slots=True)
class Evaluation:
    """One policy against one statement."""

    scope: Scope
    steps: int = 1_000_000
    """How many nodes are looked at before nothing is decided."""
    absent: dict[str, list[Expression]] = field(default_factory=dict)
    """What is said of fields that are not there and may be missing."""
    optional: dict[str, list[Expression]] = field(default_factory=dict)
    """What is said of optional fields that are not there."""
    counted: bool = False
    """Whether an upper limit on the fields of a struct was met."""

    def misses(self, body: Struct, statement: Mapping[str, Anything]) -> list[Miss]:
        """Everything that does not fit; nothing when the policy holds."""
        try:
            found = list(self._struct(body, statement, "", None))
            if not found:
                found = list(self._contradictions())
        except Undecided as reason:
            found = [Miss("", "a policy that can be decided", str(reason))]
        return found

    def _contradictions(self) -> Iterator[Miss]:
        """What the policy says of missing fields, where no value could fit it, or that is not seen."""
        for path, said in self.absent.items():
            if self.counted or not agree([*said, *self.optional.get(path, ())]):
                yield Miss(path, "a value that is there", "nothing, and what the policy says of it cannot be decided")

    # -- constraints ---------------------------------------------------------------------------------------------------

    def _check(self, expression: Expression, data: Anything, path: str, frame: Frame) -> Iterator[Miss]:
        """What of `data` does not fit `expression`. Raises nothing but `Undecided` for the whole evaluation."""
        self.steps -= 1
        if self.steps < 0:
            raise Undecided("the statement is too large for this policy")
        match expression:
            case Struct():
                if isinstance(data, Mapping):
                    yield from self._struct(expression, data, path, frame)
                else:
                    yield Miss(path, "a struct", shown(data))
            case List():
                yield from self._list(expression, data, path, frame)
            case All():
                for part in expression.parts:
                    yield from self._check(part, data, path, frame)
            case Any():
                yield from self._any(expression, data, path, frame)
            case Reference() if (own := self.scope.own(expression, frame)) is not None:
                yield from self._check(own[0], data, path, own[1])
            case _:
                yield from self._scalar(expression, data, path, frame)

    def _scalar(self, expression: Expression, data: Anything, path: str, frame: Frame) -> Iterator[Miss]:
        try:
            if not self._holds(expression, data, frame):
                yield Miss(path, phrase(expression, self.scope, frame), shown(data))
        except Undecided as reason:
            yield Miss(path, phrase(expression, self.scope, frame), f"{shown(data)} ({reason})")

    def _struct(self, struct: Struct, data: Mapping[str, Anything], path: str, outer: Frame | None) -> Iterator[Miss]:
        frame = Frame(struct, data, outer)
        for member in struct.members:
            match member:
                case Field():
                    yield from self._field(member, data, path, frame)
                case Guard():
                    try:
                        opened = self.scope.boolean(member.condition, frame)
                    except Undecided as reason:
                        yield Miss(path, "an if that can be decided", str(reason))
                        continue
                    if opened:
                        yield from self._struct(member.body, data, path, frame)
                case Struct():
                    yield from self._struct(member, data, path, frame)

    def _field(self, member: Field, data: Mapping[str, Anything], path: str, frame: Frame) -> Iterator[Miss]:
        here = f"{path}.{member.label}" if path else member.label
        if member.hidden:
            return
        if member.label in data:
            yield from self._check(member.value, data[member.label], here, frame)
        elif frame.outer is None and member.label in self.scope.helpers:
            return
        elif member.mark == "?":
            if self.scope.missing_ok:
                self.optional.setdefault(here, []).append(self.scope.plain(member.value, frame))
        elif self.scope.missing_ok:
            self.absent.setdefault(here, []).append(self.scope.plain(member.value, frame))
        else:
            yield Miss(here, phrase(member.value, self.scope, frame), "nothing there")

    def _list(self, wanted: List, data: Anything, path: str, frame: Frame) -> Iterator[Miss]:
        if not isinstance(data, list | tuple):
            yield Miss(path, "a list", shown(data))
            return
        count = len(wanted.items)
        if len(data) < count or (wanted.rest is None and len(data) > count):
            yield Miss(path, f"a list of {count}{' or more' if wanted.rest else ''}", f"a list of {len(data)}")
            return
        for place, item in enumerate(data):
            said = wanted.items[place] if place < count else wanted.rest
            if said is not None:
                yield from self._check(said, item, f"{path}[{place}]", frame)

    def _any(self, wanted: Any, data: Anything, path: str, frame: Frame) -> Iterator[Miss]:
        nearest: list[Miss] = []
        for part in wanted.parts:
            branch = Evaluation(self.scope, self.steps)
            found = list(branch._check(part, data, path, frame))
            self.steps = branch.steps
            if not found and not any(branch._contradictions()):
                for mine, theirs in ((self.absent, branch.absent), (self.optional, branch.optional)):
                    for place, said in theirs.items():
                        mine.setdefault(place, []).extend(said)
                self.counted |= branch.counted
                return
            nearest = found if not nearest or len(found) < len(nearest) else nearest
        yield Miss(path, phrase(wanted, self.scope, frame), shown(data))
        if isinstance(data, Mapping):
            yield from nearest

    def _holds(self, expression: Expression, data: Anything, frame: Frame) -> bool:
        match expression:
            case Value():
                return equal(expression.value, data)
            case Type():
                return is_a(expression.name, data)
            case Bound():
                return bounded(expression.order, self.scope.value(expression.operand, frame), data)
            case Call() if expression.name in builtins.VALIDATORS:
                (argument,) = expression.arguments or ()
                self.counted |= expression.name == "struct.MaxFields"
                return builtins.validated(expression.name, self.scope.value(argument, frame), data)
            case _:
                value = self.scope.value(expression, frame)
                if isinstance(value, Mapping | list | tuple):
                    raise Undecided("structs and lists are not compared here")
                return type_of(value) == type_of(data) and (
                    compared("==", value, data) if value is not None else data is None
                )
