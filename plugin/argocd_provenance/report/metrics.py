"""A run as numbers: Prometheus counters that runs add to one text, and one line of JSON.

One law: names, codes and counts only. No reference, no message, no URL gets into a metric: labels are closed lists. Text
format: prometheus/docs, ``instrumenting/exposition_formats.md``.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from argocd_provenance.errors import InvalidReference
from argocd_provenance.oci import tally
from argocd_provenance.oci.reference import Reference
from argocd_provenance.records import dataclass, field
from argocd_provenance.regex import regex
from argocd_provenance.report.model import EXIT_CODES, ImageReport, Report
from argocd_provenance.verdict import CODES, Outcome

PREFIX = "argocd_provenance_"
BOUNDS = ("0.1", "0.25", "0.5", "1", "2.5", "5", "10", "20", "40", "+Inf")


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its type, what people read about it, and every value that its labels can have."""

    kind: str
    text: str
    labels: Mapping[str, Iterable[str]] = field(default_factory=dict)

    def series(self, name: str) -> Iterator[str]:
        """All series that it can have, in the order in which they are written."""
        ending = "_bucket" if self.kind == "histogram" else ""
        yield from (self.spelled(name + ending, values) for values in product(*self.labels.values()))
        if self.kind == "histogram":
            yield from (f"{name}_sum", f"{name}_count")

    def spelled(self, name: str, values: Iterable[str]) -> str:
        """The series with these values of its labels."""
        pairs = ",".join(f'{label}="{value}"' for label, value in zip(self.labels, values, strict=True))
        return f"{name}{{{pairs}}}"


METRICS: Mapping[str, Metric] = {
    "runs_total": Metric("counter", "Runs of generate, by verdict.", {"verdict": EXIT_CODES}),
    "images_total": Metric("counter", "Images decided about, by verdict.", {"verdict": tuple(Outcome)}),
    "findings_total": Metric("counter", "Reasons given, by finding code.", {"code": CODES}),
    "cache_lookups_total": Metric("counter", "Questions to the evidence cache, by result.", {"result": ("hit", "miss")}),
    "registry_requests_total": Metric(
        "counter", "Requests to registries, by what was asked for and how it went.", {"kind": tally.KINDS, "result": tally.RESULTS}
    ),
    "run_seconds": Metric("histogram", "How long runs took.", {"le": BOUNDS}),
    "last_run_timestamp_seconds": Metric("gauge", "When a run ended last, by verdict.", {"verdict": EXIT_CODES}),
}  # fmt: skip
# Nothing larger could be counted in this world, and nothing else did we write: no sign, no infinity, no blanks.
_VALUE = regex(r"[0-9]{1,20}(\.[0-9]{1,20})?(e[+-][0-9]{2})?")


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a run took and asked: seconds, the wall clock at its end, what the cache knew, and requests by kind and result."""

    seconds: float
    ended: float
    hits: int = 0
    misses: int = 0
    requests: Mapping[tuple[str, str], int] = field(default_factory=dict)


def added(before: str, report: Report, numbers: Numbers) -> str:
    """The text `before` with this run added; lines that we could not have written are left out."""
    totals = dict(_read(before))
    for series, value in _series(report, numbers).items():
        totals[series] = totals.get(series, 0.0) + value
    totals[f'last_run_timestamp_seconds{{verdict="{report.verdict}"}}'] = numbers.ended
    lines = []
    for name, metric in METRICS.items():
        lines += [f"# HELP {PREFIX}{name} {metric.text}", f"# TYPE {PREFIX}{name} {metric.kind}"]
        lines += [f"{PREFIX}{series} {totals[series]:.17g}" for series in metric.series(name) if series in totals]
    return "\n".join(lines) + "\n"


def line(report: Report, numbers: Numbers) -> str:
    """The run as one line of JSON: who, verdict, counts, references with their digests and codes; no messages."""
    images = [
        {"reference": named(i), "digest": i.digest, "verdict": str(i.outcome), "codes": [f.code for f in i.findings]}
        for i in report.images
    ]
    said = {
        "application": report.application,
        "verdict": report.verdict,
        "exitCode": report.exit_code,
        "seconds": round(numbers.seconds, 3),
        "cache": {"hits": numbers.hits, "misses": numbers.misses},
        "requests": sum(numbers.requests.values()),
        "images": images,
        "errors": [finding.code for finding in (*report.errors, *report.refused)],
    }
    return json.dumps(said, separators=(",", ":")) + "\n"


def named(image: ImageReport) -> str | None:
    """Its reference, if it is one by its grammar: an image field may hold anything, an address with a password too."""
    try:
        return Reference.parse(image.reference).written
    except InvalidReference:
        return None


def counted(report: Report, numbers: Numbers) -> Mapping[tuple[str, tuple[str, ...]], int]:
    """What a run adds to counters, by the counter's name and the values of its labels."""
    findings = [finding for image in report.images for finding in image.findings]
    found: Counter[tuple[str, tuple[str, ...]]] = Counter()
    found["runs_total", (report.verdict,)] += 1
    found.update(("images_total", (str(image.outcome),)) for image in report.images)
    found.update(("findings_total", (finding.code,)) for finding in (*findings, *report.errors, *report.refused))
    found["cache_lookups_total", ("hit",)] += numbers.hits
    found["cache_lookups_total", ("miss",)] += numbers.misses
    found.update({("registry_requests_total", labels): number for labels, number in numbers.requests.items()})
    return found


def _series(report: Report, numbers: Numbers) -> Mapping[str, float]:
    found = {
        METRICS[name].spelled(name, values): float(number)
        for (name, values), number in counted(report, numbers).items()
    }
    took = {f'run_seconds_bucket{{le="{bound}"}}': float(numbers.seconds <= float(bound)) for bound in BOUNDS}
    return {**found, **took, "run_seconds_sum": numbers.seconds, "run_seconds_count": 1.0}


def _read(text: str) -> Iterator[tuple[str, float]]:
    for each in text.splitlines():
        series, _, value = each.rpartition(" ")
        if series.startswith(PREFIX) and _VALUE.fullmatch(value):
            yield series.removeprefix(PREFIX), float(value)
