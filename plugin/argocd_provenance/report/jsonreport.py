"""The report as programs read it. Its shape is part of the interface: fields are added, never renamed."""

import json
from typing import Any

from argocd_provenance.evidence.values import Evidence
from argocd_provenance.report.model import ImageReport, Place, Report
from argocd_provenance.verdict import Finding

# What is to be done about an error that says no more than what is wrong, and where.
_USUALLY = {
    "render-failed": "correct what is named: the source, or the parameters of its Application",
    "ambiguous-yaml": "write it so that every reader of YAML reads the same",
    "deadline": "make the source smaller, or raise `deadline` in the config",
    "hook-not-possible": "correct what is named in the config, or leave the hook off for this Application",
    "hook-payload": "sync again; if it stays, let `hook.image` in the config be the image of the plugin's sidecar",
    "cluster": "let the proof's account read what it asks for (argocd/proof/), and try again",
    "internal": "report it: this is a fault in argocd-provenance",
}


def render(report: Report) -> str:
    """The report as indented JSON, ending in a line break."""
    return json.dumps(as_data(report), indent=2, ensure_ascii=False) + "\n"


def as_data(report: Report) -> dict[str, Any]:
    """The report as JSON values: ``verdict``, ``images``, ``suspects``, ``refused``, ``errors``, ``notes``."""
    return {
        "verdict": report.verdict,
        "application": report.application,
        **({"renderer": dict(zip(("name", "version"), report.renderer, strict=True))} if report.renderer else {}),
        "images": [_image(image) for image in report.images],
        "suspects": [{"text": s.text, "where": _place(s.where)} for s in report.suspects],
        "refused": [_finding(finding) for finding in report.refused],
        "errors": [_error(finding) for finding in report.errors],
        "notes": list(report.notes),
    }


def _image(image: ImageReport) -> dict[str, Any]:
    return {
        "reference": image.reference,
        "digest": image.digest,
        "pinned": image.pinned,
        "verdict": str(image.outcome),
        "mode": image.mode,
        "policies": list(image.policies),
        "where": [_place(place) for place in image.where],
        "evidence": [_evidence(evidence) for evidence in image.evidence],
        "findings": [_finding(finding) for finding in image.findings],
        **({"remark": image.remark} if image.remark else {}),
        **({"checks": list(image.checks)} if image.checks else {}),
    }


def _place(place: Place) -> dict[str, Any]:
    return {
        "kind": place.kind,
        "namespace": place.namespace,
        "name": place.name,
        "container": place.container,
        "file": place.file,
        "line": place.line,
        "path": place.path,
    }


def _finding(finding: Finding) -> dict[str, str]:
    return {name: getattr(finding, name) for name in ("code", "message", "expected", "found", "fix")}


def _error(finding: Finding) -> dict[str, str]:
    data = _finding(finding)
    return data | {"fix": data["fix"] or _USUALLY.get(finding.code, "")}


def _evidence(evidence: Evidence) -> dict[str, Any]:
    certificate = evidence.certificate
    claims = certificate.claims if certificate else {}
    source = {
        "repository": claims.get("sourceRepositoryURI", ""),
        "ref": claims.get("sourceRepositoryRef", ""),
        "commit": claims.get("sourceRepositoryDigest", ""),
    }
    return {
        "kind": evidence.kind,
        "form": evidence.form,
        "predicateType": evidence.predicate_type or "",
        "identity": certificate.identity if certificate else "",
        "issuer": certificate.issuer if certificate else "",
        "anchor": evidence.anchor.name,
        "source": source,
        "builder": claims.get("buildSignerURI", ""),
        "logIndex": evidence.log_index,
        "logUrl": evidence.log_url or "",
        "times": [time.isoformat() for time in evidence.times],
    }
