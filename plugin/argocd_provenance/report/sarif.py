"""The report as SARIF 2.1.0, for code scanning.

Schema: OASIS "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
"""

import json
from typing import Any

from argocd_provenance.report.model import ImageReport, Place, Report, Suspect, fix_to_add
from argocd_provenance.report.text import SUSPECT, clean
from argocd_provenance.verdict import CODES, Finding, Outcome

_DOCS = "docs/findings.md"


def render(report: Report) -> str:
    """A SARIF log with one run; one result for each finding and each suspect."""
    results = [_result(finding, image) for image in report.images for finding in image.findings]
    results += [_plain(finding) for finding in (*report.refused, *report.errors)]
    results += [_suspect(suspect, "error" if report.suspects_deny else "note") for suspect in report.suspects]
    used = sorted({result["ruleId"] for result in results})
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": _driver(used)}, "results": results}],
    }
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _driver(used: list[str]) -> dict[str, Any]:
    rules = [{"id": c, "shortDescription": {"text": CODES[c]}, "help": {"text": f"{_DOCS}#{c}"}} for c in used]
    return {"name": "argocd-provenance", "rules": rules}


def _plain(finding: Finding) -> dict[str, Any]:
    return {"ruleId": finding.code, "level": "error", "message": {"text": _message(finding)}}


def _suspect(suspect: Suspect, level: str) -> dict[str, Any]:
    message = {"text": clean(f"{suspect.text} ({suspect.where}, {suspect.where.path}): {SUSPECT}", 4000)}
    result = {"ruleId": "suspect", "level": level, "message": message}
    return result | ({"locations": [_location(suspect.where)]} if suspect.where.file else {})


def _result(finding: Finding, image: ImageReport) -> dict[str, Any]:
    level = "error" if image.blocks else "warning" if image.outcome in (Outcome.DENIED, Outcome.ERROR) else "note"
    result = _plain(finding) | {"level": level}
    result["message"] = {"text": f"{image.reference}: {_message(finding)}"}
    result["partialFingerprints"] = {"imageAndCode/v1": f"{image.reference} {finding.code}"}
    places = [_location(place) for place in image.where if place.file]
    return result | ({"locations": places} if places else {})


def _location(place: Place) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": place.file}}
    if place.line:
        physical["region"] = {"startLine": place.line}
    return {"physicalLocation": physical}


def _message(finding: Finding) -> str:
    parts = [
        finding.message,
        finding.expected and f"expected {finding.expected}",
        finding.found and f"found {finding.found}",
    ]
    said = "; ".join(part for part in parts if part)
    fix = fix_to_add(finding)
    return clean(said + (f". Fix: {fix}" if fix else ""), 4000)
