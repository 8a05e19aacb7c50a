"""A run as numbers: Prometheus counters that runs add to one text, and one line of JSON.

One law: names, codes and counts only. No reference, no message, no URL gets into a metric: labels are closed lists. Text
format: prometheus/docs, ``instrumenting/exposition_formats.md``.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping

from argocd_provenance.records import dataclass
from argocd_provenance.report.model import Report

_PREFIX = "argocd_provenance_"
_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0)
_HELP: Mapping[str, tuple[str, str]] = {
    "runs_total": ("counter", "Runs of generate, by verdict."),
    "images_total": ("counter", "Images decided about, by verdict."),
    "findings_total": ("counter", "Reasons given, by finding code."),
    "cache_lookups_total": ("counter", "Questions to the evidence cache, by result."),
    "run_seconds": ("histogram", "How long runs took."),
    "last_run_timestamp_seconds": ("gauge", "When a run ended last, by verdict."),
}


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a run took and asked: seconds, the wall clock at its end, and what the cache knew."""

    seconds: float
    ended: float
    hits: int = 0
    misses: int = 0


def added(before: str, report: Report, numbers: Numbers) -> str:
    """The text `before` with this run added; lines that are not ours, or not numbers, are left out."""
    totals = dict(_read(before))
    for series, value in _counted(report, numbers).items():
        totals[series] = totals.get(series, 0.0) + value
    totals[f'last_run_timestamp_seconds{{verdict="{report.verdict}"}}'] = numbers.ended
    lines = []
    for name, (kind, text) in _HELP.items():
        lines += [f"# HELP {_PREFIX}{name} {text}", f"# TYPE {_PREFIX}{name} {kind}"]
        mine = [series for series in totals if _name(series) == name]
        lines += [f"{_PREFIX}{series} {totals[series]:.17g}" for series in sorted(mine, key=_order)]
    return "\n".join(lines) + "\n"


def line(report: Report, numbers: Numbers) -> str:
    """The run as one line of JSON: who, verdict, counts, references with their digests and codes; no messages."""
    images = [
        {"reference": i.reference, "digest": i.digest, "verdict": str(i.outcome), "codes": [f.code for f in i.findings]}
        for i in report.images
    ]
    said = {
        "application": report.application,
        "verdict": report.verdict,
        "exitCode": report.exit_code,
        "seconds": round(numbers.seconds, 3),
        "cache": {"hits": numbers.hits, "misses": numbers.misses},
        "images": images,
        "errors": [finding.code for finding in report.errors],
    }
    return json.dumps(said, separators=(",", ":")) + "\n"


def _counted(report: Report, numbers: Numbers) -> Mapping[str, float]:
    found: Counter[str] = Counter()
    found[f'runs_total{{verdict="{report.verdict}"}}'] += 1
    for image in report.images:
        found[f'images_total{{verdict="{image.outcome}"}}'] += 1
        for finding in image.findings:
            found[f'findings_total{{code="{finding.code}"}}'] += 1
    for finding in report.errors:
        found[f'findings_total{{code="{finding.code}"}}'] += 1
    found['cache_lookups_total{result="hit"}'] += numbers.hits
    found['cache_lookups_total{result="miss"}'] += numbers.misses
    seconds: dict[str, float] = {f'run_seconds_bucket{{le="{le:g}"}}': float(numbers.seconds <= le) for le in _BUCKETS}
    seconds |= {'run_seconds_bucket{le="+Inf"}': 1.0, "run_seconds_sum": numbers.seconds, "run_seconds_count": 1.0}
    return {**found, **seconds}


def _read(text: str) -> Iterable[tuple[str, float]]:
    for each in text.splitlines():
        series, _, value = each.rpartition(" ")
        if each.startswith(_PREFIX) and _name(series.removeprefix(_PREFIX)) in _HELP:
            try:
                yield series.removeprefix(_PREFIX), float(value)
            except ValueError:
                continue


def _name(series: str) -> str:
    name = series.partition("{")[0]
    return "run_seconds" if name.startswith("run_seconds_") else name


def _order(series: str) -> tuple[str, float, str]:
    """Buckets by their bound, as a histogram is written; everything else by its name."""
    bound = series.partition('le="')[2].rstrip('"}') if 'le="' in series else ""
    return series.partition("{")[0], float(bound) if bound else 0.0, series
