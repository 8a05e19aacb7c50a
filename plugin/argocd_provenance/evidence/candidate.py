"""The way in: bytes that hang on an image become a `Candidate`, or a `Rejected` that says why not.

Law: parsing is total and cheap. Any bytes give one of the two, nothing is trusted, and nothing heavy is imported.
"""

from collections.abc import Callable, Mapping
from typing import Any

from argocd_provenance.evidence import bundle, cosign_layer
from argocd_provenance.evidence.parts import Candidate
from argocd_provenance.evidence.rejections import Refused
from argocd_provenance.evidence.values import Rejected

__all__ = ["Candidate", "parse_bundle", "parse_layer"]


def parse_layer(descriptor: Mapping[str, Any], content: bytes, source: str) -> Candidate | Rejected:
    """What cosign's layer `content` holds, together with the annotations of its `descriptor`."""
    return _total(lambda: cosign_layer.read(descriptor, content, source), source)


def parse_bundle(content: bytes, source: str) -> Candidate | Rejected:
    """What the Sigstore bundle `content` holds."""
    return _total(lambda: bundle.read(content, source), source)


def _total(read: Callable[[], Candidate], source: str) -> Candidate | Rejected:
    try:
        return read()
    except Refused as refused:
        return Rejected(refused.code, refused.reason, source)
