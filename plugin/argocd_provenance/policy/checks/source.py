"""What must have been built: repository, ref, commit and workflow; and that certificate and predicate tell one story."""

from collections.abc import Iterator

from argocd_provenance.policy.checks.holds import Check, holds, shown
from argocd_provenance.policy.claims import Claims
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.patterns import Glob
from argocd_provenance.policy.predicateplace import Said
from argocd_provenance.policy.question import Question
from argocd_provenance.verdict import Finding

_SHORT_SHA = 7
_FULL_SHA = (40, 64)
_HEX = frozenset("0123456789abcdef")


def agreement(claims: Claims) -> Iterator[Check]:
    """A check for each thing of which certificate and predicate say something different, or one that they agree."""
    if claims.certificate is None or claims.provenance is None:
        return
    others = list(claims.disagreements())
    if not others:
        yield Check("certificate and predicate agree", "they do")
    for other in others:
        finding = Finding(
            "certificate-disagrees",
            f"certificate and predicate name another {other.what.replace('_', ' ')}",
            expected=f"{other.certificate.value} ({_certificate(other.certificate)})",
            found=f"{shown(other.predicate.value)} ({other.predicate.read_from})",
            fix="rebuild the image: the workflow wrote something into its provenance that did not happen",
        )
        yield Check(finding.expected, finding.found, finding)


def _certificate(said: Said) -> str:
    return said.read_from if said.read_from.startswith("certificate") else f"certificate {said.read_from}"


def source(question: Question, claims: Claims) -> Iterator[Check]:
    """A check for each expectation of the source."""
    wanted, demand = question.demand.source, question.demand
    if wanted.repository is not None:
        glob = wanted.repository
        yield holds(
            "wrong-source",
            "source repository",
            glob.text,
            claims.said("repository"),
            lambda said: same_source(glob, said),
        )
    if wanted.ref is not None:
        yield holds("wrong-ref", "source ref", wanted.ref.text, claims.said("ref"), wanted.ref.matches)
    if wanted.commit is not None:
        yield _commit(wanted.commit, question.image, claims.said("commit"))
    if demand.workflow is not None:
        yield holds(
            "wrong-workflow", "workflow", demand.workflow.text, claims.said("workflow"), demand.workflow.matches
        )


def same_source(wanted: Glob, said: str) -> bool:
    """Whether the repository URL `said` fits, compared as its host compares: GitHub does not look at case."""
    if said.lower().startswith("https://github.com/"):
        return said.isascii() and Glob(wanted.text, fold=True).matches(said)
    return wanted.matches(said)


def _commit(wanted: str, image: Image, said: Said | None) -> Check:
    if wanted in {"{tag}", "{tag:short}"}:
        tag = image.reference.tag
        if tag is None:
            finding = Finding(
                "wrong-commit",
                "the image is asked for without a tag, and the policy wants the commit there",
                expected="a tag that names the commit it was built from",
                found=f"{shown(said.value)} as commit, and no tag" if said else "no tag",
                fix="write the tag that names the commit into the reference",
            )
            return Check(finding.expected, finding.found, finding)
        short = wanted == "{tag:short}"
        return holds(
            "wrong-commit",
            "source commit",
            f"{tag} (the tag)",
            said,
            lambda commit: names_commit(tag, commit, short=short),
        )
    return holds("wrong-commit", "source commit", wanted, said, wanted.__eq__)


def names_commit(tag: str, commit: str, *, short: bool) -> bool:
    """Whether `tag` is the `commit`, or (`short`) an abbreviation of seven digits and more."""
    if len(commit) not in _FULL_SHA or not set(commit) <= _HEX:
        return False
    return tag == commit or (short and len(tag) >= _SHORT_SHA and set(tag) <= _HEX and commit.startswith(tag))
