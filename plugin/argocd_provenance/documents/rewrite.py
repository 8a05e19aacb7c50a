"""Reading a run's sources, and writing them again with images pinned and objects annotated.

Nothing leaves here that was not read again: each touched document must equal, by go-yaml's rules, what was intended. Where
a splice cannot express that (an anchor shared with another place), the document is written as JSON.
"""

from collections.abc import Callable
from collections.abc import Mapping as Names
from collections.abc import Sequence as Listed
from typing import Any

from argocd_provenance.documents.find import Document, search
from argocd_provenance.documents.model import ImageField, ObjectImages, Suspect
from argocd_provenance.documents.nodes import Mapping, Sequence, compose, resolved
from argocd_provenance.documents.places import BUILT_IN, WORDS, Row
from argocd_provenance.documents.reread import says
from argocd_provenance.documents.scalars import json_text
from argocd_provenance.documents.scan import concerns_us, is_empty, is_ours, may_be_list, surely_concerns_us
from argocd_provenance.documents.splice import CannotSplice, Splice, mapping_at, remove_forged
from argocd_provenance.documents.split import BOM, Part, Source, split
from argocd_provenance.documents.values import Path, Walk, fields, scalar_at
from argocd_provenance.errors import DocumentError, Error
from argocd_provenance.records import dataclass

Annotations = Callable[[ObjectImages], Names[str, str]]


@dataclass(frozen=True, slots=True)
class Rendered:
    """The sources of a run, read: what runs in them, and all that writing them needs."""

    images: tuple[ImageField, ...]
    suspects: tuple[Suspect, ...]
    objects: int
    """How many documents hold an object (a List counts its items)."""
    sources: tuple[tuple[Source, tuple[Document, ...]], ...]


def read(sources: Listed[tuple[str, str]], rows: Listed[Row] = ()) -> Rendered:
    """What the files `sources` (name, text) hold; raises DocumentError for text that can be read in two ways."""
    table = (*BUILT_IN, *rows)
    words = WORDS | {row.word for row in rows if row.word}
    anything = any(row.word is None for row in rows)
    found: list[tuple[Source, tuple[Document, ...]]] = []
    objects = 0
    for file, text in sources:
        source = split(file, text)
        documents = []
        for number, part in enumerate(source.parts):
            document, count = _document(part, table, number, objects, words, anything=anything)
            documents.append(document)
            objects += count
        found.append((source, tuple(documents)))
    every = [document for _, documents in found for document in documents]
    return Rendered(
        tuple(image for document in every for _, one in document.objects for image in one.images),
        tuple(suspect for document in every for suspect in document.suspects),
        objects,
        tuple(found),
    )


def emit(rendered: Rendered, pins: Names[str, str], annotations: Annotations | None = None) -> str:
    """One stream of all sources: images as `pins` says (written text to new text), objects with images annotated.

    `annotations` is asked once for each object with images; names that are not ours raise ValueError. What the sources
    brought under our names is dropped. A document in which nothing changes keeps its bytes.
    """
    texts = []
    for source, documents in rendered.sources:
        pieces = [_rewritten(document, pins, annotations) for document in documents]
        texts.append("".join(piece for pair in zip(source.separators, pieces, strict=True) for piece in pair))
    return _joined(texts)


def _document(
    part: Part, rows: tuple[Row, ...], number: int, first_id: int, words: frozenset[str], *, anything: bool
) -> tuple[Document, int]:
    if not surely_concerns_us(part):
        look = concerns_us(part, words)
        if look is None:
            return Document(part), 0
        if not (look or anything or may_be_list(part)):
            return Document(part), 1
    root = compose(part)
    if root is None or is_empty(part, root, flow=getattr(root, "flow", False)) or not isinstance(root, Mapping):
        return Document(part), 0
    document = search(part, root, rows, number, first_id)
    items = fields(part, root).get("items")
    is_list = items is not None and isinstance(resolved(items), Sequence)
    return document, sum(1 for path, _ in document.objects if path or not is_list)


def _rewritten(document: Document, pins: Names[str, str], annotations: Annotations | None) -> str:
    part, root = document.part, document.root
    if root is None:
        return part.text
    new = {
        i.keys: pins[i.written]
        for _, one in document.objects
        for i in one.images
        if pins.get(i.written, i.written) != i.written
    }
    names = {path: _asked(annotations, one) for path, one in document.objects if one.images and annotations is not None}
    names = {path: named for path, named in names.items() if named}
    if not (new or names or document.forged):
        return part.text
    intended = json_text(_intended(document, root, new, names), sort_keys=True)
    try:
        text = _spliced(document, root, new, names)
        if says(Part(part.file, text, part.line)) == intended:
            return text
    except (CannotSplice, DocumentError):
        pass
    text = json_text(_intended(document, root, new, names)) + part.newline
    if says(Part(part.file, text, part.line)) != intended:
        raise Error(f"{part.file}:{part.line}: the rewritten document does not say what was intended")
    return text


def _asked(annotations: Annotations, one: ObjectImages) -> dict[str, str]:
    names = dict(annotations(one))
    if strange := [name for name in names if not is_ours(name)]:
        raise ValueError(f"annotations that are not ours: {strange}")
    return names


def _intended(document: Document, root: Mapping, new: Names[Path, str], names: Names[Path, Names[str, str]]) -> Any:
    """The document as plain values, as it must be read afterwards."""
    data = Walk(document.part).data(root)
    for path, text in new.items():
        holder = data
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = text
    if document.forged:
        drop_ours(data)
    for path, named in names.items():
        holder = data
        for step in path:
            holder = holder[step]
        metadata = _mapping_in(document.part, holder, "metadata")
        annotations = _mapping_in(document.part, metadata, "annotations")
        _put_first(annotations, named)
    return data


def _mapping_in(part: Part, holder: dict[str, Any], name: str) -> dict[str, Any]:
    """The mapping under `name`, made where there is none: in front, as the splice puts it."""
    if name not in holder:
        _put_first(holder, {name: {}})
    elif holder[name] is None:
        holder[name] = {}
    if not isinstance(holder[name], dict):
        raise part.refusal(f"{name} must be a mapping")
    found: dict[str, Any] = holder[name]
    return found


def _put_first(holder: dict[str, Any], new: Names[str, Any]) -> None:
    rest = dict(holder)
    holder.clear()
    holder.update({**new, **rest})


def drop_ours(data: Any) -> None:
    """Take our names out of every ``metadata.annotations`` in `data`."""
    if isinstance(data, list):
        for item in data:
            drop_ours(item)
    if not isinstance(data, dict):
        return
    metadata = data.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if isinstance(annotations, dict):
        for name in [name for name in annotations if is_ours(name)]:
            del annotations[name]
    for value in data.values():
        drop_ours(value)


def _spliced(document: Document, root: Mapping, new: Names[Path, str], names: Names[Path, Names[str, str]]) -> str:
    splice = Splice(document.part)
    for path, text in new.items():
        splice.pin(scalar_at(document.part, root, path), text)
    for path, named in names.items():
        splice.annotate(mapping_at(root, path), named)
    if document.forged:
        remove_forged(splice, root)
    return splice.text()


def _joined(texts: list[str]) -> str:
    stream = ""
    for text in texts:
        if not stream:
            stream = text
            continue
        following = text.removeprefix(BOM)
        end = "" if stream.endswith("\n") else "\n"
        marker = "" if following.startswith("---") else "---\n"
        stream += f"{end}{marker}{following}"
    return stream
