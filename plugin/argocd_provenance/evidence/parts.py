"""What a candidate consists of, as read and unproved.

Law: nothing in here is a fact about anybody. Only `verify` makes facts of it.
"""

from typing import Literal

from argocd_provenance.oci.reference import Digest
from argocd_provenance.records import dataclass

Form = Literal["cosign-sig", "cosign-att", "bundle"]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A DSSE envelope with its one signature."""

    payload_type: str
    payload: bytes
    signature: bytes

    @property
    def covered(self) -> bytes:
        """What the signature covers. DSSE: protocol.md, "Pre-Authentication Encoding"."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.payload), self.payload)


@dataclass(frozen=True, slots=True)
class MessageDigest:
    """What a message-signature bundle says the digest of its message is."""

    algorithm: str
    value: bytes


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """The way from a leaf to the signed root of a log. RFC 6962, section 2.1.1."""

    log_index: int
    tree_size: int
    root_hash: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A transparency log entry; it has a promise (SET), a proof, or both."""

    log_id: bytes
    log_index: int
    kind: str
    version: str
    body: bytes
    integrated_time: int | None
    """Seconds; worth something under a promise only."""
    promise: bytes | None
    proof: InclusionProof | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that hangs on an image, parsed.

    Its content is an `envelope`, or a `payload` (the simple signing of cosign 2), or neither: then it is a signature over
    a message that is not in it.
    """

    form: Form
    source: str
    content: bytes
    """The layer or bundle as stored."""
    signature: bytes
    envelope: Envelope | None = None
    payload: bytes | None = None
    message_digest: MessageDigest | None = None
    certificate: bytes | None = None
    """DER of the signer's certificate."""
    key_hint: str = ""
    entry: LogEntry | None = None
    timestamps: tuple[bytes, ...] = ()
    """RFC 3161 responses, DER."""

    @property
    def digest(self) -> Digest:
        """The digest of the bytes that carried it."""
        return Digest.of(self.content)
