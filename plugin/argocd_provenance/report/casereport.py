"""What became of recorded cases, as text, as JSON and as JUnit XML."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from xml.sax.saxutils import escape, quoteattr

from argocd_provenance.records import dataclass
from argocd_provenance.report.text import clean


@dataclass(frozen=True, slots=True)
class Row:
    """One case: its name, its image, whether it came out as expected, and what was expected and found."""

    name: str
    image: str
    passed: bool
    said: str


def render(rows: Sequence[Row], form: str) -> str:
    """`rows` as ``text``, ``json`` or ``junit``."""
    if form == "json":
        failed = sum(1 for row in rows if not row.passed)
        data = {"passed": len(rows) - failed, "failed": failed, "cases": [asdict(row) for row in rows]}
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    return _junit(rows) if form == "junit" else _text(rows)


def _text(rows: Sequence[Row]) -> str:
    failed = [row for row in rows if not row.passed]
    head = f"policy test: {len(rows)} {'case' if len(rows) == 1 else 'cases'}, {len(failed)} failed"
    lines = [clean(f" FAIL {row.name} ({row.image}): {row.said}", 2000) for row in failed]
    return "\n".join([head, *lines, *(clean(f" OK {row.name} ({row.image})") for row in rows if row.passed), ""])


def _junit(rows: Sequence[Row]) -> str:
    failed = sum(1 for row in rows if not row.passed)
    head = f'<testsuite name="argocd-provenance policies" tests="{len(rows)}" failures="{failed}" errors="0">'
    cases = [_case(row) for row in rows]
    return "\n".join(
        ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", head, *cases, "</testsuite>", "</testsuites>", ""]
    )


def _case(row: Row) -> str:
    name = f"<testcase classname={quoteattr(clean(row.image))} name={quoteattr(clean(row.name))}"
    if row.passed:
        return f"{name}/>"
    said = clean(row.said, 4000)
    return f"{name}><failure message={quoteattr(clean(row.said, 300))}>{escape(said)}</failure></testcase>"
