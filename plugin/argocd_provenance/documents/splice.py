"""Edits of a text at the places that marks name, so that nothing else changes.

A splice need not be able to express everything: `rewrite` reads each result again, and takes another way where the result
is not what was intended. `CannotSplice` says so early.
"""

import re
from collections.abc import Mapping as Names

from argocd_provenance.documents.nodes import Alias, Mapping, Node, Scalar, Sequence
from argocd_provenance.documents.scalars import json_text, plain
from argocd_provenance.documents.scan import is_ours
from argocd_provenance.documents.split import Part
from argocd_provenance.documents.values import Path
from argocd_provenance.records import dataclass, field
from argocd_provenance.regex import regex

_STEP = 2
_PLAIN_KEY = regex(r"[A-Za-z][A-Za-z0-9./_-]*")
_PLAIN_VALUE = regex(r"[A-Za-z]+")
_SINGLE_QUOTED = regex(r"[\x20-\x7e]+")


class CannotSplice(Exception):
    """This edit cannot be expressed as a splice."""


@dataclass(slots=True)
class Splice:
    """Edits of one part, collected and then done at once."""

    part: Part
    edits: dict[tuple[int, int], str] = field(default_factory=dict)
    _annotated: set[int] = field(default_factory=set)

    def text(self) -> str:
        """The text with all edits done; raises CannotSplice when they overlap."""
        pieces, done = [], 0
        for (start, end), new in sorted(self.edits.items()):
            if start < done:
                raise CannotSplice
            pieces += [self.part.text[done:start], new]
            done = end
        return "".join([*pieces, self.part.text[done:]])

    def _edit(self, start: int, end: int, new: str) -> None:
        if self.edits.setdefault((start, end), new) != new:
            raise CannotSplice

    def pin(self, scalar: Scalar, new: str) -> None:
        """Let `scalar` say `new`; what only grows keeps its quotes, its anchor and its style."""
        text, end = self.part.text, min(scalar.end, len(self.part.text))
        if not new.startswith(scalar.text) or not re.fullmatch(r"[@:.A-Za-z0-9]+", new[len(scalar.text) :]):
            if (scalar.style in "|>" and scalar.style) or not scalar.bare:
                raise CannotSplice
            self._edit(scalar.start, end, json_text(new))
            return
        if scalar.style in ("'", '"'):
            end -= 1
        elif scalar.style in ("|", ">"):
            end = scalar.start + len(text[scalar.start : end].rstrip())
        self._edit(end, end, new[len(scalar.text) :])

    def annotate(self, node: Mapping, names: Names[str, str]) -> None:
        """Let ``metadata.annotations`` of the object `node` begin with `names`, and hold nothing else of ours."""
        metadata = _value(node, "metadata")
        if metadata is None:
            if names:
                self._insert(node, {"metadata": {"annotations": names}})
            return
        if not isinstance(metadata, Mapping):
            if names:
                self._fill(metadata, {"annotations": names})
            return
        annotations = _value(metadata, "annotations")
        if annotations is None:
            if names:
                self._insert(metadata, {"annotations": names})
        elif isinstance(annotations, Mapping):
            self.replace_ours(annotations, names)
        elif names:
            self._fill(annotations, names)

    def _fill(self, node: Node, tree: "Tree") -> None:
        """Put `tree` where null stands."""
        if not isinstance(node, Scalar) or node.value is not None or not node.bare:
            raise CannotSplice
        gap = "" if self.part.text[node.start - 1 : node.start] in " \t" else " "
        self._edit(node.start, min(node.end, len(self.part.text)), gap + json_text(tree))

    def _insert(self, mapping: Mapping, tree: "Tree") -> None:
        """Put the entries of `tree` before the first key of `mapping`."""
        if not mapping.entries:
            self._edit(mapping.start, mapping.end, json_text(tree) if self._opens(mapping) else _none())
            return
        first = mapping.entries[0][0].start
        if mapping.flow:
            self._edit(first, first, json_text(tree)[1:-1] + ",")
        else:
            indent = self._indent(first)
            self._edit(first, first, self._block(tree, indent) + self.part.newline + " " * indent)

    def _opens(self, mapping: Mapping) -> bool:
        return self.part.text[mapping.start : mapping.start + 1] == "{"

    def replace_ours(self, mapping: Mapping, names: Names[str, str]) -> None:
        """Let `mapping` begin with `names`, and hold nothing else of ours; the first call for a mapping decides."""
        if id(mapping) in self._annotated:
            return
        self._annotated.add(id(mapping))
        entries = mapping.entries
        ours = [i for i, (key, _) in enumerate(entries) if is_ours(key.text)]
        if not ours:
            if names:
                self._insert(mapping, names)
            return
        if len(ours) == len(entries):
            self._replace_all(mapping, names)
            return
        leading = 0
        while leading < len(ours) and ours[leading] == leading:
            leading += 1
        # What stands in front is replaced by what comes there, so that a second run changes nothing.
        first, kept = entries[0][0].start, entries[leading][0].start
        new = self._insertion(mapping, names)
        if leading or new:
            self._edit(first, kept, new)
        for i in ours[leading:]:
            self._remove(mapping, i)

    def _insertion(self, mapping: Mapping, names: Names[str, str]) -> str:
        if not names:
            return ""
        if mapping.flow:
            return json_text(names)[1:-1] + ","
        indent = self._indent(mapping.entries[0][0].start)
        return self._block(names, indent) + self.part.newline + " " * indent

    def _replace_all(self, mapping: Mapping, names: Names[str, str]) -> None:
        first, end = mapping.entries[0][0].start, self._end(mapping.entries[-1][1])
        if mapping.flow:
            self._edit(first, end, json_text(names)[1:-1])
        else:
            self._edit(first, end, self._block(names, self._indent(first)) if names else "{}")

    def _remove(self, mapping: Mapping, index: int) -> None:
        """Take out an entry that has another before it."""
        key, value = mapping.entries[index]
        before, end = self._end(mapping.entries[index - 1][1]), self._end(value)
        if mapping.flow:
            self._edit(before, end, "")
            return
        text = self.part.text
        start, line_end = text.rfind("\n", 0, key.start) + 1, text.find("\n", end)
        if text[start : key.start].strip() or before > start:
            raise CannotSplice
        self._edit(start, len(text) if line_end < 0 else line_end + 1, "")

    def _end(self, node: Node) -> int:
        """Where the text of a value ends, without the line breaks behind it."""
        if isinstance(node, Alias) or (not isinstance(node, Scalar) and node.flow):
            return node.end
        if isinstance(node, Scalar):
            end = min(node.end, len(self.part.text))
            return node.start + len(self.part.text[node.start : end].rstrip()) if node.style in ("|", ">") else end
        raise CannotSplice

    def _indent(self, at: int) -> int:
        column = at - (self.part.text.rfind("\n", 0, at) + 1)
        return column - (self.part.bom if column == at else 0)

    def _block(self, tree: "Tree", indent: int) -> str:
        lines = []
        for key, value in tree.items():
            if isinstance(value, str):
                lines.append(f"{_key(key)}: {_quoted(value)}")
            else:
                below = " " * (indent + _STEP)
                lines.append(f"{_key(key)}:{self.part.newline}{below}{self._block(value, indent + _STEP)}")
        return f"{self.part.newline}{' ' * indent}".join(lines)


