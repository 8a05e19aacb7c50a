"""The report as people read it: verdict first, then a line for each reason, worst first.

Argo CD shows standard error whole in the Application's status, so the text is capped: then findings of one code stand
together, one in full, the others by name or count, and the verdict stands last again. It holds no control characters
(an image name in a repository cannot write to somebody's terminal) and no passwords of addresses.
"""

import re
from collections.abc import Sequence

from argocd_provenance.evidence.values import Evidence
from argocd_provenance.regex import regex
from argocd_provenance.report.capped import Line, cut, fit
from argocd_provenance.report.model import ImageReport, Place, Report, fix_to_add, summary
from argocd_provenance.verdict import Finding, Outcome

# Argo CD keeps the whole text in the Application's status, in etcd (argoproj/argo-cd#28432).
LIMIT = 4096
_CONTROL = regex("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_DIGEST = regex(r"(sha(?:256|384|512):[0-9a-f]{12})[0-9a-f]{20,}")
# A user in an address, a signature or token in its query, the value of an Authorization header.
_SECRETS = (
    (regex(r"(?<=://)[^/@\s]+@"), "…@"),
    (
        regex(
            r"([?&;][^=&;?\s]{0,40}?(?:sig|token|secret|passw|credential|key)[^=&;?\s]{0,40}=)[^&;\s\"']+",
            re.IGNORECASE,
        ),
        r"\1…",
    ),
    (regex(r"\b(Bearer|Basic)(\s+)[\w+/.~=-]{20,}", re.IGNORECASE), r"\1\2…"),
)
SUSPECT = "looks like an image where no image field is known"
_COLOURS = {"DENY": "31;1", "ERROR": "33;1", "WARN": "33", "OK": "32", "PIN": "36", "SUSPECT": "33"}


def safe(text: str) -> str:
    """`text` on one line, without control characters and without secrets."""
    shown = text.replace("\n", " ")
    for pattern, instead in _SECRETS:
        shown = pattern.sub(instead, shown)
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", shown)


def clean(text: str, limit: int = 600) -> str:
    """`text` made `safe`, digests shortened to 12 digits, cut at `limit` characters."""
    shown = _DIGEST.sub(r"\1", safe(text[: 8 * limit]))  # a name can have megabytes
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def render(report: Report, *, explain: bool = False, colour: bool = False, limit: int | None = LIMIT) -> str:
    """The whole report, ending in a line break; at most `limit` bytes (None: no limit)."""
    lines = [_line("DENY", "", finding) for finding in report.refused]
    lines += [_line("ERROR", "", finding) for finding in report.errors]
    for image in report.images:
        lines += _image_lines(image, explain=explain)
    word = "DENY" if report.suspects_deny else "SUSPECT"
    fix = "" if not report.suspects_deny else ". Fix: add a row to `images` in the config, or set suspects: report"
    lines += [
        Line(
            clean(f" {word} {s.text} ({s.where}, {s.where.path}) [suspect] {SUSPECT}") + fix,
            word,
            "suspect",
            clean(s.text, 100),
        )
        for s in report.suspects
    ]
    lines += [Line(f" note: {clean(note)}", "note:") for note in report.notes]
    said = fit(clean(summary(report)), lines, limit)
    if colour:
        said = [_coloured(line) for line in said]
    return "\n".join(said) + "\n"


def fault(code: str, message: str, limit: int | None = LIMIT) -> str:
    """What stops a run before there is a report, as ``error [code]: …``; at most `limit` bytes (None: no limit)."""
    first, *others = [safe(line[:LIMIT]) for line in message.splitlines()] or [""]
    head = f"error [{code}]: {first}"
    if limit is not None:
        head = cut(head, limit // 3)
    return "\n".join(fit(head, [Line(line, "", "") for line in others], limit)) + "\n"


def hide(text: str, folders: Sequence[str]) -> str:
    """`text` without the paths of `folders`: what lies in them is named from there."""
    for folder in sorted({f for f in folders if f.count("/") > 1}, key=len, reverse=True):
        text = text.replace(folder + "/", "").replace(folder, ".")
    return text


def _image_lines(image: ImageReport, *, explain: bool) -> list[Line]:
    shown = f"{_shown(image)}{places(image.where)}"
    word, name = _word(image), clean(image.reference, 100)
    lines = [_line(word, shown, finding, name) for finding in image.findings]
    if not lines:
        by = image.remark or "; ".join(dict.fromkeys(_evidence(e) for e in image.evidence))
        lines = [Line(clean(f" {word} {shown}" + (f" {by}" if by else "")), word, "", name)]
    if explain:
        lines += [Line(f"    {clean(check, 4000)}", "checks:") for check in image.checks]
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


def _line(word: str, image: str, finding: Finding, name: str = "") -> Line:
    head = f" {word} {image} [{finding.code}]" if image else f" {word} [{finding.code}]"
    said = finding.message
    if finding.expected:
        said += f": expected {finding.expected}"
        said += f"; found {finding.found}" if finding.found else ""
    elif finding.found:
        said += f": found {finding.found}"
    if fix := fix_to_add(finding):
        said = said.rstrip(".") + f". Fix: {fix}"
    return Line(clean(f"{head} {said}", 1000), word, finding.code, name)


def _evidence(evidence: Evidence) -> str:
    by = evidence.certificate.identity if evidence.certificate else evidence.anchor.name
    return f"{evidence.kind} by {by}"


def _coloured(line: str) -> str:
    word = line.split(maxsplit=1)[0] if line.startswith(" ") and line.strip() else ""
    code = _COLOURS.get(word)
    return line.replace(word, f"\x1b[{code}m{word}\x1b[0m", 1) if code else line
