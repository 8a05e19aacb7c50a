"""What an object's annotations say: a function of the evidence alone, so that the same evidence gives the same bytes.

The whole stays within 2,048 bytes an object; an entry that does not fit is counted, never cut.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from argocd_provenance.documents.scalars import json_text

VERDICT: Final = "argocd-provenance.io/verdict"
IMAGES: Final = "argocd-provenance.io/images"
LINK: Final = "link.argocd.argoproj.io/argocd-provenance"
LIMIT: Final = 2048
"""Bytes of names and values together. Kubernetes allows 256 KiB an object, which client-side apply stores twice."""

WEAKEST_FIRST: Final = ("warned", "unverified", "exception", "verified")
_MORE = "…"


def weakest(verdicts: Iterable[str]) -> str:
    """The verdict of an object: that of its weakest image. Raises ValueError for an unknown word, or none at all."""
    return WEAKEST_FIRST[min(WEAKEST_FIRST.index(verdict) for verdict in verdicts)]


def annotations(verdict: str, entries: Mapping[str, Mapping[str, object]], link: str = "") -> dict[str, str]:
    """The annotations of one object.

    `entries`, in order, maps each reference as written to what is known of it (``digest``, ``signer``, ``source``,
    ``builder``, ``policies``; empty values are left out); `link` is a log entry's https address, or empty.
    """
    if verdict not in WEAKEST_FIRST:
        raise ValueError(f"no such verdict: {verdict!r}")
    named = {VERDICT: verdict}
    if entries:
        named[IMAGES] = _fitting(entries, LIMIT - _size(named) - len(IMAGES))
    linked = {LINK: f"Sigstore log|{link}"} if link else {}
    if _size(named) + _size(linked) > LIMIT and entries:
        # The link is one click for people; it wins over the last entries, unless it leaves no room for any.
        shorter = _fitting(entries, LIMIT - _size({VERDICT: verdict}) - len(IMAGES) - _size(linked))
        if _size(linked) < LIMIT // 2:
            return {VERDICT: verdict, IMAGES: shorter, **linked}
        return named
    return {**named, **linked}


def _size(named: Mapping[str, str]) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in named.items())


def _fitting(entries: Mapping[str, Mapping[str, object]], room: int) -> str:
    kept: dict[str, object] = {}
    for reference, entry in entries.items():
        tried = {**kept, reference: {key: value for key, value in entry.items() if value}}
        if len(_counted(tried, len(entries)).encode()) <= room:
            kept = tried
    return _counted(kept, len(entries))


def _counted(kept: Mapping[str, object], total: int) -> str:
    left = total - len(kept)
    return json_text({**kept, _MORE: f"+{left}"} if left else kept)