Tree = Names[str, "str | Tree"]


def remove_forged(splice: Splice, node: Node, *, inside: bool = False) -> None:
    """Take out what `node` brought under our names, from every ``metadata.annotations`` below it."""
    if isinstance(node, Mapping):
        for key, value in node.entries:
            if inside and key.text == "annotations" and isinstance(value, Mapping):
                splice.replace_ours(value, {})
            else:
                remove_forged(splice, value, inside=key.text == "metadata")
    elif not isinstance(node, Scalar | Alias):
        for item in node.items:
            remove_forged(splice, item)


def mapping_at(node: Node, path: Path) -> Mapping:
    """The mapping to which `path` leads; raises CannotSplice when an alias or a merge is on the way."""
    for step in path:
        if isinstance(step, int):
            if not isinstance(node, Sequence):
                raise CannotSplice
            node = node.items[step]
        else:
            below = _value(node, step) if isinstance(node, Mapping) else None
            if below is None:
                raise CannotSplice
            node = below
    if not isinstance(node, Mapping):
        raise CannotSplice
    return node


def _value(mapping: Mapping, name: str) -> Node | None:
    for key, value in mapping.entries:
        if key.text == name:
            if isinstance(value, Alias):
                raise CannotSplice
            return value
    return None


def _none() -> str:
    raise CannotSplice


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) and isinstance(plain(key), str) else json_text(key)


def _quoted(value: str) -> str:
    if _PLAIN_VALUE.fullmatch(value) and isinstance(plain(value), str):
        return value
    if _SINGLE_QUOTED.fullmatch(value):
        return "'" + value.replace("'", "''") + "'"
    return json_text(value)
