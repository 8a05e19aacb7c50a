"""What a lint said, as text, as JSON and as SARIF 2.1.0."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from argocd_provenance.lints import CODES, Lint
from argocd_provenance.report.text import clean

_DOCS = "docs/lint.md"


def render(found: Sequence[Lint], form: str, *, policies: int, exit_code: int) -> str:
    """`found`, about so many policies, as ``text``, ``json`` or ``sarif``."""
    if form == "sarif":
        return _json(_sarif(found))
    if form == "json":
        return _json({"exitCode": exit_code, "policies": policies, "findings": [_data(one) for one in found]})
    return "\n".join([_summary(found, policies), *(_line(one) for one in found), ""])


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _summary(found: Sequence[Lint], policies: int) -> str:
    counts = Counter(one.severity for one in found)
    said = [
        f"{counts[word]} {word}{'s' * (counts[word] != 1)}" for word in ("error", "warning", "note") if counts[word]
    ]
    return (
        f"policy check: {policies} {'policy' if policies == 1 else 'policies'}, {', '.join(said) or 'nothing to say'}"
    )


def _line(one: Lint) -> str:
    path = f"{one.path}: " if one.path else ""
    return clean(
        f" {one.severity.upper()} {one.file}:{one.line}: {path}[{one.code}] {one.message}. Fix: {one.fix}", 2000
    )


def _data(one: Lint) -> dict[str, Any]:
    return {
        "code": one.code, "severity": one.severity, "file": one.file, "line": one.line, "path": one.path,
        "policy": one.policy, "message": one.message, "fix": one.fix,
    }  # fmt: skip


def _sarif(found: Sequence[Lint]) -> dict[str, Any]:
    used = sorted({one.code for one in found})
    rules = [{"id": c, "shortDescription": {"text": CODES[c][1]}, "help": {"text": f"{_DOCS}#{c}"}} for c in used]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "argocd-provenance", "rules": rules}},
                "results": [_result(one) for one in found],
            }
        ],
    }


def _result(one: Lint) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": one.file}, "region": {"startLine": one.line}}
    return {
        "ruleId": one.code,
        "level": one.severity,
        "message": {"text": clean(f"{one.path}: {one.message}. Fix: {one.fix}", 4000)},
        "locations": [{"physicalLocation": place}],
    }
