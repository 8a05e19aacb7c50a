"""``verify --bundle``: one bundle, one artifact, no network."""

from datetime import date
from pathlib import Path

from argocd_provenance.cli import answers
from argocd_provenance.cli.asking import Asked, digest_typed, read_bytes
from argocd_provenance.cli.operator import Operator, domains
from argocd_provenance.errors import UsageError
from argocd_provenance.evidence.artifact import Artifact
from argocd_provenance.evidence.candidate import parse_bundle
from argocd_provenance.evidence.parts import Candidate
from argocd_provenance.evidence.values import Evidence, Rejected
from argocd_provenance.evidence.verify import Verifier
from argocd_provenance.oci.reference import Reference
from argocd_provenance.pipeline import Decided, Why
from argocd_provenance.policy.decision import Decision, decide
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.judge import judge
from argocd_provenance.policy.select import Coverage
from argocd_provenance.policy.tree import tree
from argocd_provenance.records import replace
from argocd_provenance.report.model import Report
from argocd_provenance.verdict import Finding, Outcome

# What a policy's expressions see of an artifact that lies in no registry.
_ANEW = (
    "see the reason; name the file that was signed, its signer's trusted root (--trusted-root), or have it signed anew"
)
_NOWHERE = Reference.parse("artifact.invalid/artifact")


def judge_bundle(asked: Asked, ruled: Operator, today: date) -> Report:
    """The report about the one artifact named on the command line."""
    if len(asked.references) != 1 or asked.bundle is None:
        raise UsageError("--bundle judges one artifact: a file, sha256:HEX or sha512:HEX")
    typed = asked.references[0]
    artifact = _artifact(typed)
    bundle = read_bytes(asked.bundle, "--bundle")
    candidate = parse_bundle(bundle, asked.bundle.name)
    if isinstance(candidate, Rejected):
        # Whatever the policies: `mode: warn` and `mode: pin` let images through, never a bundle that is none.
        return Report((answers.image_report(Decided(typed, _malformed(candidate), artifact.digests[0])),))
    proved, rejected = _verified(candidate, ruled, artifact)
    digest = proved[0].subject if proved else artifact.digests[0]
    image = Image(_NOWHERE, digest)
    judged = [(policy, judge(image, policy, proved, rejected, today=today)) for policy in ruled.policies]
    decision = decide(image, Coverage(ruled.policies), judged, (), "deny")
    decision = replace(decision, findings=tuple(_of_a_bundle(finding) for finding in decision.findings))
    notes = tuple(
        f"policy {p.name} is taken as matching: an artifact has no repository" for p in ruled.policies if asked.policies
    )
    lines = [line for p in ruled.policies for line in tree(image, p, proved, rejected, today=today)]
    told = answers.image_report(
        Decided(typed, decision, digest, why=lambda: Why(tuple(lines), tuple(proved))), tree=asked.explain
    )
    return Report((told,), notes=notes)


def _artifact(typed: str) -> Artifact:
    # A digest is a digest, also where somebody has put a file of that name: ./sha256:… would be the file.
    digest = digest_typed(typed)
    if digest is None and typed.startswith(("sha256:", "sha512:")):
        raise UsageError(
            f"ARTIFACT: {typed!r} is no digest: after sha256: stand 64 digits of 0-9a-f, after sha512: 128"
        )
    return Artifact.hashed(digest) if digest is not None else Artifact.file(read_bytes(Path(typed), "ARTIFACT"))


def _of_a_bundle(finding: Finding) -> Finding:
    """The finding in words that fit a file: there is no registry to push to, and no Application to refresh."""
    if finding.code == "unsigned":
        return replace(finding, message="nothing in the bundle verifies for this artifact", fix=_ANEW)
    return replace(finding, fix=_ANEW) if finding.code == "rejected" else finding


def _malformed(rejected: Rejected) -> Decision:
    finding = Finding(
        "rejected",
        "the bundle cannot be read as one",
        expected="a Sigstore bundle, as cosign and GitHub write it",
        found=rejected.reason,
        fix="fetch the bundle anew, or name the file that holds it",
    )
    return Decision(Outcome.DENIED, findings=(finding,), settled=True)


def _verified(candidate: Candidate, ruled: Operator, artifact: Artifact) -> tuple[list[Evidence], list[Rejected]]:
    verifier = Verifier(domains(ruled))
    anchors = dict.fromkeys(anchor for policy in ruled.policies for anchor in policy.anchors())
    results = [verifier.verify(candidate, anchor, artifact) for anchor in anchors]
    proved = [result for result in results if isinstance(result, Evidence)]
    return proved, [result for result in results if isinstance(result, Rejected)]
