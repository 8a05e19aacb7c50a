"""Whether all that a policy says of a field that is missing can hold together (only where missing fields pass).

CUE unifies it anyway, and refuses what contradicts itself. What is not seen through here does not agree.
"""

from collections.abc import Sequence

from argocd_provenance.policy.cue import builtins
from argocd_provenance.policy.cue.syntax import (
    All,
    Any,
    Bound,
    Call,
    Expression,
    Field,
    List,
    Number,
    Struct,
    Type,
    Value,
)
from argocd_provenance.policy.cue.values import Undecided, amount_of, bounded, type_of

_TYPES = {"string": "string", "number": "number", "int": "number", "float": "number", "bool": "bool", "bytes": "bytes"}


def agree(said: Sequence[Expression]) -> bool:
    """Whether some value fits all of `said`; False where that is not seen."""
    parts = [part for expression in said for part in _flat(expression)]
    parts = [part for part in parts if not (isinstance(part, Type) and part.name == "_")]
    if not parts:
        return True
    if all(isinstance(part, Struct) for part in parts):
        return _structs([part for part in parts if isinstance(part, Struct)])
    if len(parts) == 1:
        return _one(parts[0])
    literals = [part.value for part in parts if isinstance(part, Value)]
    if literals:
        first = literals[0]
        return all(_fits(part, first) for part in parts)
    kinds = {_kind(part) for part in parts}
    if kinds not in ({"string"}, {"number"}):
        return False
    return _range(parts)


def _flat(expression: Expression) -> list[Expression]:
    if isinstance(expression, All):
        return [part for inner in expression.parts for part in _flat(inner)]
    return [expression]


def _one(part: Expression) -> bool:
    match part:
        case Value() | Type():
            return True
        case Bound():
            return isinstance(part.operand, Value)
        case List():
            return all(agree([item]) for item in part.items)
        case Any():
            return any(agree([alternative]) for alternative in part.parts)
        case Call():
            return part.name in builtins.VALIDATORS
        case _:
            return False


def _structs(structs: Sequence[Struct]) -> bool:
    fields: dict[str, list[Expression]] = {}
    for struct in structs:
        for member in struct.members:
            if not isinstance(member, Field):
                return False
            fields.setdefault(member.label, []).append(member.value)
    return all(agree(said) for said in fields.values())


def _fits(part: Expression, literal: str | bool | Number | None) -> bool:  # noqa: FBT001 - a value of the policy
    """Whether the literal fits a part beside it."""
    try:
        match part:
            case Value():
                return type_of(part.value) == type_of(literal) and part.value == literal
            case Type():
                if part.name in {"int", "float"}:
                    return isinstance(literal, Number) and literal.whole is (part.name == "int")
                return _TYPES.get(part.name) == type_of(literal)
            case Bound() if isinstance(part.operand, Value):
                return bounded(part.order, part.operand.value, literal)
            case _:
                return False
    except Undecided:
        return False


def _kind(part: Expression) -> str:
    match part:
        case Type():
            return _TYPES.get(part.name, "") if part.name not in {"int", "float"} else ""
        case Bound() if isinstance(part.operand, Value) and part.operand.value is not None:
            return type_of(part.operand.value)
        case _:
            return ""


def _range(parts: Sequence[Expression]) -> bool:
    """Whether the bounds leave room between them."""
    bounds = [part for part in parts if isinstance(part, Bound)]
    values = {order: [_amount(b) for b in bounds if b.order[:1] == order and b.order != "!="] for order in "<>"}
    return not values["<"] or not values[">"] or max(values[">"]) < min(values["<"])


def _amount(bound: Bound) -> tuple[int, object]:
    assert isinstance(bound.operand, Value)  # noqa: S101 - `_kind` has seen it
    value = bound.operand.value
    return (0, value) if isinstance(value, str) else (1, amount_of(value))
