"""Values of a statement held against values and bounds of a policy, as CUE and Go see them.

Upstream reads a statement into Go's float64 and writes it again before CUE sees it: ``1.0`` becomes ``1``, a large number
loses digits. A number here must fit both as it was signed and as upstream sees it.
"""

import functools
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from argocd_provenance.policy.cue.syntax import Number, Order, Scalar


class Undecided(Exception):
    """What cannot be decided by what is there; the message says why."""


def number(value: float) -> tuple[Decimal, frozenset[bool]]:
    """The amount of a number, and whether it is whole: in each of its two readings. Raises `Undecided`.

    encoding/json: a float64 is written without an exponent from 1e-6 to 1e21, and then reads as whole when it is.
    """
    if isinstance(value, int):
        try:
            exact = int(float(value)) == value
        except OverflowError:
            exact = False
        if not exact:
            raise Undecided(f"the number {str(value)[:40]} loses digits in 64 bits")
        return Decimal(value), frozenset({True} if abs(value) < 10**21 else {True, False})
    amount = Decimal(repr(value))
    return amount, frozenset({False, value.is_integer() and abs(value) < 1e21})


def type_of(value: Any) -> str:
    """What CUE calls the type of `value`."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case str():
            return "string"
        case int() | float() | Decimal() | Number():
            return "number"
        case Mapping():
            return "struct"
        case _:
            return "list"


def equal(wanted: Scalar, value: Any) -> bool:
    """Whether the literal `wanted` unifies with `value`."""
    if type_of(wanted) != type_of(value):
        return False
    if isinstance(wanted, Number):
        amount, whole = number(value)
        if len(whole) > 1 and amount == wanted.amount:
            raise Undecided("upstream reads it as another number than was signed; bound it by >= and <=")
        return amount == wanted.amount and whole == {wanted.whole}
    return bool(wanted == value)


def is_a(name: str, value: Any) -> bool:
    """Whether `value` is of the predeclared type `name`."""
    if name in {"int", "float"}:
        return type_of(value) == "number" and number(value)[1] == {name == "int"}
    return name == "_" or type_of(value) == name


def bounded(order: Order, bound: Any, value: Any) -> bool:
    """Whether `value` lies within the bound; a value of another type never does."""
    if bound is None:
        return order == "!=" and value is not None
    if type_of(bound) != type_of(value):
        return False
    match bound:
        case str():
            # UTF-8 sorts as code points do, so this is Go's order too.
            return matches(order, bound, value) if order in {"=~", "!~"} else ordered(order, value, bound)
        case int() | float() | Number() if not isinstance(bound, bool):
            return order not in {"=~", "!~"} and ordered(order, amount_of(value), amount_of(bound))
        case _:
            raise Undecided(f"a bound by a {type_of(bound)} is not decided here")


def compared(order: Order, left: Any, right: Any) -> bool:
    """``left < right`` as a boolean; both must be of one type. Raises `Undecided`."""
    if type_of(left) != type_of(right) or type_of(left) in {"struct", "list", "null"}:
        raise Undecided(f"{type_of(left)} and {type_of(right)} are not compared here")
    if order in {"==", "!="} and isinstance(left, bool | str):
        return bool(left == right) is (order == "==")
    if isinstance(left, bool):
        raise Undecided("booleans have no order")
    if isinstance(left, str):
        return matches(order, right, left) if order in {"=~", "!~"} else ordered(order, left, right)
    if order in {"=~", "!~"}:
        raise Undecided("an expression is compared with texts only")
    return ordered(order, amount_of(left), amount_of(right))


def ordered(order: Order, left: Any, right: Any) -> bool:
    """``left order right`` for what has an order."""
    match order:
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case ">=":
            return bool(left >= right)
        case "==":
            return bool(left == right)
        case "!=":
            return bool(left != right)
        case _:
            raise Undecided(f"{order} is no order")


def amount_of(value: Any) -> Decimal:
    """The amount of a number of either kind."""
    return value.amount if isinstance(value, Number) else number(value)[0]


def matches(order: Order, expression: str, text: str) -> bool:
    """``text =~ expression``, unanchored. Raises `Undecided` for what is no expression."""
    try:
        found = compiled(expression).search(text) is not None
    except ValueError as error:
        raise Undecided(str(error)) from error
    return found is (order == "=~")


@functools.lru_cache(maxsize=4096)
def compiled(expression: str) -> Any:
    """The RE2 expression; raises `ValueError` for what Go refuses too."""
    import re2  # noqa: PLC0415 - 20 ms that a policy without expressions never needs

    if re.search(r"(?<!\\)(?:\\\\)*\\C", expression):
        raise ValueError("\\C is no part of Go's expressions")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else error
        raise ValueError(f"{expression!r} is no RE2 expression: {reason}") from error
