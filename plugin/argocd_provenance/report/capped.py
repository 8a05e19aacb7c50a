"""A report that fits.

The law: what is left out is counted. Lines of one kind (a word and a finding code) stand together; each kind has one
line in full if there is room, then the names of the others, then their number; and the verdict, which is first, is last
again, for whoever reads only the end.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from argocd_provenance.records import dataclass, field


@dataclass(frozen=True, slots=True)
class Line:
    """A line, its kind, and the short name by which it may be told of; without a name it is told in full or counted."""

    text: str
    word: str = ""
    code: str = ""
    name: str = ""


@dataclass(slots=True)
class _Kind:
    """The lines of one kind: those told in full, those told by name, and those that are only counted so far."""

    label: str
    counted: deque[Line] = field(default_factory=deque)
    full: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)

    def said(self) -> list[str]:
        others = [*self.named, *([f"+{len(self.counted)} more"] if self.counted else [])]
        if not others:
            return self.full
        also = "also " if self.full and self.named else ""
        return [*self.full, f"{self.label or ' …'} {also}{', '.join(others)}"]

    def take(self, *, name: bool) -> None:
        line = self.counted.popleft()
        if name and line.name:
            self.named.append(line.name)
        else:
            self.full.append(line.text)

    def give_back(self, line: Line, *, name: bool) -> None:
        (self.named if name and line.name else self.full).pop()
        self.counted.appendleft(line)


def fit(head: str, lines: Sequence[Line], limit: int | None) -> list[str]:
    """`head` and the texts of `lines`, as at most `limit` bytes with a line break after each (None: no limit)."""
    whole = [head, *(line.text for line in lines)]
    if limit is None or _size(whole) <= limit:
        return whole
    head, last = cut(head, limit // 2), cut(head, limit // 4)
    kinds: dict[tuple[str, str], _Kind] = {}
    for line in lines:
        label = f" {line.word}" * bool(line.word) + f" [{line.code}]" * bool(line.code)
        kinds.setdefault((line.word, line.code), _Kind(label)).counted.append(line)
    shown, dropped = list(kinds.values()), 0

    def said() -> list[str]:
        left_out = [f" … +{dropped} more kinds of lines"] if dropped else []
        return [head, *(text for kind in shown for text in kind.said()), *left_out, last]

    def fits_with(kind: _Kind, *, name: bool) -> bool:
        line = kind.counted[0]
        kind.take(name=name)
        if _size(said()) <= limit:
            return True
        kind.give_back(line, name=name)
        return False

    while shown and _size(said()) > limit:
        shown.pop()
        dropped += 1
    for kind in shown:
        fits_with(kind, name=False)
    room = shown
    while room:  # a name of each kind in turn, so that none takes it all
        room = [kind for kind in room if kind.counted and fits_with(kind, name=True)]
    return said()


def cut(text: str, limit: int) -> str:
    """`text` as at most `limit` bytes."""
    encoded = text.encode(errors="backslashreplace")
    return text if len(encoded) <= limit else encoded[: limit - 3].decode(errors="ignore") + "…"


def _size(lines: Iterable[str]) -> int:
    return sum(len(line.encode(errors="backslashreplace")) + 1 for line in lines)
