"""A run as a trace: one span for the whole, one a stage of it, one an image. Pure: a report and its times in, spans out.

One law: names, digests, codes and counts only. No message, no URL, and no text that is not an image reference by its
grammar: what stands in an image field may be anything.
"""

from collections.abc import Iterator, Mapping, Sequence

from argocd_provenance.records import dataclass
from argocd_provenance.report.metrics import Numbers, named
from argocd_provenance.report.model import ImageReport, Report
from argocd_provenance.verdict import Outcome

Value = str | int | tuple[str, ...]
Period = tuple[float, float]
"""Begin and end, in seconds of the epoch."""

# More images than anybody looks at in one trace; how many there were stands in the first span.
MOST = 2000
_PREFIX = "argocd_provenance."


@dataclass(frozen=True, slots=True)
class Times:
    """When a run did what: the whole, its stages in order, and what was done about each image, by reference and digest."""

    run: Period
    stages: Sequence[tuple[str, Period]]
    images: Mapping[str, Period]


@dataclass(frozen=True, slots=True)
class Span:
    """A span of a trace; `parent` is the place of another in the list, None for the first; `failed` where it was refused."""

    name: str
    period: Period
    parent: int | None
    attributes: Mapping[str, Value]
    failed: bool = False


def spans(report: Report, numbers: Numbers, times: Times) -> tuple[Span, ...]:
    """The trace of a run; the images hang below the stage that decided about them."""
    found = [Span("generate", times.run, None, _whole(report, numbers), failed=report.exit_code != 0)]
    found += [Span(name, period, 0, {}) for name, period in times.stages]
    deciding = [at for at, span in enumerate(found) if span.name == "decide"] or [0]
    found += _images(report, times, deciding[-1], found[deciding[-1]].period)
    return tuple(found)


def _images(report: Report, times: Times, parent: int, around: Period) -> Iterator[Span]:
    for image in report.images[:MOST]:
        periods = [times.images[key] for key in (image.reference, image.digest) if key in times.images]
        # About an image that nobody had to be asked about there is nothing to take the time of.
        begin, end = min((p[0] for p in periods), default=around[0]), max((p[1] for p in periods), default=around[0])
        failed = image.outcome in (Outcome.DENIED, Outcome.ERROR)
        yield Span("image", (begin, end), parent, _image(image), failed=failed)


def _whole(report: Report, numbers: Numbers) -> Mapping[str, Value]:
    return {
        "argocd.application": report.application,
        _PREFIX + "verdict": report.verdict,
        _PREFIX + "exit_code": report.exit_code,
        _PREFIX + "codes": tuple(finding.code for finding in (*report.errors, *report.refused)),
        _PREFIX + "images": len(report.images),
        _PREFIX + "cache.hits": numbers.hits,
        _PREFIX + "cache.misses": numbers.misses,
        _PREFIX + "registry.requests": sum(numbers.requests.values()),
    }


def _image(image: ImageReport) -> Mapping[str, Value]:
    said: dict[str, Value] = {
        _PREFIX + "verdict": str(image.outcome),
        _PREFIX + "mode": image.mode,
        _PREFIX + "codes": tuple(finding.code for finding in image.findings),
    }
    if image.digest:
        said[_PREFIX + "digest"] = image.digest
    if (reference := named(image)) is not None:
        said[_PREFIX + "reference"] = reference
    return said
