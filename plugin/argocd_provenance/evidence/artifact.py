"""What must have been signed."""

from argocd_provenance.oci.reference import Digest
from argocd_provenance.records import dataclass

ALGORITHMS = ("sha256", "sha384", "sha512")


@dataclass(frozen=True, slots=True)
class Artifact:
    """An image by its one digest, or a file by its content or a digest of it.

    `blob` admits signatures over the bytes themselves (``cosign sign-blob``). For images they prove nothing: who signs
    files that others upload would sign an image with the file that is its manifest.
    """

    digests: tuple[Digest, ...]
    content: bytes | None = None
    blob: bool = False

    @classmethod
    def file(cls, content: bytes) -> "Artifact":
        """A file, known under each algorithm that a statement may name it by."""
        return cls(tuple(Digest.of(content, algorithm) for algorithm in ALGORITHMS), content, blob=True)

    @classmethod
    def hashed(cls, digest: Digest) -> "Artifact":
        """A file of which only a digest is at hand."""
        return cls((digest,), blob=True)
