"""CUE text as tokens, with the commas that a newline stands for.

Only what is read: other spellings (bytes, interpolation, octal numbers, …) are refused by name. cue: doc/ref/spec.md,
"Lexical elements".
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from argocd_provenance.policy.cue.syntax import CueError, Number
from argocd_provenance.records import dataclass

Kind = Literal["name", "string", "number", "symbol", "comma", "end"]

_MAX_DIGITS = 100
_SPACE = re.compile(r"(?:[ \t\r]|//[^\n]*)*")
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_NUMBER = re.compile(r"(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "/": "/", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_SYMBOLS = ("...", "_|_", "<-", "<=", ">=", "==", "!=", "=~", "!~", "&&", "||", *"{}[]():,.&|<>!*+-?")
_REFUSED = {
    "'": "a text of bytes",
    "#": "a definition (it closes structs)",
    "@": "an attribute",
    "=": "an alias",
    ";": "a semicolon",
    "/": "arithmetic",
    "`": "a backquote",
    "~": "an alias",
}
_ENDING = frozenset({"...", "_|_", ")", "]", "}", "?", "!"})


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `value` is the text of a string, or the number."""

    kind: Kind
    text: str
    line: int
    value: str | Number = ""


def tokens(text: str) -> Iterator[Token]:
    """The tokens of `text`, and one ``end``; raises `CueError`."""
    place, line, last = 0, 1, None
    while True:
        space = _SPACE.match(text, place)
        place = space.end() if space else place
        if place >= len(text) or text[place] == "\n":
            if last is not None and _ends(last):
                last = Token("comma", "newline", line)
                yield last
            if place >= len(text):
                yield Token("end", "the end", line)
                return
            place, line = place + 1, line + 1
            continue
        last, place = _token(text, place, line)
        yield last


def _ends(token: Token) -> bool:
    """Whether a newline after `token` ends a field (spec: "Commas")."""
    return token.kind in {"name", "string", "number"} or (token.kind == "symbol" and token.text in _ENDING)


def _token(text: str, place: int, line: int) -> tuple[Token, int]:
    """The token at `place`, and where it ends."""
    if text.startswith('#"', place) and not text.startswith('#"""', place):
        return _raw(text, place, line)
    if text.startswith('"""', place):
        raise CueError("multi-line strings are not read here", line)
    if text[place] == '"':
        return _string(text, place, line)
    if number := _NUMBER.match(text, place):
        return _number(text, number, line)
    if text.startswith("_|_", place):
        return Token("symbol", "_|_", line), place + 3
    if name := _NAME.match(text, place):
        return Token("name", name[0], line), name.end()
    for symbol in _SYMBOLS:
        if text.startswith(symbol, place):
            return Token("comma" if symbol == "," else "symbol", symbol, line), place + len(symbol)
    raise CueError(f"{_REFUSED.get(text[place]) or 'the character ' + repr(text[place])} is not read here", line)


def _number(text: str, number: re.Match[str], line: int) -> tuple[Token, int]:
    after = text[number.end() : number.end() + 1]
    if after and (after.isalnum() or after in "_."):
        raise CueError(f"the number {number[0]}{after} is not read here; write plain decimal digits", line)
    if len(number[0]) > _MAX_DIGITS:
        raise CueError(f"a number has more than {_MAX_DIGITS} characters", line)
    whole = number[1] is None and number[2] is None
    return Token("number", number[0], line, Number(Decimal(number[0]), whole)), number.end()


def _string(text: str, place: int, line: int) -> tuple[Token, int]:
    end = place + 1
    while text[end : end + 1] not in {'"', "\n", ""}:
        end += 2 if text[end] == "\\" else 1
    if text[end : end + 1] != '"':
        raise CueError("a string does not end on its line", line)
    written = text[place + 1 : end]
    return Token("string", "a string", line, _ESCAPE.sub(lambda escape: _escaped(escape, line), written)), end + 1


def _escaped(escape: re.Match[str], line: int) -> str:
    code = escape[1] or escape[2]
    if code is not None:
        number = int(code, 16)
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF or number == 0:
            raise CueError(f"the escape {escape[0]} is no character", line)
        return chr(number)
    if escape[3] == "(":
        raise CueError("interpolation is not read here", line)
    if escape[3] not in _ESCAPES:
        raise CueError(f"the escape {escape[0]} is not read here", line)
    return _ESCAPES[escape[3]]


def _raw(text: str, place: int, line: int) -> tuple[Token, int]:
    """``#"…"#``: a string without escapes, as people write expressions."""
    end = text.find('"#', place + 2)
    written = text[place + 2 : end]
    if end < 0 or "\n" in written:
        raise CueError("a string does not end on its line", line)
    if "\\#" in written:
        raise CueError("escapes in #-strings are not read here", line)
    if text[end + 2 : end + 3] == "#":
        raise CueError("strings with more than one # are not read here", line)
    return Token("string", "a string", line, written), end + 2
