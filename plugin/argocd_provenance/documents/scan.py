"""The first look at a part, which asks whether anything in it concerns us.

A tight loop over libyaml's events, cheap enough for every document. Where it says no, the part passes through byte for
byte; the answer may be yes too often, never no too often. A document that is neither mapping nor null is refused here.
"""

import re
from collections.abc import Collection
from typing import Any

import yaml._yaml as libyaml

from argocd_provenance.documents.nodes import (
    EventReader,
    Mapping,
    Scalar,
    Sequence,
    check_start,
    check_tag,
    libyaml_errors,
)
from argocd_provenance.documents.scalars import plain
from argocd_provenance.documents.split import Part
from argocd_provenance.regex import regex

OURS = ("argocd-provenance.io/", "link.argocd.argoproj.io/argocd-provenance")
"""Annotations whose names begin so are ours; whatever the source brought under them is dropped."""

_HOST = r"(?:(?:[a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+(?::[0-9]+)?|localhost(?::[0-9]+)?|[a-zA-Z0-9-]+:[0-9]+)"
_IMAGE = regex(
    rf"{_HOST}/[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*(?:@sha256:[0-9a-f]{{64}})?|@sha256:[0-9a-f]{{64}})"
)
_ITEMS = regex(r"""^["']?items["']?[ \t]*:""", re.MULTILINE)
# A list or a mapping under `image` runs nothing; in schemas that is common, in these kinds it is a fault to be told.
_POD_KIND = regex(
    r"""["']?kind["']?:[ ]*["']?(?:Pod|PodTemplate|\w+Set|Deployment|ReplicationController|Job|CronJob)["']?\s*[,}\n]"""
)
# The longest reference: 255 for the name, 128 for the tag, 72 for the digest.
_LONGEST_IMAGE = 512

_PLAIN_IMAGE = regex(r"image:[ \t]+[\"']?[A-Za-z0-9]")
_LIST_ITEM_BEFORE = regex(r"-[ ]+\Z")
_END_OF_LINE = regex(r"[ \t]*\r?\n")


def is_ours(name: str) -> bool:
    """Whether the annotation `name` is ours, or passes for ours: Kubernetes takes capitals in names, too."""
    return name.lower().startswith(OURS)


def looks_like_image(text: str) -> bool:
    """Whether `text` is a reference with a registry's host and a tag or a digest."""
    return len(text) <= _LONGEST_IMAGE and _IMAGE.fullmatch(text) is not None


def surely_concerns_us(part: Part) -> bool:
    """Whether an image can be seen without parsing: then `concerns_us` need not be asked."""
    return _PLAIN_IMAGE.search(part.text) is not None


def concerns_us(part: Part, words: Collection[str]) -> bool | None:
    """Whether `part` may hold an image (a scalar under one of `words`), a suspect, or annotations of ours; None: empty."""
    reader = EventReader(part)
    try:
        return _look(reader, words)
    except libyaml_errors() as error:
        raise reader.fault(error) from error


def _look(reader: EventReader, words: Collection[str]) -> bool | None:  # noqa: C901  one branch an event; calls would cost a third more time
    part, following = reader.part, reader.next
    scalar_event, stream_end = libyaml.ScalarEvent, libyaml.StreamEndEvent
    texts: list[str] = []
    keep = texts.append
    following()
    event = following()
    if event.__class__ is stream_end:
        return None
    check_start(part, event)
    event = following()
    if is_empty(part, event, flow=getattr(event, "flow_style", False)):
        return None
    tagged = "!" in part.text
    found = odd = after_word = False
    while (kind := event.__class__) is not stream_end:
        if kind is scalar_event:
            text = event.value
            keep(text)
            if after_word:
                found = True
            after_word = text in words
            if after_word:
                # What has an anchor may be a key elsewhere, by an alias: `- &k image`, and then `*k : evil`.
                found = found or event.anchor is not None
                after_word = not _list_item(part, event)
        elif kind is libyaml.DocumentStartEvent:
            raise part.refusal("text behind the end of the document is dropped by some readers", event.start_mark.line)
        elif after_word:
            found = found or kind is libyaml.AliasEvent
            odd = True
            after_word = False
        if tagged and kind not in _TAGLESS:
            check_tag(part, event)
        event = following()
    if found or (odd and _POD_KIND.search(part.text)):
        return True
    return _ours(part, texts) or any(looks_like_image(text) for text in texts if "/" in text)


_TAGLESS = frozenset({libyaml.AliasEvent, libyaml.MappingEndEvent, libyaml.SequenceEndEvent, libyaml.DocumentEndEvent})


def is_empty(part: Part, root: Any, *, flow: bool) -> bool:
    """Whether the root (an event or a node) is null; raises DocumentError when it is neither that nor a mapping."""
    kind = root.__class__
    line = root.line if isinstance(root, Scalar | Mapping | Sequence) else root.start_mark.line
    if kind is libyaml.MappingStartEvent or kind is Mapping:
        # Argo CD reads text that begins with { as JSON first: what follows the object would be another document.
        if not flow and part.content.lstrip().startswith("{"):
            raise part.refusal("a document that begins with { must be one JSON object", line)
        return False
    if kind is libyaml.ScalarEvent and root.tag is None and root.implicit[0] and plain(root.value) is None:
        return True
    if kind is Scalar and root.value is None:
        return True
    raise part.refusal("a document must be a mapping or empty", line)


def _list_item(part: Part, event: libyaml.ScalarEvent) -> bool:
    """Whether a word stands alone behind a dash (``required: [image]`` in block style), and so is no key."""
    start, end = event.start_mark.index + part.bom, event.end_mark.index + part.bom
    before = part.text[part.text.rfind("\n", 0, start) + 1 : start]
    return bool(_LIST_ITEM_BEFORE.search(before) and _END_OF_LINE.match(part.text, end))


def _ours(part: Part, texts: list[str]) -> bool:
    if "\\" not in part.text and "argocd-provenance" not in part.text.lower():
        return False
    return any(is_ours(text) for text in texts)


def may_be_list(part: Part) -> bool:
    """Whether `part` may be a list of objects; Argo CD drops one that is empty."""
    if "items" not in part.text:
        return False
    return bool(part.content.lstrip().startswith("{") or _ITEMS.search(part.text))
