"""Whether two globs have a text in common: by walking both at once."""

import re
from collections.abc import Iterator

from argocd_provenance.policy.patterns import Exact, Expression, Glob, Pattern

_TOKEN = re.compile(r"\*\*|\*|[^*]", re.DOTALL)
_PREFIX = re.compile(r"(?:\\[^a-zA-Z0-9]|[A-Za-z0-9/:@_-])+")


def meet(one: str, other: str) -> bool:
    """Whether some text fits both globs; a glob is as `patterns.Glob` reads it."""
    left, right = _TOKEN.findall(one), _TOKEN.findall(other)
    seen: set[tuple[int, int]] = set()
    waiting = [(0, 0)]
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        if here == (len(left), len(right)):
            return True
        waiting += _steps(left, right, *here)
    return False


def can_fit(pattern: Pattern, shape: str) -> bool:
    """Whether `pattern` may fit a text of the glob `shape`; of an expression only what it begins with is looked at."""
    if isinstance(pattern, Glob):
        return meet(pattern.text.lower(), shape.lower()) if pattern.fold else meet(pattern.text, shape)
    if isinstance(pattern, Exact):
        return Glob(shape).matches(pattern.text)
    begin = beginning(pattern)
    return begin is None or meet(f"{begin}**", shape)


def beginning(expression: Expression) -> str | None:
    """The literal text that whatever fits `expression` begins with; None where that cannot be told."""
    text = expression.text
    if expression.anywhere and not text.startswith("^"):
        return None
    text = text.removeprefix("^")
    found = _PREFIX.match(text)
    if found is None or "|" in text or "(?" in text or "*" in found[0]:
        return None
    written, rest = found[0], text[found.end() :]
    if rest[:1] in {"*", "?", "+", "{"}:  # the last character is repeated, and may be left out
        written = re.sub(r"(\\.|.)$", "", written)
    return re.sub(r"\\(.)", r"\1", written)


def _steps(left: list[str], right: list[str], i: int, j: int) -> Iterator[tuple[int, int]]:
    a = left[i] if i < len(left) else ""
    b = right[j] if j < len(right) else ""
    if a in {"*", "**"}:
        yield i + 1, j
    if b in {"*", "**"}:
        yield i, j + 1
    if not a or not b:
        return
    if _takes(a, b):
        yield (i if a in {"*", "**"} else i + 1), (j if b in {"*", "**"} else j + 1)


def _takes(a: str, b: str) -> bool:
    """Whether one character fits both tokens."""
    if a in {"*", "**"} and b in {"*", "**"}:
        return False  # progress comes from leaving either
    if a in {"*", "**"}:
        return a == "**" or b != "/"
    if b in {"*", "**"}:
        return b == "**" or a != "/"
    return a == b
