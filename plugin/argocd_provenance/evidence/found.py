"""What was found at one place about one digest, read and proved: as a value, and as an entry of the cache.

One law: an entry holds what cryptography proved and what was signed, never what a policy makes of it; only what led here
unchanged (`oci.gathered.Gathered.lists`) leads to it again. It is opened under our seal or not at all, and `verify` alone
makes evidence of it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from argocd_provenance.errors import InvalidReference
from argocd_provenance.evidence.rejections import REJECTIONS
from argocd_provenance.evidence.values import Anchor, Certificate, Evidence, Rejected
from argocd_provenance.oci.reference import Digest, Repository
from argocd_provenance.records import dataclass


@dataclass(frozen=True, slots=True)
class Spot:
    """One place (`oci.gathered.Place`) at which evidence about `subject` may hang, and the lists that lead there."""

    repository: Repository
    subject: Digest
    place: str
    tag_prefix: str
    lists: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What a place holds: what was proved, what proves nothing, and notes on what was looked at."""

    evidence: tuple[Evidence, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reopened:
    """An entry that was opened: the parts of each piece of evidence by their names, and the rest of `Found`."""

    parts: tuple[Mapping[str, Any], ...]
    rejected: tuple[Rejected, ...]
    notes: tuple[str, ...]


def spelled(found: Found, anchors: Sequence[Anchor]) -> bytes:
    """`found` as an entry; `anchors` are those that were asked."""
    said = {
        "evidence": [_spelled(piece, anchors) for piece in found.evidence],
        "rejected": [
            [r.code, r.reason, r.source, r.claimed_identity, r.claimed_predicate_type] for r in found.rejected
        ],
        "notes": found.notes,
    }
    return json.dumps(said, separators=(",", ":")).encode()


def reopened(entry: bytes, anchors: Sequence[Anchor]) -> Reopened | None:
    """What `spelled` wrote; None for what this version does not write."""
    try:
        said, numbered = json.loads(entry), dict(enumerate(anchors))  # a number that is none of theirs means nobody
        rejected = tuple(Rejected(*parts) for parts in said["rejected"])
        if any(one.code not in REJECTIONS for one in rejected):
            return None
        return Reopened(
            tuple(_parts(piece, numbered) for piece in said["evidence"]), rejected, tuple(map(str, said["notes"]))
        )
    except (ValueError, KeyError, TypeError, IndexError, InvalidReference):
        return None


def _spelled(piece: Evidence, anchors: Sequence[Anchor]) -> list[Any]:
    by = piece.certificate
    return [
        piece.subject.text,
        piece.kind,
        piece.form,
        anchors.index(piece.anchor),
        [by.identity, by.issuer, dict(by.claims), dict(by.read_from)] if by is not None else None,
        piece.predicate_type,
        piece.statement,
        dict(piece.annotations),
        piece.names,
        piece.source,
        piece.digest.text,
        piece.logged,
        piece.log_index,
        piece.log_url,
        [time.isoformat() for time in piece.times],
    ]


def _parts(said: Sequence[Any], anchors: Mapping[int, Anchor]) -> Mapping[str, Any]:
    subject, kind, form, anchor, by, predicate_type, statement, annotations, names, source, digest, *rest = said
    logged, log_index, log_url, times = rest
    return {
        "subject": Digest(subject),
        "kind": kind,
        "form": form,
        "anchor": anchors[anchor],
        "certificate": Certificate(*by) if by is not None else None,
        "predicate_type": predicate_type,
        "statement": statement,
        "annotations": annotations,
        "names": tuple(names),
        "source": source,
        "digest": Digest(digest),
        "logged": logged,
        "log_index": log_index,
        "log_url": log_url,
        "times": tuple(map(datetime.fromisoformat, times)),
    }
