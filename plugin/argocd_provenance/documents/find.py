"""Images, suspects and forged annotations in one document.

Container lists and image volumes are found at any depth of any object; the table of places adds what is known of CRDs;
any other string that looks like an image is a suspect. An object with `items` is many objects, as to Argo CD.
"""

from collections.abc import Sequence as Rows
from typing import Any

from argocd_provenance.documents.model import ImageField, ObjectImages, Role, Suspect, path_text
from argocd_provenance.documents.nodes import Mapping, Node, Scalar, Sequence, Target, resolved
from argocd_provenance.documents.places import CORE, Row
from argocd_provenance.documents.scan import is_ours, looks_like_image
from argocd_provenance.documents.split import Part
from argocd_provenance.documents.values import Path, Walk, doubled, fields, node_at
from argocd_provenance.errors import DocumentError
from argocd_provenance.records import dataclass, field

# With the words of the table, the keys that decide what an object is, what runs in it and what is said about it.
_PIVOTS = frozenset({"apiVersion", "kind", "metadata", "annotations", "items", "image", "reference"})
# The helm hooks that are none to Argo CD: an object with nothing but these is a hook of no phase, and never applied.
_TESTS = frozenset({"test", "test-success"})
_CONTAINER_LISTS = frozenset({"containers", "initContainers", "ephemeralContainers"})


@dataclass(slots=True)
class Document:
    """One part with what was found in it; `root` is None when nothing in it concerns us."""

    part: Part
    root: Mapping | None = None
    objects: list[tuple[Path, ObjectImages]] = field(default_factory=list)
    suspects: list[Suspect] = field(default_factory=list)
    forged: bool = False


@dataclass(slots=True)
class _Object:
    """One object while it is searched."""

    path: Path
    node: Mapping
    api_version: str
    kind: str
    namespace: str
    name: str
    role: Role
    applied: bool
    places: dict[Path, Node] = field(default_factory=dict)
    other: list[tuple[Path, Scalar]] = field(default_factory=list)


def search(part: Part, root: Mapping, rows: Rows[Row], document: int, first_id: int) -> Document:
    """What stands in the document `root`.

    Raises DocumentError for an image that is no string, and for a key that stands twice where one reading could run an image.
    """
    return _Search(part, rows, document).document(root, first_id)


