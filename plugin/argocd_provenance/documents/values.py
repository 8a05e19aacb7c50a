"""Nodes as Argo CD sees them: keys as JSON knows them, merges done, aliases followed.

Merges are done in go-yaml's order (``decode.go`` ``mapping``, ``merge``); a merge over a key that stands before it is
refused, because others let that key win. Of a key that stands twice the last one holds; `find` refuses it where it matters.
"""

import math
from collections.abc import Iterable
from typing import Any

from argocd_provenance.documents.nodes import Alias, Mapping, Node, Scalar, Sequence, resolved
from argocd_provenance.documents.scalars import plain
from argocd_provenance.documents.split import Part
from argocd_provenance.errors import DocumentError

Path = tuple[str | int, ...]

# Aliases may multiply a document; go-yaml has a limit of the same kind (``allowedAliasRatio``).
_NODE_LIMIT = 1_000_000
_FLOAT_AS_INTEGER = 1e21


def key_text(part: Part, key: Scalar) -> str:
    """The key as it stands in JSON; raises DocumentError for keys that are not read alike everywhere."""
    value = plain(key.text) if key.plain else key.text
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise part.refusal(f"{key.text!r} as a key is not read alike everywhere; quote it", key.line)


def fields(part: Part, mapping: Mapping) -> dict[str, Node]:
    """Key to value of `mapping`, merges done; raises DocumentError when readers could disagree."""
    if mapping.merged is not None:
        return mapping.merged
    found: dict[str, Node] = {}
    own: set[str] = set()
    for key, value in mapping.entries:
        if key.text == "<<" and key.plain:  # a quoted one is an ordinary key
            for name, merged in _merged(part, key, value).items():
                if name in own:
                    raise part.refusal(f"<< behind {name!r} overrides it for some readers only; put << first", key.line)
                found[name] = merged
            continue
        name = key_text(part, key)
        if name in own:
            mapping.doubled.append((name, key, found[name], value))
        own.add(name)
        found[name] = value
    mapping.merged = found
    return found


def doubled(part: Part, name: str, key: Scalar) -> DocumentError:
    """The refusal of a key that stands twice."""
    return part.refusal(f"the key {name!r} stands twice in one mapping; readers disagree which one holds", key.line)


def _merged(part: Part, key: Scalar, value: Node) -> dict[str, Node]:
    target = resolved(value)
    # The first of a list wins. An alias to a list is a fault to go-yaml.
    sources = target.items if isinstance(target, Sequence) and not isinstance(value, Alias) else [value]
    merged: dict[str, Node] = {}
    for source in reversed(sources):
        mapping = resolved(source)
        if not isinstance(mapping, Mapping):
            raise part.refusal("<< takes a mapping or a list of mappings", key.line)
        merged.update(fields(part, mapping))
        if mapping.doubled:
            raise doubled(part, *mapping.doubled[0][:2])
    return merged


def node_at(part: Part, node: Node, path: Path) -> Node:
    """The node to which `path` leads from `node`, through merges and aliases."""
    for step in path:
        target = resolved(node)
        if isinstance(target, Mapping):
            node = fields(part, target)[str(step)]
        elif isinstance(target, Sequence) and isinstance(step, int):
            node = target.items[step]
        else:
            raise KeyError(path)
    return node


def scalar_at(part: Part, root: Node, path: Path) -> Scalar:
    """The scalar to which `path` leads, where it really stands."""
    target = resolved(node_at(part, root, path))
    if not isinstance(target, Scalar):
        raise KeyError(path)
    return target


class Walk:
    """Counts what it visits, so that a document of aliases cannot grow without end."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._visited = 0

    def children(self, node: Mapping | Sequence) -> Iterable[tuple[str | int, Node]]:
        """Keys or positions with their nodes."""
        if isinstance(node, Sequence):
            self._count(len(node.items), node)
            return enumerate(node.items)
        found = fields(self.part, node)
        self._count(len(found), node)
        return found.items()

    def _count(self, visited: int, node: Mapping | Sequence) -> None:
        self._visited += visited
        if self._visited > _NODE_LIMIT:
            raise self.part.refusal("aliases make this document too large", node.line)

    def data(self, node: Node) -> Any:
        """`node` as plain Python values, nothing shared; raises DocumentError for what JSON cannot say."""
        # Classes are compared, not asked of isinstance: this runs for every node of every touched document.
        target: Any = node.target if node.__class__ is Alias else node
        if target.__class__ is Scalar:
            return self._scalar(target) if target.plain else target.text
        data = self.data
        if target.__class__ is Sequence:
            self._count(len(target.items), target)
            return [data(item) for item in target.items]
        found = fields(self.part, target)
        self._count(len(found), target)
        return {key: data(child) for key, child in found.items()}

    def _scalar(self, scalar: Scalar) -> str | int | float | bool | None:
        value = plain(scalar.text)
        if value.__class__ is not float:
            return value
        if not math.isfinite(value):
            raise self.part.refusal(f"{scalar.text} is no JSON number", scalar.line)
        # Go writes integral floats without a fraction, and reads them back as integers.
        return int(value) if value.is_integer() and abs(value) < _FLOAT_AS_INTEGER else value
