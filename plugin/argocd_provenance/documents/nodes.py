"""The structure of one document, with the place of each scalar in its text.

The parser is libyaml 0.2.5 (PyYAML's C parser), because Argo CD reads with a port of libyaml. Anything that YAML readers
could understand differently is refused: tags, directives, keys that are no plain words, text behind the end.
"""

from typing import Any

import yaml._yaml as libyaml

from argocd_provenance.documents.scalars import plain
from argocd_provenance.documents.split import Part
from argocd_provenance.errors import DocumentError
from argocd_provenance.records import dataclass, field

_STRING_TAG = "tag:yaml.org,2002:str"
_DIRECTIVE = "YAML directives are not read alike everywhere; remove the % line"
# Deeper than any real manifest (the schema of the deepest CRD we met has 57 levels); the walks over nodes are recursive.
_DEPTH_LIMIT = 200


@dataclass(slots=True, eq=False)
class Scalar:
    """A scalar: its text, and whether it is plain (and so may be no string); places are asked of the event when needed."""

    text: str
    plain: bool
    event: Any
    bom: int

    @property
    def value(self) -> str | int | float | bool | None:
        """What go-yaml makes of it."""
        return plain(self.text) if self.plain else self.text

    @property
    def style(self) -> str:
        """``'``, ``"``, ``|``, ``>`` or nothing."""
        return self.event.style or ""

    @property
    def bare(self) -> bool:
        """Neither anchor nor tag stands between `start` and the text."""
        return self.event.anchor is None and self.event.tag is None

    @property
    def start(self) -> int:
        """Where it begins in the part's text, its anchor and tag included."""
        return int(self.event.start_mark.index) + self.bom

    @property
    def end(self) -> int:
        """Where it ends; a block scalar with the line breaks behind it."""
        return int(self.event.end_mark.index) + self.bom

    @property
    def line(self) -> int:
        """Its line within the part, from 0."""
        return int(self.event.start_mark.line)


@dataclass(slots=True, eq=False)
class Mapping:
    """A mapping: its entries in the order of the text, merges (``<<``) among them."""

    flow: bool
    start: int
    line: int
    end: int = 0
    entries: list[tuple[Scalar, "Node"]] = field(default_factory=list)
    merged: "dict[str, Node] | None" = None
    """Key to value as go-yaml sees them; filled by `fields`."""
    doubled: "list[tuple[str, Scalar, Node, Node]]" = field(default_factory=list)
    """Keys that stand twice, with both values; filled by `fields`, judged by `find`."""


@dataclass(slots=True, eq=False)
class Sequence:
    """A list."""

    flow: bool
    start: int
    line: int
    end: int = 0
    items: list["Node"] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Alias:
    """A place where a node that stands elsewhere is used again."""

    target: "Scalar | Mapping | Sequence"
    start: int
    end: int
    line: int


Node = Scalar | Mapping | Sequence | Alias
Target = Scalar | Mapping | Sequence


def resolved(node: Node) -> Target:
    """`node`, or what it is an alias of."""
    return node.target if isinstance(node, Alias) else node


class EventReader:
    """The events of one part, refusals included."""

    def __init__(self, part: Part) -> None:
        self.part = part
        try:
            self.next = libyaml.CParser(part.content).get_event
        except UnicodeEncodeError as error:
            raise part.refusal("not Unicode text", part.content.count("\n", 0, error.start)) from error

    def fault(self, error: Exception) -> DocumentError:
        """What libyaml says about text that is no YAML."""
        if self.part.content.startswith("%"):
            # A directive needs a separator behind it, which is not in the part.
            return self.part.refusal(_DIRECTIVE)
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not readable"
        return self.part.refusal(f"not YAML: {problem}", mark.line if mark is not None else 0)


def check_tag(part: Part, event: Any) -> None:
    """Refuse an explicit tag other than ``!!str``."""
    if event.tag is not None and event.tag != _STRING_TAG:
        raise part.refusal(f"the tag {event.tag[:60]!r} is not read alike everywhere; remove it", event.start_mark.line)


def check_start(part: Part, event: Any) -> None:
    """Refuse directives."""
    if event.version is not None or event.tags:
        raise part.refusal(_DIRECTIVE, event.start_mark.line)


