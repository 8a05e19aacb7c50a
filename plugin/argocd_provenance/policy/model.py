"""A policy as values: what it is about, whom it trusts, what it demands.

A policy's authorities are alternatives (OR); the demands of one authority must all hold (AND), each by one piece of
evidence; the signers of one demand are alternatives again. ImagePolicy has one authority, ClusterImagePolicy has many.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal, Protocol

from argocd_provenance.evidence.values import Anchor
from argocd_provenance.oci.reference import Repository
from argocd_provenance.policy.imagepatterns import ImagePattern
from argocd_provenance.policy.levels import Builder
from argocd_provenance.policy.objectmatch import ObjectMatch
from argocd_provenance.policy.patterns import Glob
from argocd_provenance.policy.signers import Signer
from argocd_provenance.records import dataclass, field

Mode = Literal["enforce", "warn", "pin"]
DemandKind = Literal["signature", "provenance", "attestation", "any"]


class Condition(Protocol):
    """An expression of some policy language over one piece of evidence."""

    @property
    def text(self) -> str:
        """The expression as written."""

    def failure(self, scope: Mapping[str, Any]) -> str | None:
        """Why it is not true of `scope` (`predicate`, `statement`, `certificate`, `image`); None if it is."""


@dataclass(frozen=True, slots=True)
class Source:
    """What must have been built. `commit` is a SHA, ``{tag}`` or ``{tag:short}``."""

    repository: Glob | None = None
    ref: Glob | None = None
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a verification summary must say: its verifier, and what else is asked for."""

    verifier: str
    policy: str | None = None
    level: int | None = None
    resource: Glob | None = None
    """Its resource as text; None: the image's own repository."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What one piece of evidence must show; None and empty fields ask for nothing."""

    kind: DemandKind
    by: tuple[Signer, ...]
    at_least: int = 1
    predicate_types: frozenset[str] = frozenset()
    """For ``attestation``: one of these exactly. Empty for the other kinds."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    source: Source = Source()
    workflow: Glob | None = None
    builder: str | None = None
    build_type: str | None = None
    runner: str | None = None
    trigger: str | None = None
    environment: str | None = None
    visibility: str | None = None
    level: int | None = None
    max_age_days: int | None = None
    where: tuple[Condition, ...] = ()
    name: str = ""
    """What the policy calls an attestation; empty elsewhere."""
    summary: Summary | None = None
    vex: tuple[Signer, ...] = ()
    """Whose OpenVEX documents an expression sees beside the evidence."""
    path: str = ""
    """Where it stands in the policy, such as ``spec.require[0].signature``."""

    def __post_init__(self) -> None:
        if not self.by or not 1 <= self.at_least <= len(self.by):
            raise ValueError("a demand without a signer proves nothing")
        if self.kind == "attestation" and not self.predicate_types:
            raise ValueError("an attestation of any type proves nothing")


@dataclass(frozen=True, slots=True)
class EvidenceSource:
    """Another repository where signatures lie, and what its tags begin with (glued on without a separator)."""

    repository: Repository | None
    tag_prefix: str = ""


@dataclass(frozen=True, slots=True)
class MixedDomain:
    """A trust domain that a ClusterImagePolicy puts together: certificates of one, log or timestamps of another."""

    name: str
    base: str
    """The domain of the certificates, and of the SCTs in them."""
    log: str
    """The domain of the transparency log."""
    stamps: str
    """The domain of the timestamp authority."""
    requires: frozenset[Literal["log", "timestamp"]] | None = None
    """The proof of time that is demanded; None: what `base` demands."""
    sct: bool = True
    """Whether an SCT is demanded where `base` demands one."""


@dataclass(frozen=True, slots=True)
class Authority:
    """One way to satisfy a policy: all `demands`, or a fixed answer."""

    demands: tuple[Demand, ...] = ()
    name: str = ""
    static: Literal["pass", "fail"] | None = None
    message: str = ""
    source: EvidenceSource | None = None


@dataclass(frozen=True, slots=True)
class Applications:
    """The Applications a policy is about; an empty part asks for nothing."""

    projects: tuple[Glob, ...] = ()
    names: tuple[Glob, ...] = ()
    repositories: tuple[Glob, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyException:
    """Images, by digest, that are let through although they do not pass, until the end of a day."""

    images: tuple[ImagePattern, ...]
    owner: str
    reason: str
    expires: date


@dataclass(frozen=True, slots=True)
class Platforms:
    """What is verified of a multi-arch image: the index alone, all its platforms, or some."""

    kind: Literal["index", "all", "some"] = "index"
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SubjectName:
    """Whether evidence that names an image must name this repository (`same`), or one that fits `patterns`."""

    kind: Literal["any", "same", "patterns"] = "any"
    patterns: tuple[ImagePattern, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy of the operator. `origin` is ``FILE:LINE``."""

    name: str
    origin: str
    mode: Mode
    images: tuple[ImagePattern, ...]
    authorities: tuple[Authority, ...] = ()
    exclude: tuple[ImagePattern, ...] = ()
    applications: Applications | None = None
    platforms: Platforms = Platforms()
    subject_name: SubjectName = SubjectName()
    exceptions: tuple[PolicyException, ...] = ()
    builders: tuple[Builder, ...] = ()
    """Rows that go before the built-in table of SLSA build levels."""
    match: tuple[ObjectMatch, ...] = ()
    """The objects it is about (`spec.match` of a ClusterImagePolicy), any of them; empty: all."""
    over: Condition | None = None
    """What must hold of all that its authorities found (`spec.policy` of a ClusterImagePolicy)."""
    domains: tuple[MixedDomain, ...] = ()
    """The trust domains that it puts together itself."""
    foreign: bool = False
    """Read from a ClusterImagePolicy."""
    warnings: tuple[str, ...] = ()
    """What a lint says of it."""

    def __post_init__(self) -> None:
        if not self.images or (not self.authorities and self.mode != "pin"):
            raise ValueError("a policy without images, or without a demand, proves nothing")

    @property
    def require(self) -> tuple[Demand, ...]:
        """All demands of all authorities."""
        return tuple(demand for authority in self.authorities for demand in authority.demands)

    @property
    def narrow(self) -> bool:
        """Whether it holds for some Applications or objects only."""
        return self.applications is not None or bool(self.match)

    def anchors(self) -> tuple[Anchor, ...]:
        """The trust anchors that its demands name, each once."""
        signers = (signer for demand in self.require for signer in (*demand.by, *demand.vex))
        return tuple(dict.fromkeys(signer.anchor for signer in signers))

    @property
    def thorough(self) -> bool:
        """Whether all that is attached must be looked at: a newer document may take back what an older one accepts."""
        return any(demand.vex for demand in self.require)

    def hosts(self) -> frozenset[str]:
        """The registries that stand literally in its image patterns, and in the places of its signatures."""
        written = {pattern.host for pattern in self.images}
        elsewhere = {source.repository.host for source in self.sources() if source.repository is not None}
        return frozenset(host for host in written | elsewhere if host is not None)

    def sources(self) -> tuple[EvidenceSource, ...]:
        """Where else its signatures lie, each once."""
        return tuple(dict.fromkeys(a.source for a in self.authorities if a.source is not None))
