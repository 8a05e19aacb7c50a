"""The pipeline's ports, watched: when each image was asked about, and verified.

One law: what goes through comes out as it went in, values and exceptions.
"""

import time
from collections.abc import Mapping

from argocd_provenance.cli.moments import Moments
from argocd_provenance.evidence.artifact import Artifact
from argocd_provenance.evidence.parts import Candidate
from argocd_provenance.evidence.values import Anchor, Evidence, Rejected
from argocd_provenance.oci.gathered import NOTHING, Gathered, Place, Wanted
from argocd_provenance.oci.reference import Digest, Reference, Repository
from argocd_provenance.pipeline import Registry, Verifier


class TimedRegistry:
    """The pipeline's port to registries, watched."""

    def __init__(self, registry: Registry, moments: Moments) -> None:
        self._registry, self._moments = registry, moments

    def resolve(self, reference: Reference) -> Digest:
        """As the port says."""
        since = time.monotonic()
        try:
            return self._registry.resolve(reference)
        finally:
            self._moments.did(reference.written, since)

    def children(self, repository: Repository, digest: Digest) -> Mapping[str, Digest]:
        """As the port says."""
        since = time.monotonic()
        try:
            found = self._registry.children(repository, digest)
            self._moments.parts(digest.text, found)
            return found
        finally:
            self._moments.did(digest.text, since)

    def gather(
        self, repository: Repository, digest: Digest, place: Place, *, tag_prefix: str = "", wanted: Wanted = NOTHING
    ) -> Gathered:
        """As the port says."""
        since = time.monotonic()
        try:
            return self._registry.gather(repository, digest, place, tag_prefix=tag_prefix, wanted=wanted)
        finally:
            self._moments.did(digest.text, since)


class TimedVerifier:
    """The pipeline's port to cryptography, watched."""

    def __init__(self, verifier: Verifier, moments: Moments) -> None:
        self._verifier, self._moments = verifier, moments

    def verify(self, candidate: Candidate, anchor: Anchor, artifact: Artifact) -> Evidence | Rejected:
        """As the port says."""
        since = time.monotonic()
        try:
            return self._verifier.verify(candidate, anchor, artifact)
        finally:
            for digest in artifact.digests:
                self._moments.did(digest.text, since)
