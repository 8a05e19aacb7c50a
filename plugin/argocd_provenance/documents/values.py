"""Nodes as Argo CD sees them: keys as JSON knows them, merges done, aliases followed.

Merges are done in go-yaml's order (``decode.go`` ``mapping``, ``merge``); a merge over a key that stands before it is
refused, because others let that key win. Of a key that stands twice the last one holds; `find` refuses it where it matters.
"""

import math
from collections.abc import Iterator
from typing import Any

from argocd_provenance.documents.nodes import Alias, Mapping, Node, Scalar, Sequence, resolved
from argocd_provenance.documents.split import Part
from argocd_provenance.errors import DocumentError

Path = tuple[str | int, ...]

# Aliases may multiply a document; go-yaml has a limit of the same kind (``allowedAliasRatio``).
_NODE_LIMIT = 2_000_000
_FLOAT_AS_INTEGER = 1e21


def is_merge(key: Scalar) -> bool:
    """Whether `key` is the merge key; a quoted ``"<<"`` is an ordinary one."""
    return key.plain and key.text == "<<"


def key_text(part: Part, key: Scalar) -> str:
    """The key as it stands in JSON; raises DocumentError for keys that are not read alike everywhere."""
    value = key.value
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
        if is_merge(key):
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

    def children(self, node: Mapping | Sequence) -> Iterator[tuple[str | int, Node]]:
        """Keys or positions with their nodes."""
        found = fields(self.part, node).items() if isinstance(node, Mapping) else enumerate(node.items)
        self._visited += len(found) if isinstance(node, Mapping) else len(node.items)  # type: ignore[arg-type]
        if self._visited > _NODE_LIMIT:
            raise self.part.refusal("aliases make this document too large", node.line)
        return iter(found)

    def data(self, node: Node) -> Any:
        """`node` as plain Python values, nothing shared; raises DocumentError for what JSON cannot say."""
        target = resolved(node)
        if isinstance(target, Scalar):
            return self._scalar(target)
        if isinstance(target, Mapping):
            return {key: self.data(child) for key, child in self.children(target)}
        return [self.data(child) for _, child in self.children(target)]

    def _scalar(self, scalar: Scalar) -> str | int | float | bool | None:
        value = scalar.value
        if not isinstance(value, float):
            return value
        if not math.isfinite(value):
            raise self.part.refusal(f"{scalar.text} is no JSON number", scalar.line)
        # Go writes integral floats without a fraction, and reads them back as integers.
        return int(value) if value.is_integer() and abs(value) < _FLOAT_AS_INTEGER else value
