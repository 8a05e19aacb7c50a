"""From decisions to what is said: image reports, and the annotations of an object."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from argocd_provenance.documents import ImageField, ObjectImages, annotations, weakest
from argocd_provenance.evidence.values import Evidence
from argocd_provenance.report.explain import explain
from argocd_provenance.report.model import ImageReport, Place

if TYPE_CHECKING:
    from argocd_provenance.pipeline import Decided


def place(field: ImageField) -> Place:
    """Where an image field stands, for the report."""
    return Place(field.kind, field.namespace, field.name, field.container, field.file, field.line, field.path)


def image_report(decided: "Decided", where: Sequence[Place] = (), *, tree: bool = False) -> ImageReport:
    """What the report says of one reference; with `tree`, how every policy was decided too."""
    decision = decided.decision
    why = decided.why() if tree else None
    seen = why.evidence if why is not None else decision.used
    remark = ""
    if decision.exception is not None:
        exception = decision.exception
        remark = f"by exception: {exception.reason}, owner {exception.owner}, until {exception.expires}"
    return ImageReport(
        reference=decided.written,
        outcome=decision.outcome,
        digest=decided.digest.text if decided.digest else "",
        pinned=decided.pinned,
        mode=decision.mode,
        policies=decision.policies,
        where=tuple(where),
        evidence=decision.used,
        findings=decision.findings,
        remark=remark,
        checks=(*(why.lines if why is not None else ()), *(line for evidence in seen for line in explain(evidence))),
    )


def object_annotations(decided: "Mapping[str, Decided]", images: ObjectImages) -> dict[str, str]:
    """The annotations of an object that runs `images`; none where nothing was decided about any of them."""
    named = list(dict.fromkeys(field.written for field in images.images if field.written in decided))
    if not named:
        return {}
    words = [decided[written].decision.word or "warned" for written in named]
    if any(field.written not in decided for field in images.images):
        words.append("unverified")  # a template's hole, which nobody has looked into
    entries = {written: _entry(decided[written]) for written in named}
    links = [url for written in named for e in decided[written].decision.used if (url := e.log_url)]
    return annotations(weakest(words), entries, links[0] if links else "")


def _entry(decided: "Decided") -> dict[str, object]:
    """What an annotation says of one image: a function of the evidence alone, so that nothing flaps."""
    used = decided.decision.used
    return {
        "digest": decided.digest.text if decided.digest and decided.pinned else "",
        "signer": _first(used, _signer),
        "source": _first(used, _source),
        "builder": _first(used, lambda e: e.certificate.claims.get("buildSignerURI", "") if e.certificate else ""),
        "policies": list(decided.decision.policies),
    }


def _first(used: Sequence[Evidence], read: Callable[[Evidence], str]) -> str:
    return next((said for evidence in used if (said := read(evidence))), "")


def _signer(evidence: Evidence) -> str:
    return evidence.certificate.identity if evidence.certificate else evidence.anchor.name


def _source(evidence: Evidence) -> str:
    """``github.com/acme/api@9e1f…``, as the certificate says."""
    claims = evidence.certificate.claims if evidence.certificate else {}
    repository, commit = claims.get("sourceRepositoryURI", ""), claims.get("sourceRepositoryDigest", "")
    return f"{repository.removeprefix('https://')}@{commit}" if repository and commit else ""
