"""The tree of an expression. cel-spec: doc/langdef.md, "Syntax" and "Macros"."""

from collections.abc import Callable, Iterator
from typing import Any

from argocd_provenance.policy.cel.tokens import CelSyntaxError, Token, tokens
from argocd_provenance.records import dataclass

MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter"})
_DEPTH = 48
_INTEGERS = 2**63
_RESERVED = frozenset({
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
    "namespace", "return", "var", "void", "while",
})  # fmt: skip
_KEYWORDS = {"true": True, "false": False, "null": None}
_BINARY = (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">=", "in"), ("+", "-"), ("*", "/", "%"))


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written."""

    value: Any
    kind: str
    """The type, since Python takes 1, 1.0 and True for one another."""


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, or a type."""

    name: str
    column: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Name) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True, slots=True)
class Select:
    """``operand.field``; `test`: ``has(operand.field)``."""

    operand: "Node"
    field: str
    test: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or a function; the receiver of a method is its first argument, and `method` says so."""

    name: str
    arguments: tuple["Node", ...]
    method: bool = False


@dataclass(frozen=True, slots=True)
class Comprehension:
    """``over.macro(variable, body)``; `transform` is the third argument of ``map``."""

    macro: str
    over: "Node"
    variable: str
    body: "Node"
    transform: "Node | None" = None


@dataclass(frozen=True, slots=True)
class List:
    """A list as written."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Map:
    """A map as written."""

    entries: tuple[tuple["Node", "Node"], ...]


Node = Literal | Name | Select | Call | Comprehension | List | Map


def parse(text: str) -> Node:
    """The tree of `text`; raises `CelSyntaxError`."""
    parser = _Parser(tokens(text))
    node = parser.expression()
    if parser.now.kind != "end":
        raise parser.error(f"{parser.now.text!r} is not expected")
    return node


def children(node: Node) -> tuple[Node, ...]:
    """The expressions directly inside `node`."""
    match node:
        case Select():
            return (node.operand,)
        case Call():
            return node.arguments
        case Comprehension():
            return (node.over, node.body, *(() if node.transform is None else (node.transform,)))
        case List():
            return node.items
        case Map():
            return tuple(part for entry in node.entries for part in entry)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """`node` and all that is inside it."""
    yield node
    for child in children(node):
        yield from walk(child)


