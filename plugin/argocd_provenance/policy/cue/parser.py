"""CUE text as a tree, or a `CueError` that names the construct which is not read here."""

from argocd_provenance.policy.cue.lexer import Token, tokens
from argocd_provenance.policy.cue.syntax import (
    All,
    Any,
    Bound,
    Call,
    Compared,
    CueError,
    Expression,
    Field,
    File,
    Guard,
    List,
    Logic,
    Number,
    Reference,
    Struct,
    Type,
    Value,
)
from argocd_provenance.regex import regex

PACKAGES = ("time", "list", "struct", "strings")

_MAX_CHARACTERS = 64 * 1024
# What CUE refuses or drops, and what nobody sees.
_CONTROL = regex(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ud800-\udfff\ufffe\uffff]|\r(?!\n)")
_MAX_DEPTH = 64
_TYPES = frozenset({"string", "int", "float", "number", "bool", "bytes", "_"})
_WORDS = {"true": True, "false": False, "null": None}
_ORDERS = ("==", "!=", "<=", ">=", "<", ">", "=~", "!~")
_KEYWORDS = {
    "for": "comprehensions over lists (for)",
    "let": "let clauses",
    "import": "imports after the first field",
    "package": "a package clause after the first line",
}


def parse(text: str) -> File:
    """The policy that `text` spells; raises `CueError`."""
    if len(text) > _MAX_CHARACTERS:
        raise CueError(f"the policy is longer than {_MAX_CHARACTERS} characters", 1)
    text = text.removeprefix("\ufeff")
    if control := _CONTROL.search(text):
        raise CueError(f"the character {control[0]!r} is not read here", text.count("\n", 0, control.start()) + 1)
    return _Parser(text).file()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0

    # -- tokens --------------------------------------------------------------------------------------------------------

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._now
        self._at += token.kind != "end"
        return token

    def _is(self, *symbols: str) -> bool:
        return self._now.kind in {"symbol", "comma"} and self._now.text in symbols

    def _accept(self, *symbols: str) -> Token | None:
        return self._take() if self._is(*symbols) else None

    def _expect(self, symbol: str, where: str) -> Token:
        if not self._is(symbol):
            raise CueError(f"{symbol} is expected {where}, not {self._now.text}", self._now.line)
        return self._take()

    def _word(self, word: str) -> bool:
        return self._now.kind == "name" and self._now.text == word

    # -- the file ------------------------------------------------------------------------------------------------------

    def file(self) -> File:
        """The whole text."""
        if self._word("package"):
            self._take()
            if self._now.kind != "name" or self._now.text.startswith("_"):
                raise CueError("package needs a name", self._now.line)
            self._take()
            self._comma("after the package clause")
        imports: dict[str, int] = {}
        while self._word("import") and self._tokens[self._at + 1].text != ":":
            self._imports(imports)
        body = self._members("end", self._now.line)
        return File(imports, body)

    def _imports(self, found: dict[str, int]) -> None:
        self._take()
        if self._accept("("):
            while not self._accept(")"):
                self._import(found)
                if not self._is(")"):
                    self._comma("between imports")
        else:
            self._import(found)
        self._comma("after an import")

    def _import(self, found: dict[str, int]) -> None:
        token = self._take()
        if token.kind == "name":
            raise CueError("an import under another name is not read here", token.line)
        if token.kind != "string" or token.value not in PACKAGES:
            known = ", ".join(PACKAGES)
            raise CueError(f"the package {token.value or token.text!s} is not read here; known are {known}", token.line)
        if token.value in found:
            raise CueError(f"{token.value} is imported twice", token.line)
        found[str(token.value)] = token.line

    def _comma(self, where: str) -> None:
        if self._now.kind == "end":
            return
        if self._now.kind != "comma":
            raise CueError(f"a newline or a comma is expected {where}, not {self._now.text}", self._now.line)
        self._take()

    # -- structs -------------------------------------------------------------------------------------------------------

    def _members(self, end: str, line: int) -> Struct:
        """Fields up to `end`, which is taken (``}`` or ``end``)."""
        found: list[Field | Guard | Struct] = []
        while not (self._now.kind == "end" if end == "end" else self._is(end)):
            if self._accept("..."):
                # Structs are open; the ellipsis says so once more.
                if not (self._is("}") or self._now.kind in {"comma", "end"}):
                    raise CueError("a type after ... in a struct is not read here", self._now.line)
            else:
                found.append(self._member())
            if not self._is(end):
                self._comma("between fields")
        self._take()
        return Struct(tuple(found), line)

    def _member(self) -> Field | Guard | Struct:
        token = self._now
        after = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        if self._word("if") and after.text not in {":", "?"}:
            return self._guard()
        if token.kind == "name" and token.text in _KEYWORDS and after.text != ":":
            raise CueError(f"{_KEYWORDS[token.text]} are not read here", token.line)
        if self._is("{"):
            struct = self._operand()
            if not isinstance(struct, Struct) or self._is("&", "|"):
                raise CueError("an embedded expression is not read here", token.line)
            return struct
        if self._is("["):
            raise CueError("pattern constraints ([string]: …) and embedded lists are not read here", token.line)
        if self._is("("):
            raise CueError("dynamic field names are not read here", token.line)
        return self._field()

    def _guard(self) -> Guard:
        line = self._take().line
        condition = self._expression()
        if not self._is("{"):
            raise CueError(f"{{ is expected after if, not {self._now.text}", self._now.line)
        body = self._operand()
        if not isinstance(body, Struct):
            raise CueError("a struct is expected after if", line)
        return Guard(condition, body, line)

    def _field(self) -> Field:
        token = self._take()
        if token.kind not in {"name", "string"}:
            raise CueError(f"a field is expected, not {token.text}", token.line)
        named = token.kind == "name"
        label = token.text if named else str(token.value)
        if named and (label.startswith("__") or label == "_" or label in {"for", "let", "if", "package", "import"}):
            raise CueError(f"the field name {label} is not read here; put it in quotes", token.line)
        mark = self._accept("?", "!")
        if not self._accept(":"):
            said = "an embedded expression" if self._now.kind in {"comma", "end"} else f"{label} {self._now.text}"
            raise CueError(f"{said} is not read here; a field is written name: value", token.line)
        value: Expression
        if self._shorthand():
            self._enter(token.line)
            value = Struct((self._field(),), token.line)
            self._depth -= 1
        else:
            value = self._expression()
        return Field(label, named, mark.text if mark else "", value, token.line)

    def _shorthand(self) -> bool:
        """Whether another label follows: ``a: b: 1``."""
        if self._now.kind not in {"name", "string"}:
            return False
        following = self._tokens[self._at + 1 : self._at + 3]
        texts = [token.text for token in following if token.kind == "symbol"]
        return texts[:1] == [":"] or (len(texts) == 2 and texts[0] in {"?", "!"} and texts[1] == ":")

    # -- expressions ---------------------------------------------------------------------------------------------------

    def _enter(self, line: int) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise CueError(f"the policy is nested deeper than {_MAX_DEPTH} levels", line)

    def _expression(self) -> Expression:
        """Precedence, from the weakest: ``|``, ``&``, ``||``, ``&&``, comparisons (spec: "Operators")."""
        line = self._now.line
        self._enter(line)
        marked = self._is("*")
        parts = [self._alternative()]
        while self._accept("|"):
            parts.append(self._alternative())
        self._depth -= 1
        if marked and len(parts) == 1:
            raise CueError("a default without an alternative is not read here", line)
        return parts[0] if len(parts) == 1 else Any(tuple(parts), line)

    def _alternative(self) -> Expression:
        """One side of ``|``. Which is the default (``*``) matters only where a value is missing."""
        if not self._accept("*"):
            return self._conjunction()
        found = self._either()
        if self._is("&"):
            raise CueError("a default that is a conjunction is not read here; put it in parentheses", self._now.line)
        return found

    def _conjunction(self) -> Expression:
        line = self._now.line
        parts = [self._either()]
        while self._accept("&"):
            parts.append(self._either())
        return parts[0] if len(parts) == 1 else All(tuple(parts), line)

    def _either(self) -> Expression:
        left = self._both()
        while token := self._accept("||"):
            left = Logic("||", (left, self._both()), token.line)
        return left

    def _both(self) -> Expression:
        left = self._comparison()
        while token := self._accept("&&"):
            left = Logic("&&", (left, self._comparison()), token.line)
        return left

    def _comparison(self) -> Expression:
        left = self._unary()
        token = self._accept(*_ORDERS)
        if token is None:
            return left
        right = self._unary()
        if self._is(*_ORDERS):
            raise CueError("a comparison of a comparison is not read here", token.line)
        return Compared(token.text, left, right, token.line)  # type: ignore[arg-type] # one of _ORDERS

    def _unary(self) -> Expression:
        token = self._now
        if self._accept(*_ORDERS):
            self._enter(token.line)
            operand = self._unary()
            self._depth -= 1
            if token.text == "==":
                raise CueError("== without a left side is not read here; write the value", token.line)
            return Bound(token.text, operand, token.line)  # type: ignore[arg-type] # one of _ORDERS
        if self._accept("!"):
            self._enter(token.line)
            inner = self._unary()
            self._depth -= 1
            return Logic("!", (inner,), token.line)
        if self._accept("-", "+"):
            number = self._take()
            if number.kind != "number" or not isinstance(number.value, Number):
                raise CueError("arithmetic is not read here", token.line)
            said = number.value
            return Value(Number(-said.amount if token.text == "-" else said.amount, said.whole), token.line)
        found = self._operand()
        if self._is("+", "-", "*"):
            raise CueError("arithmetic is not read here", self._now.line)
        return found

    def _operand(self) -> Expression:
        token = self._take()
        if token.kind == "string":
            return Value(str(token.value), token.line)
        if token.kind == "number" and isinstance(token.value, Number):
            return Value(token.value, token.line)
        if token.kind == "name":
            return self._name(token)
        if token.text == "_|_":
            raise CueError("_|_ is not read here", token.line)
        self._enter(token.line)
        if token.text == "{":
            found: Expression = self._members("}", token.line)
        elif token.text == "[":
            found = self._list(token.line)
        elif token.text == "(":
            found = self._expression()
            self._expect(")", "after (")
        else:
            raise CueError(f"a value is expected, not {token.text}", token.line)
        self._depth -= 1
        return found

    def _list(self, line: int) -> List:
        items: list[Expression] = []
        rest: Expression | None = None
        while not self._is("]"):
            if self._accept("..."):
                rest = Type("_", line) if self._is("]", ",", "newline") else self._expression()
            elif self._word("for") or self._word("if"):
                raise CueError("comprehensions in lists are not read here", self._now.line)
            else:
                items.append(self._expression())
            if not self._is("]"):
                self._comma("between the items of a list")
            if rest is not None and not self._is("]"):
                raise CueError("... is the last of a list", self._now.line)
        self._take()
        return List(tuple(items), rest, line)

    def _name(self, token: Token) -> Expression:
        if token.text in _WORDS:
            return Value(_WORDS[token.text], token.line)
        if token.text in {*_KEYWORDS, "if"}:
            raise CueError(f"{token.text} is not read here", token.line)
        selectors = []
        while self._accept("."):
            selected = self._take()
            if selected.kind != "name":
                raise CueError("a selector that is no plain name is not read here", selected.line)
            selectors.append(selected.text)
        if self._is("["):
            raise CueError("indexes are not read here", self._now.line)
        if not self._is("("):
            if not selectors and token.text in _TYPES:
                # A field of this name would be meant; `names` sees to it.
                return Type(token.text, token.line)  # type: ignore[arg-type] # one of _TYPES
            return Reference(token.text, tuple(selectors), token.line)
        return Call(".".join((token.text, *selectors)), self._arguments(), token.line)

    def _arguments(self) -> tuple[Expression, ...]:
        line = self._take().line
        found: list[Expression] = []
        self._enter(line)
        while not self._accept(")"):
            found.append(self._expression())
            if not self._is(")"):
                self._comma("between arguments")
        self._depth -= 1
        return tuple(found)