def compose(part: Part) -> Target | None:
    """The root node of `part`, or None for an empty document; raises DocumentError."""
    reader = EventReader(part)
    try:
        return _Composer(reader).document()
    except libyaml_errors() as error:
        raise reader.fault(error) from error


def libyaml_errors() -> tuple[type[Exception], ...]:
    """What libyaml's binding raises about bad text."""
    return (libyaml.YAMLError,)


class _Composer:
    """Builds nodes from events without recursion, so that depth is a limit and no crash."""

    def __init__(self, reader: EventReader) -> None:
        self._reader, self._part = reader, reader.part
        self._bom = reader.part.bom
        self._anchors: dict[str, Target] = {}
        self._open: list[Mapping | Sequence] = []

    def document(self) -> Target | None:  # noqa: C901, PLR0912  one branch an event; calls would cost a third more time
        """The one root; scalars are built in place, because they are most of a document."""
        following, bom, scalar_event = self._reader.next, self._bom, libyaml.ScalarEvent
        # The collection that is open, and the key that waits for its value there; those around them are on the stack.
        parent: Mapping | Sequence | None = None
        key: Scalar | None = None
        keys: list[Scalar | None] = []
        root: Node | None = None
        node: Node
        while True:
            event = following()
            kind = event.__class__
            if kind is scalar_event:
                if event.tag is None:
                    node = Scalar(event.value, event.implicit[0], event, bom)
                else:
                    check_tag(self._part, event)
                    node = Scalar(event.value, False, event, bom)
                if event.anchor is not None:
                    self._anchors[event.anchor] = node
            elif kind is libyaml.MappingEndEvent or kind is libyaml.SequenceEndEvent:
                self._open.pop().end = event.end_mark.index + bom
                parent, key = self._open[-1] if self._open else None, keys.pop()
                continue
            elif kind is libyaml.AliasEvent:
                node = self._alias(event)
            elif kind is libyaml.MappingStartEvent or kind is libyaml.SequenceStartEvent:
                node = self._collection(event, kind)
            elif kind is libyaml.StreamEndEvent:
                return None if root is None else resolved(root)
            else:
                self._frame(event, kind, again=root is not None)
                continue
            if parent is None:
                root = node
            elif parent.__class__ is Sequence:
                parent.items.append(node)
            elif key is not None:
                parent.entries.append((key, node))  # type: ignore[union-attr]  # the other class was asked for above
                key = None
            elif node.__class__ is Scalar:
                key = node
                continue
            else:
                what = "an alias" if isinstance(node, Alias) else "a list or a mapping"
                raise self._part.refusal(f"{what} as a key is not read alike everywhere", node.line)
            if node.__class__ is Mapping or node.__class__ is Sequence:
                keys.append(key)
                self._open.append(node)
                parent, key = node, None

    def _frame(self, event: Any, kind: type, *, again: bool) -> None:
        """Starts and ends of stream and document."""
        if kind is libyaml.DocumentStartEvent:
            if again:
                raise self._part.refusal(
                    "text behind the end of the document is dropped by some readers", event.start_mark.line
                )
            check_start(self._part, event)

    def _collection(self, event: Any, kind: type) -> Mapping | Sequence:
        check_tag(self._part, event)
        mark = event.start_mark
        factory = Mapping if kind is libyaml.MappingStartEvent else Sequence
        node: Mapping | Sequence = factory(bool(event.flow_style), mark.index + self._bom, mark.line)
        if event.anchor is not None:
            # While it is open, `_alias` refuses its use.
            self._anchors[event.anchor] = node
        if len(self._open) >= _DEPTH_LIMIT:
            raise self._part.refusal(f"nested deeper than {_DEPTH_LIMIT} levels", mark.line)
        return node

    def _alias(self, event: Any) -> Alias:
        line = event.start_mark.line
        target = self._anchors.get(event.anchor)
        if target is None:
            raise self._part.refusal(f"the alias *{event.anchor} has no anchor before it", line)
        if any(target is one for one in self._open):
            raise self._part.refusal(f"the alias *{event.anchor} stands inside its own anchor", line)
        return Alias(target, event.start_mark.index + self._bom, event.end_mark.index + self._bom, line)
