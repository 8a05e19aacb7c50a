"""The words of an expression. cel-spec: doc/langdef.md, "Syntax"."""

import re
from typing import Literal

from argocd_provenance.records import dataclass

Kind = Literal["name", "number", "text", "sign", "end"]

_KINDS: dict[str, Kind] = {"name": "name", "number": "number", "text": "text", "sign": "sign"}
_TOKEN = re.compile(
    r"""
    (?P<space>(?:[\t\n\f\r ]|//[^\n]*)+)
    |(?P<text>[rR]?(?:'''(?:[^\\]|\\.)*?'''|\"\"\"(?:[^\\]|\\.)*?\"\"\"|'(?:[^\\'\n\r]|\\.)*'|"(?:[^\\"\n\r]|\\.)*"))
    |(?P<number>0[xX][0-9a-fA-F]+|(?:[0-9]*\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/%!<>?:.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_RAW = re.compile(r"[rR]('''.*?'''|\"\"\".*?\"\"\"|'[^'\n\r]*'|\"[^\"\n\r]*\")", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[xX][0-9a-fA-F]{2}|[0-3][0-7]{2}|.)", re.DOTALL)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "?": "?",
           '"': '"', "'": "'", "`": "`"}  # fmt: skip


class CelSyntaxError(ValueError):
    """A text that is no expression that can be judged here; the message says why, and where."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word; `column` counts from 1."""

    kind: Kind
    text: str
    column: int


def tokens(text: str) -> list[Token]:
    """The words of `text`, and the end; raises `CelSyntaxError`."""
    found: list[Token] = []
    place = 0
    while place < len(text):
        match = _RAW.match(text, place) or _TOKEN.match(text, place)
        column = place + 1
        if match is None:
            raise CelSyntaxError(f"is no CEL expression: {text[place]!r} is not understood (column {column})")
        place = match.end()
        group = match.lastgroup if match.re is _TOKEN else "text"
        if group == "space":
            continue
        written = match.group()
        kind = _KINDS[str(group)]
        found.append(Token(kind, unquoted(written, column) if kind == "text" else written, column))
        _refuse_glued(found, text, place, column)
    return [*found, Token("end", "", len(text) + 1)]


def _refuse_glued(found: list[Token], text: str, place: int, column: int) -> None:
    """Raise for ``1u``, ``b"…"`` and the like, which are one word in CEL and would be two here."""
    following = text[place : place + 1]
    if found and found[-1].kind == "number" and (following.isalnum() or following == "_"):
        what = "unsigned numbers are not read here" if following in "uU" else "a number ends in a letter"
        raise CelSyntaxError(f"{what} (column {column})")
    if found and found[-1].kind == "name" and following in {"'", '"'} and following:
        raise CelSyntaxError(f"bytes are not read here (column {column})")


def unquoted(written: str, column: int) -> str:
    """The text that a literal stands for."""
    raw = written[0] in "rR"
    body = written[1:] if raw else written
    edge = 3 if body[:3] in ("'''", '"""') and len(body) >= 6 else 1
    inner = body[edge:-edge]
    return inner if raw else _ESCAPE.sub(lambda match: _unescaped(match[1], column), inner)


def _unescaped(code: str, column: int) -> str:
    if code in _SIMPLE:
        return _SIMPLE[code]
    if code[0] in "uUxX" and len(code) > 1:
        number = int(code[1:], 16)
    elif len(code) == 3:
        number = int(code, 8)
    else:
        raise CelSyntaxError(f"there is no escape \\{code} in a text (column {column})")
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise CelSyntaxError(f"\\{code} is no character (column {column})")
    return chr(number)
