"""The structure of one document, with the place of each scalar in its text.

The parser is libyaml 0.2.5 (PyYAML's C parser), because Argo CD reads with a port of libyaml. Anything that YAML readers
could understand differently is refused: tags, directives, keys that are no plain words, text behind the end.
"""

from dataclasses import dataclass, field
from typing import Any

import yaml._yaml as libyaml

from argocd_provenance.documents.scalars import plain
from argocd_provenance.documents.split import Part
from argocd_provenance.errors import DocumentError

_STRING_TAG = "tag:yaml.org,2002:str"
# Deeper than any real manifest (the schema of the deepest CRD we met has 57 levels); the walks over nodes are recursive.
_DEPTH_LIMIT = 200


@dataclass(slots=True, eq=False)
class Scalar:
    """A scalar: its text, whether it is plain (and so may be no string), and where it stands."""

    text: str
    plain: bool
    style: str
    start: int
    end: int
    line: int
    bare: bool
    """Neither anchor nor tag stands between `start` and the text."""

    @property
    def value(self) -> str | int | float | bool | None:
        """What go-yaml makes of it."""
        return plain(self.text) if self.plain else self.text


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
        self._parser = libyaml.CParser(part.content)
        self.next = self._parser.get_event

    def fault(self, error: Exception) -> DocumentError:
        """What libyaml says about text that is no YAML."""
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
        raise part.refusal("YAML directives are not read alike everywhere; remove the % line", event.start_mark.line)


def compose(part: Part) -> Target | None:
    """The root node of `part`, or None for an empty document; raises DocumentError."""
    reader = EventReader(part)
    try:
        return _Composer(reader).document()
    except libyaml_errors() as error:
        raise reader.fault(error) from error


def libyaml_errors() -> tuple[type[Exception], ...]:
    """What libyaml's binding raises about bad text."""
    return (libyaml.YAMLError, UnicodeEncodeError)


class _Composer:
    """Builds nodes from events without recursion, so that depth is a limit and no crash."""

    def __init__(self, reader: EventReader) -> None:
        self._reader, self._part = reader, reader.part
        self._bom = reader.part.bom
        self._anchors: dict[str, Target] = {}
        self._open: list[Mapping | Sequence] = []
        self._keys: list[Scalar | None] = []
        self._root: Node | None = None

    def document(self) -> Target | None:
        done = False
        while True:
            event = self._reader.next()
            kind = event.__class__
            if kind is libyaml.StreamStartEvent or kind is libyaml.DocumentEndEvent:
                continue
            if kind is libyaml.StreamEndEvent:
                return None if self._root is None else resolved(self._root)
            if kind is libyaml.DocumentStartEvent:
                if done:
                    raise self._part.refusal("text behind the end of the document is dropped by some readers", event.start_mark.line)
                check_start(self._part, event)
                done = True
                continue
            self._node(event, kind)

    def _node(self, event: Any, kind: type) -> None:
        if kind is libyaml.MappingEndEvent or kind is libyaml.SequenceEndEvent:
            self._open.pop().end = event.end_mark.index + self._bom
            self._keys.pop()
            return
        if kind is libyaml.AliasEvent:
            self._place(self._alias(event))
            return
        check_tag(self._part, event)
        mark = event.start_mark
        node: Target
        if kind is libyaml.ScalarEvent:
            node = Scalar(
                event.value,
                event.implicit[0] and event.tag is None,
                event.style or "",
                mark.index + self._bom,
                event.end_mark.index + self._bom,
                mark.line,
                event.anchor is None and event.tag is None,
            )
        else:
            factory = Mapping if kind is libyaml.MappingStartEvent else Sequence
            node = factory(bool(event.flow_style), mark.index + self._bom, mark.line)
        if event.anchor is not None:
            # An anchor of a collection that is still open can only be used inside itself: refused in `_alias`.
            self._anchors[event.anchor] = node
        self._place(node)
        if not isinstance(node, Scalar):
            self._open.append(node)
            self._keys.append(None)
            if len(self._open) > _DEPTH_LIMIT:
                raise self._part.refusal(f"nested deeper than {_DEPTH_LIMIT} levels", mark.line)

    def _alias(self, event: Any) -> Alias:
        line = event.start_mark.line
        target = self._anchors.get(event.anchor)
        if target is None:
            raise self._part.refusal(f"the alias *{event.anchor} has no anchor before it", line)
        if any(target is one for one in self._open):
            raise self._part.refusal(f"the alias *{event.anchor} stands inside its own anchor", line)
        return Alias(target, event.start_mark.index + self._bom, event.end_mark.index + self._bom, line)

    def _place(self, node: Node) -> None:
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif (key := self._keys[-1]) is not None:
            parent.entries.append((key, node))
            self._keys[-1] = None
        elif isinstance(node, Scalar):
            self._keys[-1] = node
        else:
            what = "an alias" if isinstance(node, Alias) else "a list or a mapping"
            raise self._part.refusal(f"{what} as a key is not read alike everywhere", node.line)
