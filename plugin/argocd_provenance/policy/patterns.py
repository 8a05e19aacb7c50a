"""Patterns: what a policy compares texts with.

A pattern is anchored at both ends, and matches in time linear in the text. `*` never crosses a ``/``; `**` does.
"""

import functools
from typing import Any

from argocd_provenance.records import dataclass, field

_MAX_PATTERN = 512
# An identity, a ref or a repository longer than this is hostile, and matches nothing.
_MAX_TEXT = 1024


class BadPatternError(ValueError):
    """A pattern that can match nothing that it is meant for; the message says why."""


@dataclass(frozen=True, slots=True)
class Glob:
    """A text in which `*` stands for any characters but ``/``, and `**` for any characters.

    Everything else is literal. With `fold`, case is not compared (of ASCII letters; others stay apart).
    """

    text: str
    fold: bool = False

    def __post_init__(self) -> None:
        _refuse_length(self.text)
        if "***" in self.text:
            raise BadPatternError("*** is no wildcard; write * (inside a segment) or ** (across segments)")

    @property
    def literal(self) -> bool:
        """Whether it holds no wildcard."""
        return "*" not in self.text

    def matches(self, text: str) -> bool:
        """Whether `text`, from its first to its last character, fits."""
        if not _comparable(text):
            return False
        wanted, offered = (_fold(self.text), _fold(text)) if self.fold else (self.text, text)
        if self.literal:
            return wanted == offered
        return _globbed(wanted).fullmatch(offered) is not None


@dataclass(frozen=True, slots=True)
class Expression:
    """An RE2 regular expression: of the whole text, or `anywhere` in it (only as ClusterImagePolicy has it)."""

    text: str
    anywhere: bool = False
    _compiled: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _refuse_length(self.text)
        object.__setattr__(self, "_compiled", _re2(self.text))

    @property
    def literal(self) -> bool:
        """Never: an expression is a pattern."""
        return False

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` (or `anywhere`, a part of it) fits."""
        if not _comparable(text):
            return False
        found = self._compiled.search(text) if self.anywhere else self._compiled.fullmatch(text)
        return found is not None


@dataclass(frozen=True, slots=True)
class Exact:
    """A text that is compared as it stands."""

    text: str

    @property
    def literal(self) -> bool:
        """Always."""
        return True

    def matches(self, text: str) -> bool:
        """Whether `text` is the same, character by character."""
        return _comparable(text) and text == self.text


Pattern = Glob | Expression | Exact


def _comparable(text: str) -> bool:
    try:
        return len(text.encode()) <= _MAX_TEXT
    except UnicodeEncodeError:  # half of a surrogate pair, which is no text
        return False


def _refuse_length(text: str) -> None:
    if not text:
        raise BadPatternError("is empty; an empty pattern proves nothing")
    if len(text) > _MAX_PATTERN:
        raise BadPatternError(f"is longer than {_MAX_PATTERN} characters")


def _fold(text: str) -> str:
    # str.lower() would make the Kelvin sign a k, and let a lookalike of GitHub's names through.
    return "".join(chr(ord(letter) + 32) if "A" <= letter <= "Z" else letter for letter in text)


@functools.lru_cache(maxsize=4096)
def _globbed(text: str) -> Any:
    import re2  # noqa: PLC0415 - 0.6 MB that a policy of literals never needs

    parts = ("[^/]*".join(re2.escape(literal) for literal in part.split("*")) for part in text.split("**"))
    return _re2("(?s:" + ".*".join(parts) + ")")


@functools.lru_cache(maxsize=4096)
def _re2(text: str) -> Any:
    import re2  # noqa: PLC0415 - as above

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else error
        raise BadPatternError(f"is no RE2 expression: {reason}") from error
