"""What a rewritten document says, read without nodes.

A second and simpler reader than `nodes` with `values`, so that a document is not checked by the code that changed it. It
knows no aliases, merges or tags; of such documents, `says` asks the other reader.
"""

from typing import Any

import yaml._yaml as libyaml

from argocd_provenance.documents.nodes import EventReader, compose, libyaml_errors
from argocd_provenance.documents.scalars import json_text, plain
from argocd_provenance.documents.split import Part
from argocd_provenance.documents.values import Walk


class _NotSimple(Exception):
    """The document needs the reader that knows aliases, merges and odd keys."""


def says(part: Part) -> str:
    """The content of `part` as JSON with sorted keys; raises DocumentError."""
    reader = EventReader(part)
    try:
        return json_text(_data(reader), sort_keys=True)
    except _NotSimple:
        root = compose(part)
        return json_text(Walk(part).data(root) if root is not None else None, sort_keys=True)
    except libyaml_errors() as error:
        raise reader.fault(error) from error


def _data(reader: EventReader) -> Any:  # noqa: C901, PLR0912  one branch an event; calls would cost a third more time
    following, scalar_event = reader.next, libyaml.ScalarEvent
    top: list[Any] = []
    parent: Any = top
    key: str | None = None
    stack: list[tuple[Any, str | None]] = []
    value: Any
    while True:
        event = following()
        kind = event.__class__
        if kind is scalar_event:
            value = event.value
            if event.tag is not None or event.anchor is not None:
                raise _NotSimple
            if event.implicit[0]:
                value = plain(value)
                if value.__class__ is float or value == "<<":
                    raise _NotSimple
        elif kind is libyaml.MappingStartEvent or kind is libyaml.SequenceStartEvent:
            if event.tag is not None or event.anchor is not None:
                raise _NotSimple
            value = {} if kind is libyaml.MappingStartEvent else []
        elif kind is libyaml.MappingEndEvent or kind is libyaml.SequenceEndEvent:
            parent, key = stack.pop()
            continue
        elif kind is libyaml.StreamEndEvent:
            return top[0] if len(top) == 1 else None
        elif kind in _FRAME and len(top) <= 1:
            continue
        else:
            raise _NotSimple
        if parent.__class__ is list:
            parent.append(value)
        elif key is not None:
            parent[key], key = value, None
        elif value.__class__ is str:
            key = value
            continue
        else:
            raise _NotSimple
        if value.__class__ is dict or value.__class__ is list:
            stack.append((parent, key))
            parent, key = value, None


_FRAME = frozenset({libyaml.StreamStartEvent, libyaml.DocumentStartEvent, libyaml.DocumentEndEvent})
