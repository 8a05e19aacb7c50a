"""A tree turned into closures once, and judged with a budget of steps every time.

cel-spec: doc/langdef.md, "Evaluation" and "Macros". ``&&`` and ``||`` pass over an error where the other side decides
alone, whichever side that is; ``all`` and ``exists`` are chains of them. Everywhere else an error is the result.
"""

import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any

from argocd_provenance.policy.cel import functions, syntax
from argocd_provenance.policy.cel.tokens import CelSyntaxError
from argocd_provenance.policy.cel.values import (
    MISSING,
    CelError,
    CelType,
    Duration,
    OutOfStepsError,
    Timestamp,
    checked,
    equal,
    find,
    kind,
    nodes,
    ordered,
)

STEPS = 2_000_000
"""More than any policy needs over an SBOM of 10,000 packages; fewer than take a second."""


class Frame:
    """The variables of one judgement, and the steps that are left."""

    __slots__ = ("left", "slots")

    def __init__(self, slots: list[Any], steps: int) -> None:
        self.slots, self.left = slots, steps

    def spend(self, steps: int) -> None:
        """Count `steps`; raises `OutOfStepsError` when there are none left."""
        self.left -= steps
        if self.left < 0:
            raise OutOfStepsError


Judge = Callable[[Frame], Any]


class Program:
    """A compiled expression over variables of these `names`; raises `CelSyntaxError` for what is none."""

    def __init__(self, text: str, names: Collection[str]) -> None:
        self.tree = syntax.parse(text)
        self._names = tuple(names)
        compiler = _Compiler(self._names)
        self._judge = compiler.of(self.tree, {name: place for place, name in enumerate(self._names)})
        self._slots = compiler.slots

    def result(self, scope: Mapping[str, Any], steps: int = STEPS) -> Any:
        """What the expression is for `scope`; raises `CelError`, or `OutOfStepsError` after `steps`."""
        frame = Frame(
            [scope.get(name, MISSING) for name in self._names] + [None] * (self._slots - len(self._names)), steps
        )
        return self._judge(frame)


class _Compiler:
    """Closures for every node; each variable has a slot of its own."""

    def __init__(self, names: Collection[str]) -> None:
        self.slots = len(names)

    def of(self, node: syntax.Node, bound: Mapping[str, int]) -> Judge:
        """The closure for `node`, with the variables `bound` to their slots."""
        match node:
            case syntax.Literal():
                return _constant(node.value)
            case syntax.Name():
                return _variable(node, bound)
            case syntax.Select():
                return (_has if node.test else _select)(self.of(node.operand, bound), node.field)
            case syntax.List():
                return _list([self.of(item, bound) for item in node.items])
            case syntax.Map():
                return _map([(self.of(key, bound), self.of(value, bound)) for key, value in node.entries])
            case syntax.Comprehension():
                return self._comprehension(node, bound)
            case syntax.Call():
                return _call(node, [self.of(argument, bound) for argument in node.arguments])

    def _comprehension(self, node: syntax.Comprehension, bound: Mapping[str, int]) -> Judge:
        slot = self.slots
        self.slots += 1
        inner = {**bound, node.variable: slot}
        over, body = self.of(node.over, bound), self.of(node.body, inner)
        cost = 1 + sum(1 for _ in syntax.walk(node.body))
        items = _items(over, slot, cost)
        if node.macro == "map" and node.transform is not None:
            return _filtered(items, body, self.of(node.transform, inner))
        if node.macro == "map":
            return lambda frame: [body(frame) for _ in items(frame)]
        if node.macro == "filter":
            return _filtered(items, body, None)
        return {"all": _all, "exists": _exists, "exists_one": _exists_one}[node.macro](items, body)


def _constant(value: Any) -> Judge:
    return lambda _: value


def _variable(node: syntax.Name, bound: Mapping[str, int]) -> Judge:
    slot = bound.get(node.name)
    if slot is None:
        if node.name in functions.TYPES:
            return _constant(CelType(node.name))
        raise CelSyntaxError(f"knows no {node.name}; it can speak of {', '.join(bound)} (column {node.column})")

    def judge(frame: Frame) -> Any:
        value = frame.slots[slot]
        if value is MISSING:
            raise CelError(f"there is no {node.name}")
        return value

    return judge


def _select(operand: Judge, field: str) -> Judge:
    def judge(frame: Frame) -> Any:
        value = operand(frame)
        if not isinstance(value, Mapping):
            raise CelError(f"{kind(value)} has no field {field}")
        found = value.get(field, MISSING)
        if found is MISSING:
            raise CelError(f"no such key: {field}")
        return checked(found) if type(found) is int else found

    return judge


