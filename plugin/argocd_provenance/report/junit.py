"""The report as JUnit XML: one test case an image, so that any CI shows it."""

from xml.sax.saxutils import escape, quoteattr

from argocd_provenance.report.model import ImageReport, Report, fix_to_add
from argocd_provenance.report.text import SUSPECT, clean
from argocd_provenance.verdict import Finding, Outcome


def render(report: Report) -> str:
    """A ``testsuites`` document; a denial is a failure, what could not be checked an error."""
    failures = sum(1 for i in report.images if i.blocks and i.outcome is Outcome.DENIED)
    errors = sum(1 for i in report.images if i.blocks and i.outcome is Outcome.ERROR) + len(report.errors)
    cases = [_case(image) for image in report.images]
    failures += len(report.refused)
    cases += [_element("run", "failure", f.code, _said(f)) for f in report.refused]
    cases += [_element("run", "error", f.code, _said(f)) for f in report.errors]
    if report.suspects_deny:
        failures += len(report.suspects)
        cases += [
            _element(s.text, "failure", "suspect", f"{s.where}, {s.where.path}: {SUSPECT}") for s in report.suspects
        ]
    head = f'<testsuite name="argocd-provenance" tests="{len(cases)}" failures="{failures}" errors="{errors}">'
    return "\n".join(
        ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", head, *cases, "</testsuite>", "</testsuites>", ""]
    )


def _case(image: ImageReport) -> str:
    if not image.blocks:
        return f'<testcase classname="images" name={quoteattr(clean(image.reference))}/>'
    kind = "failure" if image.outcome is Outcome.DENIED else "error"
    first = image.findings[0]
    body = "; ".join(f"[{f.code}] {_said(f)}" for f in image.findings)
    return _element(image.reference, kind, first.code, body)


def _said(finding: Finding) -> str:
    parts = (("expected", finding.expected), ("found", finding.found), ("Fix:", fix_to_add(finding)))
    return "; ".join([finding.message, *(f"{word} {text}" for word, text in parts if text)])


def _element(name: str, kind: str, code: str, body: str) -> str:
    inner = f"<{kind} type={quoteattr(code)} message={quoteattr(clean(body, 300))}>{escape(clean(body, 4000))}</{kind}>"
    return f'<testcase classname="images" name={quoteattr(clean(name))}>{inner}</testcase>'
