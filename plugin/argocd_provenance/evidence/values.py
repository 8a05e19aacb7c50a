"""What verification hands to judgement: evidence that was proved, and candidates that were rejected.

Only `evidence.verify.Verifier.verify` makes an `Evidence`; everything in it is covered by a checked signature.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from argocd_provenance.oci.reference import Digest
from argocd_provenance.records import dataclass, field

Kind = Literal["signature", "provenance", "attestation"]

SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
PROVENANCE_V1 = "https://slsa.dev/provenance/v1"
PROVENANCE_V02 = "https://slsa.dev/provenance/v0.2"
PROVENANCE_V01 = "https://slsa.dev/provenance/v0.1"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a verified Fulcio certificate says; `claims` by the names of `CLAIM_NAMES`, absent ones missing.

    Fulcio: docs/oid-info.md.
    """

    identity: str
    issuer: str
    claims: Mapping[str, str] = field(default_factory=dict)
    """Keys: buildSignerURI (.9), buildSignerDigest (.10), runnerEnvironment (.11), sourceRepositoryURI (.12, or from .5),
    sourceRepositoryDigest (.13, or .3), sourceRepositoryRef (.14, or .6), sourceRepositoryIdentifier (.15),
    sourceRepositoryOwnerURI (.16), sourceRepositoryOwnerIdentifier (.17), buildConfigURI (.18), buildConfigDigest (.19),
    buildTrigger (.20, or .2), runInvocationURI (.21), sourceRepositoryVisibilityAtSigning (.22),
    deploymentEnvironment (.23), tokenSubject (.24), githubWorkflowName (.4)."""
    read_from: Mapping[str, str] = field(default_factory=dict)
    """The OID each claim was read from, e.g. ``{"sourceRepositoryURI": "1.3.6.1.4.1.57264.1.12"}``; for ``--explain``."""


@dataclass(frozen=True, slots=True)
class DomainAnchor:
    """Trust in certificates: a trust domain by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class KeyAnchor:
    """Trust in one public key; `log`: a transparency log entry (of the trust domain `domain`) is demanded.

    `stamped`: a timestamp of that domain's authority is demanded.
    """

    spki: bytes
    """The key as DER SubjectPublicKeyInfo."""
    log: bool = True
    domain: str = "public-good"
    stamped: bool = False
    hash: str | None = None
    """The one hash that it signs with; None: that of its type."""

    @property
    def name(self) -> str:
        """``key:`` and the first 16 hex digits of the sha256 of the SPKI."""
        import hashlib  # noqa: PLC0415 - pure and cheap, and only asked for in reports

        return "key:" + hashlib.sha256(self.spki).hexdigest()[:16]


Anchor = DomainAnchor | KeyAnchor


@dataclass(frozen=True, slots=True)
class Evidence:
    """One verified statement about `subject`: who signed what, proved by which trust anchor."""

    subject: Digest
    kind: Kind
    form: str
    """How it was attached: ``cosign-sig``, ``cosign-att`` or ``bundle``."""
    anchor: Anchor
    certificate: Certificate | None
    """None for a signature by key."""
    predicate_type: str | None
    """None for a legacy cosign signature (simple signing payload)."""
    statement: Mapping[str, Any]
    """The in-toto statement, or the simple signing payload, as parsed from the verified bytes."""
    annotations: Mapping[str, str]
    """Signed annotations: ``optional`` of a simple signing payload, ``subject[].annotations`` of a statement."""
    names: tuple[str, ...]
    """What the signed content calls the image: docker-reference, or the name of the matching subjects. May be empty."""
    source: str
    """Where the bytes came from, for people: ``referrers``, ``sha256-….sig`` or a file name. Not proved."""
    digest: Digest
    """The digest of the bytes that carried it."""
    logged: bool
    """A transparency log entry was proved."""
    log_index: int | None = None
    """The authenticated index, where there is one."""
    log_url: str | None = None
    """A page about the log entry."""
    times: tuple[datetime, ...] = ()
    """Proved times of signing (log or timestamp authority), aware, UTC."""

    @property
    def predicate(self) -> Any:
        """The statement's predicate; an empty mapping where there is none."""
        return self.statement.get("predicate", {}) if self.predicate_type is not None else {}


@dataclass(frozen=True, slots=True)
class Rejected:
    """A candidate that proves nothing, and why. `code` is one of `REJECTIONS`."""

    code: str
    reason: str
    source: str = ""
    claimed_identity: str = ""
    """Who it claims to be by; unproved, for messages only."""
    claimed_predicate_type: str = ""
    lasting: bool = field(default=True, compare=False)
    """False where something unexpected went wrong, which the next run may not meet."""
