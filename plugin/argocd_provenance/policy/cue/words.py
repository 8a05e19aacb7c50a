"""What a policy says, and what a statement has, in words."""

import json
from collections.abc import Mapping
from typing import Any as Anything

from argocd_provenance.policy.cue.scope import Frame, Scope
from argocd_provenance.policy.cue.syntax import (
    All,
    Any,
    Bound,
    Call,
    Expression,
    List,
    Reference,
    Struct,
    Type,
    Value,
)
from argocd_provenance.policy.cue.values import Undecided, type_of

_SHOWN = 120


def phrase(expression: Expression, scope: Scope, frame: Frame) -> str:
    """What the policy says, in words: with the values of what it refers to."""
    match expression:
        case Value():
            return shown(expression.value)
        case Type():
            return {"_": "any value", "int": "an int"}.get(expression.name, f"a {expression.name}")
        case Bound():
            return f"{expression.order}{phrase(expression.operand, scope, frame)}"
        case All():
            return " & ".join(phrase(part, scope, frame) for part in expression.parts)[:_SHOWN]
        case Any():
            return " | ".join(phrase(part, scope, frame) for part in expression.parts)[:_SHOWN]
        case Reference() | Call(name="time.Parse"):
            try:
                return shown(scope.value(expression, frame))
            except Undecided:
                return str(getattr(expression, "name", expression))
        case Call():
            return f"{expression.name}({', '.join(phrase(a, scope, frame) for a in expression.arguments or ())})"
        case _:
            return {Struct: "a struct", List: "a list"}.get(type(expression), "what the comparison gives")


def shown(value: Anything) -> str:
    """A value of a statement or a policy, short enough for a message."""
    if isinstance(value, Mapping | list | tuple):
        return f"a {type_of(value)} of {len(value)}"
    if isinstance(value, str):
        text = "".join(letter if letter.isprintable() else "?" for letter in value[:_SHOWN])
        return f'"{text}{"…" if len(value) > _SHOWN else ""}"'
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)[:_SHOWN]
