"""The part of CUE that is read, as a tree. cue: doc/ref/spec.md; what has no node here is refused by name."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from argocd_provenance.records import dataclass, field


class CueError(ValueError):
    """A policy that is no CUE, or holds what is not read here; the message names the construct, `line` its place."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(f"CUE line {line}: {message}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written: ``1`` and ``1.0`` are different values of one amount."""

    amount: Decimal
    whole: bool

    def __str__(self) -> str:
        return str(self.amount)


Scalar = str | bool | Number | None
Order = Literal["<", "<=", ">", ">=", "==", "!=", "=~", "!~"]


@dataclass(frozen=True, slots=True)
class Value:
    """A literal scalar."""

    value: Scalar
    line: int


@dataclass(frozen=True, slots=True)
class Type:
    """A predeclared type; ``_`` is any value."""

    name: Literal["string", "int", "float", "number", "bool", "bytes", "_"]
    line: int


@dataclass(frozen=True, slots=True)
class Reference:
    """A name, and the fields that are selected from it."""

    name: str
    selectors: tuple[str, ...]
    line: int

    def __str__(self) -> str:
        return ".".join((self.name, *self.selectors))


@dataclass(frozen=True, slots=True)
class Call:
    """A builtin: ``len``, or a function or constant of an imported package (`arguments` None: not called)."""

    name: str
    arguments: "tuple[Expression, ...] | None"
    line: int


@dataclass(frozen=True, slots=True)
class Bound:
    """``<x``, ``!="x"``, ``=~"x"``: all values for which it is true."""

    order: Order
    operand: "Expression"
    line: int


@dataclass(frozen=True, slots=True)
class Compared:
    """``a < b``: a boolean."""

    order: Order
    left: "Expression"
    right: "Expression"
    line: int


@dataclass(frozen=True, slots=True)
class Logic:
    """``!a``, ``a && b``, ``a || b``: a boolean."""

    operator: Literal["!", "&&", "||"]
    parts: "tuple[Expression, ...]"
    line: int


@dataclass(frozen=True, slots=True)
class All:
    """``a & b``."""

    parts: "tuple[Expression, ...]"
    line: int


@dataclass(frozen=True, slots=True)
class Any:
    """``a | b``; which one is the default does not matter where a value is there."""

    parts: "tuple[Expression, ...]"
    line: int


@dataclass(frozen=True, slots=True)
class List:
    """``[a, b]``, or with `rest` ``[a, b, ...c]``."""

    items: "tuple[Expression, ...]"
    rest: "Expression | None"
    line: int


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a struct. `mark` is ``?``, ``!`` or empty; a field that is not `named` cannot be referred to."""

    label: str
    named: bool
    mark: str
    value: "Expression"
    line: int

    @property
    def hidden(self) -> bool:
        """Whether it is the policy's own: it constrains nothing."""
        return self.named and self.label.startswith("_")


@dataclass(frozen=True, slots=True)
class Guard:
    """``if condition { … }``: its fields are there when the condition is true."""

    condition: "Expression"
    body: "Struct"
    line: int


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct literal: its fields, guards and embedded structs."""

    members: "tuple[Field | Guard | Struct, ...]"
    line: int
    names: dict[str, Field] = field(init=False, repr=False, compare=False)
    """What expressions inside it can refer to."""

    def __post_init__(self) -> None:
        fields = (member for member in self.members if isinstance(member, Field) and member.named)
        object.__setattr__(self, "names", {member.label: member for member in fields})


Expression = Value | Type | Reference | Call | Bound | Compared | Logic | All | Any | List | Struct
Node = Expression | Field | Guard


@dataclass(frozen=True, slots=True)
class File:
    """A policy: the packages that it imports, by the name it uses, and its fields."""

    imports: dict[str, int]
    body: Struct


def children(node: Node) -> Iterator[Node]:
    """The nodes directly under `node`."""
    match node:
        case Field():
            yield node.value
        case Guard():
            yield from (node.condition, node.body)
        case Struct():
            yield from node.members
        case List():
            yield from node.items
            if node.rest is not None:
                yield node.rest
        case All() | Any() | Logic():
            yield from node.parts
        case Compared():
            yield from (node.left, node.right)
        case Bound():
            yield node.operand
        case Call():
            yield from node.arguments or ()
        case _:
            return
