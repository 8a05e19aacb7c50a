r"""Globs as Argo CD matches ``directory.include`` and ``directory.exclude``: gobwas/glob without separators.

``*`` and ``**`` are any text, slashes included; ``?`` is one character; ``[abc]``, ``[a-z]`` and ``[!…]`` a set or one
range; ``{a,b}`` alternatives, which nest; ``\`` takes the next character literally. Syntax:
https://github.com/gobwas/glob/blob/master/syntax/lexer/lexer.go. Argo CD logs a malformed pattern and matches nothing;
here it is an error, for an `exclude` that excludes nothing would surprise.
"""

import re
from collections.abc import Iterator
from itertools import pairwise


class GlobError(ValueError):
    """The pattern is no glob; the message says why."""


def glob(pattern: str) -> re.Pattern[str]:
    """`pattern` as a regular expression, for `fullmatch`; raises `GlobError`."""
    characters = iter(pattern)
    parts: list[str] = []
    depth = 0
    for c in characters:
        if c == "*":
            if parts[-1:] != [".*"]:
                parts.append(".*")
        elif c == "?":
            parts.append(".")
        elif c == "[":
            parts.append(_set(characters, pattern))
        elif c == "{":
            depth += 1
            parts.append("(?:")
        elif c == "}" and depth:
            depth -= 1
            parts.append(")")
        elif c == "," and depth:
            parts.append("|")
        else:
            parts.append(re.escape(_escaped(characters, pattern) if c == "\\" else c))
    if depth:
        raise GlobError(f"{pattern!r}: a {{ is never closed")
    return re.compile("".join(parts), re.DOTALL)


def _escaped(characters: Iterator[str], pattern: str) -> str:
    c = next(characters, "")
    if not c:
        raise GlobError(f"{pattern!r}: ends in a single \\")
    return c


def _set(characters: Iterator[str], pattern: str) -> str:
    """What stands between ``[`` and ``]``: one range, or a list of characters, perhaps negated."""
    negated, range_ = "", None
    listed: list[str] = []
    for c in characters:
        if c == "]":
            break
        if c == "!" and not listed and not negated:
            negated = "^"
        elif c == "-" and len(listed) == 1 and range_ is None:
            range_ = listed.pop()
        else:
            listed.append(_escaped(characters, pattern) if c == "\\" else c)
    else:
        raise GlobError(f"{pattern!r}: a [ is never closed")
    if range_ is None and listed:
        return f"[{negated}{''.join(map(re.escape, listed))}]"
    if range_ is not None and len(listed) == 1 and all(low <= high for low, high in pairwise((range_, *listed))):
        return f"[{negated}{re.escape(range_)}-{re.escape(listed[0])}]"
    raise GlobError(f"{pattern!r}: between [ and ] stands one range, or a list of characters")