class _Search:
    def __init__(self, part: Part, rows: Rows[Row], document: int) -> None:
        self._part, self._rows, self._document = part, rows, document
        self._walk = Walk(part)
        # A row whose path ends nobody knows where makes every key one that matters.
        words = [row.word for row in rows]
        self._words = None if None in words else _PIVOTS.union(word for word in words if word)
        self._forged = False

    def document(self, root: Mapping, first_id: int) -> Document:
        found = Document(self._part, root)
        for object_id, one in enumerate(self._objects(root, ()), first_id):
            self._visit(one, one.node, one.path)
            self._table(one)
            images = tuple(
                self._image(one, object_id, path, node)
                for path, node in one.places.items()
                if self._runs(one, path, node)
            )
            found.objects.append((one.path, ObjectImages(object_id, one.kind, one.namespace, one.name, images)))
            found.suspects += [self._suspect(one, path, scalar) for path, scalar in one.other if path not in one.places]
        found.forged = self._forged
        return found

    def _objects(self, node: Mapping, path: Path) -> list[_Object]:
        """`node` itself, or its items when it is a list to Argo CD; items first, what stands beside them last."""
        found = fields(self._part, node)
        items = resolved(found["items"]) if "items" in found else None
        if not isinstance(items, Sequence):
            return [self._object(node, path)]
        objects: list[_Object] = []
        for index, item in enumerate(items.items):
            target = resolved(item)
            if not isinstance(target, Mapping):
                raise self._part.refusal("an item of a list of objects must be a mapping", item.line)
            objects += self._objects(target, (*path, "items", index))
        return [*objects, self._object(node, path)]

    def _object(self, node: Mapping, path: Path) -> _Object:
        found = fields(self._part, node)
        metadata = resolved(found["metadata"]) if "metadata" in found else None
        named = fields(self._part, metadata) if isinstance(metadata, Mapping) else {}
        api_version, kind = _text(found.get("apiVersion")), _text(found.get("kind"))
        known = any(row.covers(api_version, kind) for row in self._rows)
        role: Role = "core" if (api_version, kind) in CORE else "crd" if known else "other"
        namespace, name = _text(named.get("namespace")), _text(named.get("name"))
        return _Object(
            path, node, api_version, kind, namespace, name, role, not self._is_test(named.get("annotations"))
        )

    def _is_test(self, node: Node | None) -> bool:
        """Whether annotations make an object one of helm's tests (``gitops-engine/pkg/sync/hook``: Types, IsHook)."""
        target = resolved(node) if node is not None else None
        if not isinstance(target, Mapping):
            return False
        found = fields(self._part, target)
        if target.doubled or "argocd.argoproj.io/hook" in found:
            return False
        return {word.strip() for word in _text(found.get("helm.sh/hook")).split(",")} <= _TESTS

    def _visit(self, one: _Object, node: Node, path: Path) -> None:
        target = resolved(node)
        if isinstance(target, Scalar):
            if not target.plain or isinstance(target.value, str):
                self._weigh(one, path, target)
            return
        children = self._walk.children(target)
        if isinstance(target, Mapping):
            self._weigh_doubled(target)
        for key, child in children:
            below = (*path, key)
            if isinstance(target, Mapping):
                if key == "items" and path == one.path and isinstance(resolved(child), Sequence):
                    continue
                self._known_place(one, below, child)
                if key == "annotations" and path and path[-1] == "metadata":
                    self._annotations(one, below, child)
                    continue
            self._visit(one, child, below)

    def _weigh_doubled(self, mapping: Mapping) -> None:
        """Refuse a key that stands twice, unless neither value can lead to an image, or to another kind of object."""
        for name, key, first, second in mapping.doubled:
            if self._words is None or name in self._words or self._matters(first) or self._matters(second):
                raise doubled(self._part, name, key)

    def _matters(self, node: Node) -> bool:
        target = resolved(node)
        if isinstance(target, Scalar):
            return False
        words = self._words or frozenset()
        return any(key in words or self._matters(child) for key, child in self._walk.children(target))

    def _known_place(self, one: _Object, path: Path, node: Node) -> None:
        if (len(path) >= 3 and path[-1] == "image" and isinstance(path[-2], int) and path[-3] in _CONTAINER_LISTS) or (
            len(path) >= 4
            and path[-2:] == ("image", "reference")
            and isinstance(path[-3], int)
            and path[-4] == "volumes"
        ):
            one.places[path] = node

    def _annotations(self, one: _Object, path: Path, node: Node) -> None:
        target = resolved(node)
        if not isinstance(target, Mapping):
            self._visit(one, node, path)
            return
        for key, child in self._walk.children(target):
            if is_ours(str(key)):
                self._forged = True
            else:
                self._visit(one, child, (*path, key))

    def _table(self, one: _Object) -> None:
        rows = [row for row in self._rows if row.path and row.covers(one.api_version, one.kind)]
        if not rows:
            return
        data = self._walk.data(one.node)
        for row in rows:
            for path in row.paths(data):
                one.places[(*one.path, *path)] = node_at(self._part, one.node, path)

    def _runs(self, one: _Object, path: Path, node: Node) -> bool:
        """Whether the place holds text; in kinds that we know it must (no image at all is no key at all)."""
        target = resolved(node)
        if isinstance(target, Scalar) and isinstance(target.value, str):
            return True
        if one.role == "other" or (one.role == "crd" and isinstance(target, Scalar) and target.value is None):
            return False
        shown = f" ({target.text!r} is none to Argo CD; quote it)" if isinstance(target, Scalar) else ""
        raise self._part.refusal(f"{path_text(path)} holds an image, and must be a string{shown}", node.line)

    def _image(self, one: _Object, object_id: int, path: Path, node: Node) -> ImageField:
        scalar: Any = resolved(node)
        holder = node_at(self._part, one.node, path[len(one.path) : -1])
        container = _text(fields(self._part, resolved(holder)).get("name"))  # type: ignore[arg-type]  # it has the key `image`
        return ImageField(
            scalar.text,
            one.api_version,
            one.kind,
            one.namespace,
            one.name,
            container,
            self._part.file,
            self._part.line + node.line,
            path_text(path[len(one.path) :]),
            object_id,
            one.role,
            self._document,
            path,
            self._labels(one),
            one.applied,
        )

    def _labels(self, one: _Object) -> tuple[tuple[str, str], ...] | None:
        """The labels of an object that runs an image; None where readers could disagree about them."""
        try:
            metadata = resolved(fields(self._part, one.node)["metadata"])
            labels = resolved(fields(self._part, metadata)["labels"]) if isinstance(metadata, Mapping) else None
            said = fields(self._part, labels) if isinstance(labels, Mapping) else {}
        except KeyError:
            return ()
        except DocumentError:
            return None
        return tuple((name, _text(value)) for name, value in said.items())

    def _weigh(self, one: _Object, path: Path, scalar: Scalar) -> None:
        if "/" in scalar.text and looks_like_image(scalar.text):
            one.other.append((path, scalar))

    def _suspect(self, one: _Object, path: Path, scalar: Scalar) -> Suspect:
        line = self._part.line + scalar.line
        return Suspect(
            scalar.text, one.kind, one.namespace, one.name, self._part.file, line, path_text(path[len(one.path) :])
        )


def _text(node: Node | None) -> str:
    target: Target | None = resolved(node) if node is not None else None
    return target.text if isinstance(target, Scalar) and isinstance(target.value, str) else ""
