"""The first look at a part: is there anything in it that concerns us?

A tight loop over libyaml's events, cheap enough for every document. Where it says no, the part passes through byte for
byte; the answer may be yes too often, never no too often. A document that is neither mapping nor null is refused here.
"""

import re
from collections.abc import Collection

import yaml._yaml as libyaml

from argocd_provenance.documents.nodes import EventReader, check_start, check_tag, libyaml_errors
from argocd_provenance.documents.scalars import plain
from argocd_provenance.documents.split import Part

OURS = ("argocd-provenance.io/", "link.argocd.argoproj.io/argocd-provenance")
"""Annotations whose names begin so are ours; whatever the source brought under them is dropped."""

_HOST = r"(?:(?:[a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+(?::[0-9]+)?|localhost(?::[0-9]+)?|[a-zA-Z0-9-]+:[0-9]+)"
IMAGE_LIKE = re.compile(
    rf"{_HOST}/[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*(?:@sha256:[0-9a-f]{{64}})?|@sha256:[0-9a-f]{{64}})"
)
"""A reference with a registry's host and a tag or a digest."""
_NEAR_IMAGE = re.compile(r"[a-z0-9](?::[A-Za-z0-9_]|@sha256:)")

ITEMS = re.compile(r"""^["']?items["']?[ \t]*:|^\s*\{(?s:.*)"items\"""", re.MULTILINE)
"""What may be a list of objects; Argo CD drops one that is empty."""

_LIST_ITEM_BEFORE = re.compile(r"-[ ]+\Z")
_END_OF_LINE = re.compile(r"[ \t]*\r?\n")


def concerns_us(part: Part, words: Collection[str]) -> bool | None:
    """Whether `part` may hold an image (a scalar under one of `words`), a suspect, or annotations of ours; None: empty."""
    reader = EventReader(part)
    try:
        return _look(reader, words)
    except libyaml_errors() as error:
        raise reader.fault(error) from error


def _look(reader: EventReader, words: Collection[str]) -> bool | None:
    part, following = reader.part, reader.next
    scalar_event, alias_event, stream_end = libyaml.ScalarEvent, libyaml.AliasEvent, libyaml.StreamEndEvent
    texts: list[str] = []
    keep = texts.append
    following()
    event = following()
    if event.__class__ is stream_end:
        return None
    check_start(part, event)
    event = following()
    empty = _is_empty(part, event)
    tagged = "!" in part.text
    found = after_word = False
    while event.__class__ is not stream_end:
        kind = event.__class__
        if kind is scalar_event:
            text = event.value
            keep(text)
            found = found or after_word
            after_word = text in words and not _list_item(part, event)
        else:
            found = found or (after_word and kind is alias_event)
            after_word = False
        if tagged and kind not in _TAGLESS:
            check_tag(part, event)
        event = following()
        if event.__class__ is libyaml.DocumentStartEvent:
            raise part.refusal("text behind the end of the document is dropped by some readers", event.start_mark.line)
    if empty:
        return None
    return found or _ours(part, texts) or any(IMAGE_LIKE.fullmatch(t) for t in texts if "/" in t and _NEAR_IMAGE.search(t))


_TAGLESS = frozenset({libyaml.AliasEvent, libyaml.MappingEndEvent, libyaml.SequenceEndEvent, libyaml.DocumentEndEvent})


def _is_empty(part: Part, event: object) -> bool:
    """Whether the root is null; raises DocumentError when it is neither that nor a mapping."""
    if isinstance(event, libyaml.MappingStartEvent):
        # Argo CD reads text that begins with { as JSON first: what follows the object would be another document.
        if part.content.lstrip().startswith("{") and not event.flow_style:
            raise part.refusal("a document that begins with { must be one JSON object", event.start_mark.line)
        return False
    if isinstance(event, libyaml.ScalarEvent) and event.tag is None and event.implicit[0] and plain(event.value) is None:
        return True
    line = event.start_mark.line  # type: ignore[attr-defined]  every event has marks
    raise part.refusal("a document must be a mapping or empty", line)


def _list_item(part: Part, event: libyaml.ScalarEvent) -> bool:
    """Whether a word stands alone behind a dash (``required: [image]`` in block style), and so is no key."""
    start, end = event.start_mark.index + part.bom, event.end_mark.index + part.bom
    before = part.text[part.text.rfind("\n", 0, start) + 1 : start]
    return bool(_LIST_ITEM_BEFORE.search(before) and _END_OF_LINE.match(part.text, end))


def _ours(part: Part, texts: list[str]) -> bool:
    if "argocd-provenance" not in part.text and "\\" not in part.text:
        return False
    return any(text.startswith(OURS) for text in texts)