class _Parser:
    """A recursive descent over the words."""

    def __init__(self, words: list[Token]) -> None:
        self._words, self._place, self._depth = words, 0, 0

    @property
    def now(self) -> Token:
        return self._words[self._place]

    def error(self, message: str) -> CelSyntaxError:
        return CelSyntaxError(f"is no CEL expression: {message} (column {self.now.column})")

    def _next(self) -> Token:
        word = self.now
        self._place += 1
        return word

    def _is(self, *signs: str) -> bool:
        return self.now.kind == "sign" and self.now.text in signs

    def _take(self, sign: str) -> bool:
        if self._is(sign):
            self._place += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise self.error(f"{sign} is expected" + (f", not {self.now.text!r}" if self.now.text else ""))

    def expression(self) -> Node:
        """``condition ? then : otherwise``, or anything that binds more tightly."""
        self._depth += 1
        if self._depth > _DEPTH:
            raise CelSyntaxError("is nested too deeply")
        condition = self._binary(0)
        if self._take("?"):
            then = self._binary(0)
            self._expect(":")
            condition = Call("?:", (condition, then, self.expression()))
        self._depth -= 1
        return condition

    def _binary(self, level: int) -> Node:
        if level == len(_BINARY):
            return self._unary()
        node = self._binary(level + 1)
        length = 0
        while (self.now.kind == "sign" and self.now.text in _BINARY[level]) or (
            level == 2 and self.now.kind == "name" and self.now.text == "in"
        ):
            operator = self._next().text
            length += 1
            if length > 2 * _DEPTH:
                raise CelSyntaxError("is nested too deeply")
            node = Call(operator, (node, self._binary(level + 1)))
        return node

    def _unary(self) -> Node:
        signs: list[str] = []
        while self._is("!", "-") and (not signs or signs[-1] == self.now.text):
            signs.append(self._next().text)
        if len(signs) > _DEPTH:
            raise CelSyntaxError("is nested too deeply")
        if signs and signs[-1] == "-" and self.now.kind == "number":
            number = self._number(self._next(), negative=True)
            node: Node = self._members(number)
            signs.pop()
        else:
            node = self._members(self._primary())
        for sign in reversed(signs):
            node = Call(f"{sign}_", (node,))
        return node

    def _members(self, node: Node) -> Node:
        length = 0
        while self._is(".", "["):
            length += 1
            if length > 2 * _DEPTH:
                raise CelSyntaxError("is nested too deeply")
            if self._take("["):
                node = Call("[]", (node, self.expression()))
                self._expect("]")
                continue
            self._expect(".")
            name = self._field_name()
            node = self._method(node, name) if self._take("(") else Select(node, name)
        return node

    def _field_name(self) -> str:
        if self.now.kind != "name" or self.now.text in {*_KEYWORDS, "in"}:
            raise self.error("a name is expected after the dot")
        return self._next().text

    def _method(self, receiver: Node, name: str) -> Node:
        arguments = self._arguments(")")
        if name not in MACROS:
            return Call(name, (receiver, *arguments), method=True)
        if len(arguments) not in ((2, 3) if name == "map" else (2,)):
            raise self.error(f"{name}() takes a variable and an expression")
        variable, *rest = arguments
        if not isinstance(variable, Name):
            raise self.error(f"the first argument of {name}() is the name of a variable")
        macro = "exists_one" if name == "existsOne" else name
        return Comprehension(macro, receiver, variable.name, rest[0], rest[1] if len(rest) > 1 else None)

    def _arguments(self, closing: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._is(closing):
            found.append(self.expression())
            if not self._take(","):
                break
            if closing == ")" and self._is(closing):
                raise self.error("an argument is expected")
        self._expect(closing)
        return tuple(found)

    def _primary(self) -> Node:
        word = self._next()
        if word.kind == "number":
            return self._number(word, negative=False)
        if word.kind == "text":
            return Literal(word.text, "string")
        if word.kind == "name":
            return self._named(word)
        opening: dict[str, Callable[[], Node]] = {"(": self._group, "[": self._list, "{": self._map}
        if word.kind == "sign" and word.text in opening:
            return opening[word.text]()
        self._place -= 1
        raise self.error(f"{word.text!r} is not expected" if word.text else "it ends too early")

    def _group(self) -> Node:
        node = self.expression()
        self._expect(")")
        return node

    def _list(self) -> Node:
        return List(self._arguments("]"))

    def _map(self) -> Node:
        entries: list[tuple[Node, Node]] = []
        while not self._is("}"):
            key = self.expression()
            self._expect(":")
            entries.append((key, self.expression()))
            if not self._take(","):
                break
        self._expect("}")
        return Map(tuple(entries))

    def _named(self, word: Token) -> Node:
        if word.text in _KEYWORDS:
            value = _KEYWORDS[word.text]
            return Literal(value, "null_type" if value is None else "bool")
        if word.text in _RESERVED or word.text == "in":
            self._place -= 1
            raise self.error(f"{word.text} is a reserved word")
        if self._is("{"):
            raise self.error("messages are not read here")
        if not self._take("("):
            return Name(word.text, word.column)
        arguments = self._arguments(")")
        if word.text != "has":
            return Call(word.text, arguments)
        if len(arguments) != 1 or not isinstance(arguments[0], Select) or arguments[0].test:
            raise self.error("has() takes a field, such as has(predicate.name)")
        return Select(arguments[0].operand, arguments[0].field, test=True)

    def _number(self, word: Token, *, negative: bool) -> Literal:
        sign = -1 if negative else 1
        text = word.text.lower()
        if not text.startswith("0x") and any(mark in text for mark in ".e"):
            return Literal(sign * float(text), "double")
        value = sign * (int(text, 16) if text.startswith("0x") else int(text))
        if not -_INTEGERS <= value < _INTEGERS:
            raise CelSyntaxError(f"{text} is no number of 64 bits (column {word.column})")
        return Literal(value, "int")
