"""Who the objects of a stream are: kind, names and annotations, of those in which a word stands.

`find` composes only documents that may hold images. Some questions concern every object (does it pass for one of ours?),
and are asked of the few documents in whose text a given word can be read.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from argocd_provenance.documents import nodes
from argocd_provenance.documents.rewrite import Rendered
from argocd_provenance.documents.split import Part
from argocd_provenance.documents.values import Walk, doubled, fields
from argocd_provenance.records import dataclass


@dataclass(frozen=True, slots=True)
class ObjectIdentity:
    """An object by what its apiVersion, kind and metadata say; `line` is that on which its document begins."""

    api_version: str
    kind: str
    namespace: str
    name: str
    generate_name: str
    annotations: Mapping[str, str]
    file: str
    line: int


def objects_with(rendered: Rendered, words: Sequence[str]) -> Iterator[ObjectIdentity]:
    """The objects of the documents in whose text one of `words` stands, or may stand behind an escape.

    The items of a list are objects of their own, as to Argo CD. Raises DocumentError where such an object says twice who
    it is: which of the two holds is up to the reader.
    """
    for source, _ in rendered.sources:
        for part in source.parts:
            # In double quotes any letter can be written as an escape.
            if "\\" in part.text or any(word in part.text for word in words):
                root = nodes.compose(part)
                if isinstance(root, nodes.Mapping):
                    yield from _identities(part, root)


def _identities(part: Part, node: nodes.Mapping) -> Iterator[ObjectIdentity]:
    found = _once(part, node)
    items = nodes.resolved(found["items"]) if "items" in found else None
    for item in items.items if isinstance(items, nodes.Sequence) else ():
        target = nodes.resolved(item)
        if isinstance(target, nodes.Mapping):
            yield from _identities(part, target)
    metadata = _mapping(part, found.get("metadata"))
    annotations = _mapping(part, metadata.get("annotations"))
    walk = Walk(part)
    said = {name: _text(walk.data(value)) for name, value in annotations.items()}

    def named(holder: Mapping[str, nodes.Node], name: str) -> str:
        return _text(walk.data(holder[name])) if name in holder else ""

    yield ObjectIdentity(
        api_version=named(found, "apiVersion"),
        kind=named(found, "kind"),
        namespace=named(metadata, "namespace"),
        name=named(metadata, "name"),
        generate_name=named(metadata, "generateName"),
        annotations=said,
        file=part.file,
        line=part.line,
    )


def _mapping(part: Part, node: nodes.Node | None) -> Mapping[str, nodes.Node]:
    target = nodes.resolved(node) if node is not None else None
    return _once(part, target) if isinstance(target, nodes.Mapping) else {}


def _once(part: Part, node: nodes.Mapping) -> Mapping[str, nodes.Node]:
    found = fields(part, node)
    if node.doubled:
        raise doubled(part, *node.doubled[0][:2])
    return found


def _text(value: Any) -> str:
    """`value` as text. What is none is taken for what it spells: an API server refuses it, and so may we."""
    return "" if value is None else value if isinstance(value, str) else str(value)