def _has(operand: Judge, field: str) -> Judge:
    def judge(frame: Frame) -> bool:
        value = operand(frame)
        if not isinstance(value, Mapping):
            raise CelError(f"{kind(value)} has no fields")
        return field in value

    return judge


def _list(items: list[Judge]) -> Judge:
    def judge(frame: Frame) -> list[Any]:
        frame.spend(len(items))
        return [item(frame) for item in items]

    return judge


def _map(entries: list[tuple[Judge, Judge]]) -> Judge:
    def judge(frame: Frame) -> dict[Any, Any]:
        frame.spend(len(entries))
        found: dict[Any, Any] = {}
        for key, value in entries:
            name = key(frame)
            if kind(name) not in ("string", "int", "bool") or name in found:
                raise CelError("a key of a map is a string, an int or a bool, and stands once")
            found[name] = value(frame)
        return found

    return judge


def _items(over: Judge, slot: int, cost: int) -> Callable[[Frame], Any]:
    """Puts one item after another into its slot: the items of a list, the keys of a map."""

    def each(frame: Frame) -> Any:
        value = over(frame)
        if kind(value) not in ("list", "map"):
            raise CelError(f"{kind(value)} has no items")
        slots = frame.slots
        for item in value:
            frame.spend(cost)
            slots[slot] = checked(item) if type(item) is int else item
            yield item

    return each


def _all(items: Callable[[Frame], Any], body: Judge) -> Judge:
    return _chain(items, body, decides=False)


def _exists(items: Callable[[Frame], Any], body: Judge) -> Judge:
    return _chain(items, body, decides=True)


def _chain(items: Callable[[Frame], Any], body: Judge, *, decides: bool) -> Judge:
    def judge(frame: Frame) -> bool:
        error: CelError | None = None
        for _ in items(frame):
            try:
                if _boolean(body(frame)) is decides:
                    return decides
            except CelError as fault:
                error = error or fault
        if error is not None:
            raise error
        return not decides

    return judge


def _exists_one(items: Callable[[Frame], Any], body: Judge) -> Judge:
    return lambda frame: sum(_boolean(body(frame)) for _ in items(frame)) == 1


def _filtered(items: Callable[[Frame], Any], body: Judge, transform: Judge | None) -> Judge:
    def judge(frame: Frame) -> list[Any]:
        fitting = (item for item in items(frame) if _boolean(body(frame)))
        return [item if transform is None else transform(frame) for item in fitting]

    return judge


def _boolean(value: Any) -> bool:
    if value is not True and value is not False:
        raise CelError(f"a bool is expected, not {kind(value)}")
    return value is True


def _call(node: syntax.Call, arguments: list[Judge]) -> Judge:
    if node.name in _LOGIC:
        return _LOGIC[node.name](arguments)
    if node.name in _OPERATORS:
        return _operator(_OPERATORS[node.name], arguments)
    known = functions.METHODS if node.method else functions.GLOBAL
    counts, function = known.get(node.name, ((), None))
    if function is None:
        raise CelSyntaxError(f"knows no function {node.name}")
    if len(arguments) not in counts:
        raise CelSyntaxError(f"gives {node.name}() {len(arguments)} arguments, and it takes {counts[-1]}")

    def judge(frame: Frame) -> Any:
        return function(frame.spend, *[argument(frame) for argument in arguments])

    return judge


def _operator(judged: Callable[..., Any], arguments: list[Judge]) -> Judge:
    if len(arguments) == 1:
        (only,) = arguments
        return lambda frame: judged(frame, only(frame))
    left, right = arguments
    return lambda frame: judged(frame, left(frame), right(frame))


def _decided(arguments: list[Judge], *, decides: bool) -> Judge:
    """``&&`` (decided by False) and ``||`` (by True): either side may decide, and then the other may be an error."""
    left, right = arguments

    def judge(frame: Frame) -> bool:
        try:
            if _boolean(left(frame)) is decides:
                return decides
        except CelError:
            if right(frame) is decides:
                return bool(decides)
            raise
        return _boolean(right(frame))

    return judge


def _ternary(arguments: list[Judge]) -> Judge:
    condition, then, otherwise = arguments
    return lambda frame: then(frame) if _boolean(condition(frame)) else otherwise(frame)


_LOGIC: Mapping[str, Callable[[list[Judge]], Judge]] = {
    "&&": lambda arguments: _decided(arguments, decides=False),
    "||": lambda arguments: _decided(arguments, decides=True),
    "?:": _ternary,
}


def _not(_: Frame, value: Any) -> bool:
    return not _boolean(value)


