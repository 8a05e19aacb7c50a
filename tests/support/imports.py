"""Whether what was imported is at least as strict: by evidence of many signers, judged by both policies."""

from collections.abc import Iterator, Sequence
from datetime import date

from argocd_provenance.evidence.values import Certificate, DomainAnchor, Evidence, KeyAnchor
from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.judge import judge
from argocd_provenance.policy.load import load_policies
from argocd_provenance.policy.model import Policy
from argocd_provenance.policy.signers import IdentitySigner, KeySigner

TODAY = date(2026, 6, 1)
DIGEST = Digest("sha256:" + "1a" * 32)
ACTIONS = "https://token.actions.githubusercontent.com"
SUBJECTS = (
    "https://github.com/acme/shop/.github/workflows/build.yml@refs/heads/main",
    "https://github.com/acme/shop/.github/workflows/build.yml@refs/tags/v1.2.3",
    "https://github.com/acme-evil/shop/.github/workflows/build.yml@refs/heads/main",
    "https://githubxcom/acme/shop/.github/workflows/build.yml@refs/heads/main",
    "https://evil.example/?https://github.com/acme/shop/.github/workflows/build.yml@refs/heads/main",
    "release@acme.example",
    "mallory@evil.example",
)
ISSUERS = (ACTIONS, "https://accounts.google.com", "https://issuer.evil.example")
SIGN, SLSA, SPDX = "https://sigstore.dev/cosign/sign/v1", "https://slsa.dev/provenance/v1", "https://spdx.dev/Document"


def loaded(text: str) -> Policy:
    """The one policy of a text."""
    return load_policies([("p.yaml", text)], lambda name: name.encode())[0]


def piece(identity: str, issuer: str, kind: str, anchor: KeyAnchor | None = None, *, logged: bool = True) -> Evidence:
    """Evidence by a certificate, or by a key; `kind` is ``signature`` or a predicate type."""
    said = None if anchor is not None else Certificate(identity, issuer, {})
    what = "signature" if kind == "signature" else "provenance" if kind == SLSA else "attestation"
    statement = {"predicateType": kind, "predicate": {"packages": []}} if kind != "signature" else {"critical": {}}
    digest = Digest.of(repr((identity, issuer, kind, anchor, logged)).encode())
    return Evidence(
        DIGEST, what, "bundle", anchor or DomainAnchor("public-good"), said, None if kind == "signature" else kind,
        statement, {}, (), "referrers", digest, logged=logged,
    )  # type: ignore[arg-type]  # fmt: skip


def offered(policies: Sequence[Policy]) -> Iterator[Evidence]:
    """Evidence by everybody: whom the policies name, and strangers; signatures and attestations."""
    signers = [signer for policy in policies for demand in policy.require for signer in demand.by]
    named = [s.subject.text.strip("^$").replace("\\", "") for s in signers if isinstance(s, IdentitySigner)]
    issuers = [s.issuer.text for s in signers if isinstance(s, IdentitySigner)]
    keys = {s.key for s in signers if isinstance(s, KeySigner)}
    types = {t for policy in policies for demand in policy.require for t in demand.predicate_types}
    for kind in ("signature", *sorted(types | {SLSA, SPDX, SIGN})):
        for subject in dict.fromkeys((*SUBJECTS, *named, *(f"x{one}" for one in named), *(f"{one}x" for one in named))):
            for issuer in dict.fromkeys((*ISSUERS, *issuers)):
                yield piece(subject, issuer, kind)
        for key in keys:
            yield piece("", "", kind, key)
            yield piece("", "", kind, key, logged=False)


def allows(policy: Policy, evidence: Sequence[Evidence], reference: str = "ghcr.io/acme/shop:v1") -> bool:
    """Whether the policy is satisfied."""
    image = Image(Reference.parse(reference), DIGEST)
    return judge(image, policy, evidence, today=TODAY).allowed


def laxer(original: Policy, imported: Policy) -> list[Evidence]:
    """Evidence that the original refuses and the import takes; one piece alone, or all of one signer."""
    found = list(offered((original, imported)))
    signers: dict[str, list[Evidence]] = {}
    for one in found:
        signers.setdefault(repr((one.certificate, one.anchor, one.logged)), []).append(one)
    sets = [[one] for one in found] + list(signers.values())
    return [group[0] for group in sets if allows(imported, group) and not allows(original, group)]
