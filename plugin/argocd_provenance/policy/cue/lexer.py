"""CUE text as tokens, with the commas that a newline stands for.

Only what is read: other spellings (bytes, interpolation, octal numbers, …) are refused by name. cue: doc/ref/spec.md,
"Lexical elements".
"""

import re
from decimal import Decimal
from typing import Literal, NamedTuple

from argocd_provenance.policy.cue.syntax import CueError, Number
from argocd_provenance.regex import regex

Kind = Literal["name", "string", "number", "symbol", "comma", "end"]

_MAX_DIGITS = 100
_SYMBOLS = ("...", "_|_", "<-", "<=", ">=", "==", "!=", "=~", "!~", "&&", "||", *"{}[]():,.&|<>!*+-?")
# Spaces and comments, which are never given back, and one token: policies of a thousand texts are read in one match each.
_TOKEN = regex(
    rf"""(?:[ \t\r]|//[^\n]*+)*+(?:
    (?P<newline>\n)
    |(?P<end>\Z)
    |(?P<string>"(?!"")[^"\\\n]*+(?:\\[\s\S][^"\\\n]*+)*+")
    |(?P<number>(?:0|[1-9][0-9]*+)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{{1,3}})?)
    |(?P<symbol>{"|".join(re.escape(symbol) for symbol in _SYMBOLS)})
    |(?P<name>[A-Za-z_$][A-Za-z0-9_$]*+)
    |(?P<other>[\s\S])
    )""",
    re.VERBOSE,
)
_ESCAPE = regex(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "/": "/", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
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


class Token(NamedTuple):
    """One token; `value` is the text of a string, or the number."""

    kind: Kind
    text: str
    line: int
    value: str | Number = ""


def tokens(text: str) -> list[Token]:
    """The tokens of `text`, and one ``end``; raises `CueError`."""
    found: list[Token] = []
    place, line = 0, 1
    while True:
        match = _TOKEN.match(text, place)
        kind = match.lastgroup if match is not None else None
        if match is None or kind is None:
            raise AssertionError("a token is always found: the last alternative takes any character")
        if kind in {"newline", "end"}:
            if found and _ends(found[-1]):
                found.append(Token("comma", "newline", line))
            if kind == "end":
                return [*found, Token("end", "the end", line)]
            line += 1
        place = match.end()
        if kind == "other":
            token, place = _other(text, match.start("other"), line)
            found.append(token)
        elif kind != "newline":
            found.append(_token(kind, match[kind], line, text[place : place + 1]))


def _ends(token: Token) -> bool:
    """Whether a newline after `token` ends a field (spec: "Commas")."""
    return token.kind in {"name", "string", "number"} or (token.kind == "symbol" and token.text in _ENDING)


def _token(kind: str, written: str, line: int, after: str) -> Token:
    """The token that is `written`; `after` is the character that follows, if any."""
    if kind == "name":
        return Token("name", written, line)
    if kind == "symbol":
        return Token("comma" if written == "," else "symbol", written, line)
    return _string(written[1:-1], line) if kind == "string" else _number(written, after, line)


def _other(text: str, place: int, line: int) -> tuple[Token, int]:
    """The token at `place` that few write, and where it ends; `CueError` where it is not read."""
    if text.startswith('#"', place) and not text.startswith('#"""', place):
        return _raw(text, place, line)
    if text.startswith('"""', place):
        raise CueError("multi-line strings are not read here", line)
    if text[place] == '"':
        raise CueError("a string does not end on its line", line)
    raise CueError(f"{_REFUSED.get(text[place]) or 'the character ' + repr(text[place])} is not read here", line)


def _number(written: str, after: str, line: int) -> Token:
    if after and (after.isalnum() or after in "_."):
        raise CueError(f"the number {written}{after} is not read here; write plain decimal digits", line)
    if len(written) > _MAX_DIGITS:
        raise CueError(f"a number has more than {_MAX_DIGITS} characters", line)
    return Token("number", written, line, Number(Decimal(written), written.isdigit()))


def _string(written: str, line: int) -> Token:
    if "\\" in written:
        written = _ESCAPE.sub(lambda escape: _escaped(escape, line), written)
    return Token("string", "a string", line, written)


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
