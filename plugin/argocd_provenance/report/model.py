"""What a run has to say, as one value that every output renders."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from argocd_provenance.errors import Error
from argocd_provenance.evidence.values import Evidence
from argocd_provenance.records import dataclass, replace
from argocd_provenance.verdict import CODES, Finding, Outcome

Overall = Literal["allowed", "denied", "error"]

EXIT_CODES: dict[Overall, int] = {"allowed": 0, "error": 3, "denied": 4}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image stands: the object, the container in it, the file and the line (from 1; 0: unknown)."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    container: str = ""
    file: str = ""
    line: int = 0
    path: str = ""

    def __str__(self) -> str:
        """``Deployment/api "migrate"``, as short as it is unmistakable."""
        object_name = f"{self.kind}/{self.name}" if self.name else self.kind or self.file or "-"
        return f'{object_name} "{self.container}"' if self.container else object_name


@dataclass(frozen=True, slots=True)
class ImageReport:
    """What was decided about one reference, and why."""

    reference: str
    outcome: Outcome
    digest: str = ""
    pinned: str = ""
    mode: str = "enforce"
    policies: tuple[str, ...] = ()
    where: tuple[Place, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[Finding, ...] = ()
    remark: str = ""
    """What else there is to say, such as the exception that lets it through."""
    checks: tuple[str, ...] = ()
    """What `--explain` prints: every check with its value and where it was read."""

    @property
    def blocks(self) -> bool:
        """Whether this image stops the run: denied or undecided, and not only warned about."""
        return self.mode == "enforce" and self.outcome in (Outcome.DENIED, Outcome.ERROR)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A string that looks like an image where no image field is known."""

    text: str
    where: Place


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a run has to say. `errors` are faults of the run itself, `refused` are denials, both outside any image."""

    images: tuple[ImageReport, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    suspects_deny: bool = False
    errors: tuple[Finding, ...] = ()
    refused: tuple[Finding, ...] = ()
    application: str = ""
    notes: tuple[str, ...] = ()
    good_news: str = ""
    """What to say first, where all is well; else the images are counted by what was proved."""
    renderer: tuple[str, str] | None = None
    """What rendered the manifests, and the version that it gives; None where nobody asked."""

    @property
    def verdict(self) -> Overall:
        """The worst of everything: denied, then error, then allowed."""
        suspect = bool(self.suspects) and self.suspects_deny
        if suspect or self.refused or any(i.blocks and i.outcome is Outcome.DENIED for i in self.images):
            return "denied"
        if self.errors or any(i.blocks for i in self.images):
            return "error"
        return "allowed"

    @property
    def exit_code(self) -> int:
        """0 allowed, 3 could not check, 4 denied."""
        return EXIT_CODES[self.verdict]


_RANK = {Outcome.DENIED: 0, Outcome.ERROR: 1, Outcome.UNVERIFIED: 2, Outcome.ALLOWED: 3}


def worst_first(images: Sequence[ImageReport]) -> tuple[ImageReport, ...]:
    """The images in the order of every report: those that block first, then by outcome and reference."""
    return tuple(sorted(images, key=lambda i: (not i.blocks, _RANK[i.outcome], i.reference)))


def stopped(error: Error, application: str = "") -> Report:
    """The report of a run that `error` stopped; what its message says behind ``Fix:`` is the finding's fix."""
    code = error.code if error.code in CODES else "internal"
    message, _, fix = str(error).partition(". Fix: ")
    finding = Finding(code, message, fix=fix or error.fix)
    return Report(errors=(finding,), application=application, notes=tuple(getattr(error, "__notes__", ())))


def fix_to_add(finding: Finding) -> str:
    """The fix, for a text that has the message: nothing where the message ends with it."""
    return "" if finding.message.endswith(finding.fix) else finding.fix


# How fixes tell a reader of Argo CD to have it asked again, and the same for whoever runs us by hand.
_BY_HAND = {"hard-refresh the Application": "try again", "; a hard refresh of the Application asks anew": ""}


def by_hand(report: Report) -> Report:
    """`report` for somebody who has no Application to refresh, because it was a command that asked."""
    return replace(report, images=tuple(replace(i, findings=_spoken(i.findings)) for i in report.images))


def _spoken(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    found = []
    for finding in findings:
        fix = finding.fix
        for argo, hand in _BY_HAND.items():
            fix = fix.replace(argo, hand)
        found.append(replace(finding, fix=fix))
    return tuple(found)


def summary(report: Report) -> str:
    """The first line of every report: the verdict and the counts, e.g. ``2 of 14 images refused``."""
    count = len(report.images)
    noun = "image" if count == 1 else "images"
    denied = sum(1 for i in report.images if i.blocks and i.outcome is Outcome.DENIED)
    errors = sum(1 for i in report.images if i.blocks and i.outcome is Outcome.ERROR)
    said = []
    if denied:
        said.append(f"{denied} of {count} {noun} refused")
    if errors:
        said.append(f"{errors} not checked" if denied else f"{errors} of {count} {noun} not checked")
    if report.suspects and report.suspects_deny:
        said.append(f"{len(report.suspects)} unknown places that look like images")
    if report.refused:
        said.append(f"{len(report.refused)} {'object' if len(report.refused) == 1 else 'objects'} refused")
    if report.errors:
        said.append("could not decide")
    return "image policy: " + (", ".join(said) or report.good_news or _good_news(report, noun)) + _context(report)


def _good_news(report: Report, noun: str) -> str:
    """``14 images verified (12 provenance, 2 signature)``, and what else there was."""
    verified = [i for i in report.images if i.outcome is Outcome.ALLOWED and i.evidence and not i.remark]
    kinds = Counter(_strongest(i) for i in verified)
    warned = sum(1 for i in report.images if i.mode == "warn" and i.outcome in (Outcome.DENIED, Outcome.ERROR))
    excepted = sum(1 for i in report.images if i.outcome is Outcome.ALLOWED) - len(verified)
    unverified = sum(1 for i in report.images if i.outcome is Outcome.UNVERIFIED)
    if not report.images:
        return "no images"
    said = []
    if verified:
        inner = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
        said.append(f"{len(verified)} {'image' if len(verified) == 1 else 'images'} verified ({inner})")
    said += [
        f"{n} {word}"
        for n, word in ((excepted, "by exception"), (unverified, "unverified"), (warned, "with warnings"))
        if n
    ]
    return ", ".join(said) if verified else f"{len(report.images)} {noun}: " + ", ".join(said)


def _strongest(image: ImageReport) -> str:
    kinds = {e.kind for e in image.evidence}
    return next(kind for kind in ("provenance", "signature", "attestation") if kind in kinds)


def _context(report: Report) -> str:
    policies = sorted({p for i in report.images for p in i.policies})
    shown = ", ".join(policies[:3]) + (f" +{len(policies) - 3}" if len(policies) > 3 else "")
    parts = [
        f"app {report.application}" if report.application else "",
        f"{'policy' if len(policies) == 1 else 'policies'} {shown}" if policies else "",
    ]
    inner = ", ".join(p for p in parts if p)
    return f" ({inner})" if inner else ""
