"""What names of a policy stand for while it is held against a statement, and the values of expressions."""

from collections.abc import Mapping
from typing import Any as Anything

from argocd_provenance.policy.cue import builtins
from argocd_provenance.policy.cue.syntax import (
    All,
    Bound,
    Call,
    Compared,
    Expression,
    Logic,
    Reference,
    Struct,
    Value,
)
from argocd_provenance.policy.cue.values import Undecided, compared
from argocd_provenance.records import dataclass

_MISSING = object()
_MAX_REFERENCES = 16


@dataclass(frozen=True, slots=True)
class Frame:
    """A struct literal of the policy, and the part of the statement that it is held against."""

    struct: Struct
    data: Mapping[str, Anything]
    outer: "Frame | None"


@dataclass(frozen=True, slots=True)
class Scope:
    """How names are read. `helpers` are the policy's own fields; with `missing_ok` fields may be missing."""

    helpers: frozenset[str]
    missing_ok: bool

    def value(self, expression: Expression, frame: Frame, depth: int = 0) -> Anything:
        """The value of `expression`. Raises `Undecided` where it has none."""
        if depth > _MAX_REFERENCES:
            raise Undecided("the policy refers to itself")
        match expression:
            case Value():
                return expression.value
            case Reference():
                return self._referred(expression, frame, depth + 1)
            case Call() if expression.name in builtins.FUNCTIONS:
                arguments = tuple(self.value(argument, frame, depth + 1) for argument in expression.arguments or ())
                if expression.name == "len" and self.missing_ok and isinstance(arguments[0], Mapping):
                    raise Undecided("the fields of a struct are not counted where some may be missing")
                return builtins.call(expression.name, arguments)
            case Compared() | Logic():
                return self.boolean(expression, frame, depth + 1)
            case _:
                raise Undecided("it has no value")

    def boolean(self, expression: Expression, frame: Frame, depth: int = 0) -> bool:
        """The boolean that `expression` is. Raises `Undecided`."""
        match expression:
            case Compared():
                left = self.value(expression.left, frame, depth + 1)
                return compared(expression.order, left, self.value(expression.right, frame, depth + 1))
            case Logic():
                # All of them: what cannot be decided is not hidden by what can.
                said = [self.boolean(operand, frame, depth + 1) for operand in expression.parts]
                if expression.operator == "!":
                    return not said[0]
                return all(said) if expression.operator == "&&" else any(said)
            case _:
                value = self.value(expression, frame, depth + 1)
                if not isinstance(value, bool):
                    raise Undecided("a condition is no boolean")
                return value

    def _referred(self, reference: Reference, frame: Frame, depth: int) -> Anything:
        if (own := self.own(reference, frame)) is not None:
            return self.value(own[0], own[1], depth)
        at = _holder(reference.name, frame)
        if at is None:
            return builtins.CONSTANTS[str(reference)]
        value: Anything = at.data.get(reference.name, _MISSING)
        path = reference.name
        for name in reference.selectors:
            if value is _MISSING:
                break
            if not isinstance(value, Mapping):
                raise Undecided(f"{path} is no struct")
            value, path = value.get(name, _MISSING), f"{path}.{name}"
        if value is _MISSING:
            raise Undecided(f"{path} is not there")
        return value

    def own(self, reference: Reference, frame: Frame) -> tuple[Expression, Frame] | None:
        """What the policy says of its own field, where `reference` is to one that the statement does not have."""
        at = _holder(reference.name, frame)
        if at is None or reference.selectors:
            return None
        member = at.struct.names[reference.name]
        own = member.hidden or (at.outer is None and reference.name in self.helpers and reference.name not in at.data)
        return (member.value, at) if own else None

    def plain(self, expression: Expression, frame: Frame) -> Expression:
        """`expression` with the policy's own fields written out, as far as they have a value."""
        match expression:
            case Reference():
                own = self.own(expression, frame)
                if own is not None:
                    return self.plain(*own)
                return (
                    Value(builtins.CONSTANTS[str(expression)], expression.line)
                    if _holder(expression.name, frame) is None
                    else expression
                )
            case Bound():
                return Bound(expression.order, self.plain(expression.operand, frame), expression.line)
            case All():
                return All(tuple(self.plain(part, frame) for part in expression.parts), expression.line)
            case Call() if expression.name == "time.Parse":
                return Value(self.value(expression, frame), expression.line)
            case _:
                return expression


def _holder(name: str, frame: Frame | None) -> Frame | None:
    """The innermost frame whose struct declares `name`."""
    while frame is not None and name not in frame.struct.names:
        frame = frame.outer
    return frame