def _negative(_: Frame, value: Any) -> Any:
    if kind(value) not in ("int", "double"):
        raise CelError(f"{kind(value)} has no negative")
    return checked(-value)


def _equals(frame: Frame, one: Any, other: Any) -> bool:
    return bool(one == other) if type(one) is str and type(other) is str else equal(one, other, frame.spend)


def _differs(frame: Frame, one: Any, other: Any) -> bool:
    return not _equals(frame, one, other)


def _compared(test: Callable[[Any, Any], bool]) -> Callable[[Frame, Any, Any], bool]:
    def judged(frame: Frame, one: Any, other: Any) -> bool:
        ordered(one, other)
        if type(one) is str:
            frame.spend(len(one) >> 4)
        return test(one, other)

    return judged


def _contained(frame: Frame, one: Any, other: Any) -> bool:
    match kind(other):
        case "list":
            frame.spend(nodes(other))
            return any(_equals(frame, one, item) for item in other)
        case "map":
            if kind(one) not in ("string", "int", "double", "bool"):
                raise CelError(f"{kind(one)} is no key of a map")
            return find(other, one) is not MISSING
        case found:
            raise CelError(f"{found} holds nothing")


def _item(_: Frame, value: Any, place: Any) -> Any:
    match kind(value), kind(place):
        case "map", "string" | "int" | "double" | "bool":
            found = find(value, place)
            if found is MISSING:
                raise CelError(f"no such key: {place}")
            return checked(found)
        case "list", "int" | "double":
            if place != int(place) or not 0 <= place < len(value):
                raise CelError(f"the list has no item {place}")
            return checked(value[int(place)])
        case found, key:
            raise CelError(f"{found} has no item by {key}")


def _plus(frame: Frame, one: Any, other: Any) -> Any:
    match kind(one), kind(other):
        case ("int", "int") | ("double", "double"):
            return checked(one + other)
        case "string", "string":
            frame.spend((len(one) + len(other)) >> 3)
            return one + other
        case "list", "list":
            frame.spend(len(one) + len(other))
            return [*one, *other]
        case "google.protobuf.Timestamp", "google.protobuf.Duration":
            return functions.bounded(Timestamp(one.nanoseconds + other.nanoseconds))
        case "google.protobuf.Duration", "google.protobuf.Timestamp":
            return functions.bounded(Timestamp(one.nanoseconds + other.nanoseconds))
        case "google.protobuf.Duration", "google.protobuf.Duration":
            return functions.bounded_span(Duration(one.nanoseconds + other.nanoseconds))
        case left, right:
            raise CelError(f"{left} and {right} have no sum")


def _minus(_: Frame, one: Any, other: Any) -> Any:
    match kind(one), kind(other):
        case ("int", "int") | ("double", "double"):
            return checked(one - other)
        case "google.protobuf.Timestamp", "google.protobuf.Timestamp":
            return functions.bounded_span(Duration(one.nanoseconds - other.nanoseconds))
        case "google.protobuf.Timestamp", "google.protobuf.Duration":
            return functions.bounded(Timestamp(one.nanoseconds - other.nanoseconds))
        case "google.protobuf.Duration", "google.protobuf.Duration":
            return functions.bounded_span(Duration(one.nanoseconds - other.nanoseconds))
        case left, right:
            raise CelError(f"{left} and {right} have no difference")


def _times(_: Frame, one: Any, other: Any) -> Any:
    if (kind(one), kind(other)) not in (("int", "int"), ("double", "double")):
        raise CelError(f"{kind(one)} and {kind(other)} have no product")
    return checked(one * other)


def _over(_: Frame, one: Any, other: Any) -> Any:
    match kind(one), kind(other):
        case "int", "int" if other != 0:
            return checked(abs(one) // abs(other) * (1 if (one < 0) == (other < 0) else -1))
        case "double", "double" if other != 0:
            return one / other
        case _:
            raise CelError("division by zero, or of what is no number of one type")


def _rest(_: Frame, one: Any, other: Any) -> Any:
    if kind(one) != "int" or kind(other) != "int" or other == 0:
        raise CelError("division by zero, or of what is no integer")
    return abs(one) % abs(other) * (1 if one >= 0 else -1)


_OPERATORS: Mapping[str, Callable[..., Any]] = {
    "!_": _not, "-_": _negative, "==": _equals, "!=": _differs, "<": _compared(operator.lt),
    "<=": _compared(operator.le), ">": _compared(operator.gt), ">=": _compared(operator.ge), "in": _contained,
    "[]": _item, "+": _plus, "-": _minus, "*": _times, "/": _over, "%": _rest,
}  # fmt: skip
