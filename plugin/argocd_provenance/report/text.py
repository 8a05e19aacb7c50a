"""The report as people read it: verdict first, then a line for each reason, worst first.

Argo CD shows standard error whole in the Application's status, so the text is capped, and holds no control
characters: an image name in a repository cannot write to somebody's terminal.
"""

import re
from collections.abc import Sequence

from argocd_provenance.evidence.values import Evidence
from argocd_provenance.report.model import ImageReport, Place, Report, summary
from argocd_provenance.verdict import Finding, Outcome

# Argo CD keeps the whole text in the Application's status, in etcd (argoproj/argo-cd#28432).
LIMIT = 4096
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_DIGEST = re.compile(r"(sha(?:256|384|512):[0-9a-f]{12})[0-9a-f]{20,}")
SUSPECT = "looks like an image where no image field is known"
_COLOURS = {"DENY": "31;1", "ERROR": "33;1", "WARN": "33", "OK": "32", "PIN": "36", "SUSPECT": "33"}


def clean(text: str, limit: int = 600) -> str:
    """`text` on one line, without control characters, digests shortened to 12 digits, cut at `limit` characters."""
    shown = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\n", " "))
    shown = _DIGEST.sub(r"\1", shown)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def render(report: Report, *, explain: bool = False, colour: bool = False, limit: int | None = LIMIT) -> str:
    """The whole report, ending in a line break; at most `limit` bytes (None: no limit)."""
    lines = [clean(summary(report))]
    lines += [_line("DENY", "", finding) for finding in report.refused]
    lines += [_line("ERROR", "", finding) for finding in report.errors]
    for image in report.images:
        lines += _image_lines(image, explain=explain)
    word = "DENY" if report.suspects_deny else "SUSPECT"
    lines += [
        clean(f" {word} {s.text} ({s.where}, {s.where.path}) [suspect] {SUSPECT}")
        + ("" if not report.suspects_deny else ". Fix: add a row to `images` in the config, or set suspects: report")
        for s in report.suspects
    ]
    lines += [f" note: {clean(note)}" for note in report.notes]
    if limit is not None:
        lines = _capped(lines, limit)
    if colour:
        lines = [_coloured(line) for line in lines]
    return "\n".join(lines) + "\n"


def _image_lines(image: ImageReport, *, explain: bool) -> list[str]:
    shown = f"{_shown(image)}{places(image.where)}"
    lines = [_line(_word(image), shown, finding) for finding in image.findings]
    if not lines:
        by = image.remark or "; ".join(dict.fromkeys(_evidence(e) for e in image.evidence))
        lines = [clean(f" {_word(image)} {shown}" + (f" {by}" if by else ""))]
    if explain:
        lines += [f"    {clean(check, 4000)}" for check in image.checks]
    return lines


def _shown(image: ImageReport) -> str:
    if image.digest and image.digest not in image.reference:
        return f"{image.reference}@{image.digest}"
    return image.reference


def _word(image: ImageReport) -> str:
    if image.outcome in (Outcome.DENIED, Outcome.ERROR):
        if image.mode == "warn":
            return "WARN"
        return "DENY" if image.outcome is Outcome.DENIED else "ERROR"
    return "OK" if image.outcome is Outcome.ALLOWED else "PIN" if image.pinned else "PASS"


def places(where: Sequence[Place]) -> str:
    """Where an image stands: three places and the count of the others."""
    if not where:
        return ""
    names = list(dict.fromkeys(str(p) for p in where))
    more = f", +{len(names) - 3} more" if len(names) > 3 else ""
    return f" ({', '.join(names[:3])}{more})"


def _line(word: str, image: str, finding: Finding) -> str:
    head = f" {word} {image} [{finding.code}]" if image else f" {word} [{finding.code}]"
    said = finding.message
    if finding.expected:
        said += f": expected {finding.expected}"
        said += f"; found {finding.found}" if finding.found else ""
    elif finding.found:
        said += f": found {finding.found}"
    if finding.fix:
        said = said.rstrip(".") + f". Fix: {finding.fix}"
    return clean(f"{head} {said}", 1000)


def _evidence(evidence: Evidence) -> str:
    by = evidence.certificate.identity if evidence.certificate else evidence.anchor.name
    return f"{evidence.kind} by {by}"


def _capped(lines: list[str], limit: int) -> list[str]:
    kept: list[str] = []
    room = limit - 80  # for the line that says what was left out
    for number, line in enumerate(lines):
        room -= len(line.encode()) + 1
        if room < 0:
            return [*kept, f" … and {len(lines) - number} more lines: see the JSON report (--report FILE)"]
        kept.append(line)
    return kept


def _coloured(line: str) -> str:
    word = line.split(maxsplit=1)[0] if line.startswith(" ") and line.strip() else ""
    code = _COLOURS.get(word)
    return line.replace(word, f"\x1b[{code}m{word}\x1b[0m", 1) if code else line
