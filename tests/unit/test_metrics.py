"""A run as numbers."""

import json

from hypothesis import given
from hypothesis import strategies as st

from argocd_provenance.report.metrics import Numbers, added, line
from argocd_provenance.report.model import ImageReport, Report
from argocd_provenance.verdict import Finding, Outcome

SECRET = "https://user:secret@registry.example/?token=abc"
DENIED = ImageReport("ghcr.io/acme/api:v1", Outcome.DENIED, findings=(Finding("unsigned", f"nothing at {SECRET}"),))
ALLOWED = ImageReport("ghcr.io/acme/web:v1", Outcome.ALLOWED, digest="sha256:" + "a" * 64)
REPORT = Report((DENIED, ALLOWED), application="shop")
NUMBERS = Numbers(0.3, 1_800_000_000.0, hits=7, misses=2)


def value(text: str, series: str) -> float:
    (found,) = [row for row in text.splitlines() if row.startswith(f"argocd_provenance_{series} ")]
    return float(found.rpartition(" ")[2])


class TestMetrics:
    def test_runs_add_up(self) -> None:
        """Counters of three runs, whatever the processes were."""
        text = ""
        for _ in range(3):
            text = added(text, REPORT, NUMBERS)

        assert value(text, 'runs_total{verdict="denied"}') == 3
        assert value(text, 'images_total{verdict="allowed"}') == 3
        assert value(text, 'findings_total{code="unsigned"}') == 3
        assert value(text, 'cache_lookups_total{result="hit"}') == 21
        assert value(text, 'run_seconds_bucket{le="0.25"}') == 0
        assert value(text, 'run_seconds_bucket{le="0.5"}') == 3
        assert value(text, 'run_seconds_bucket{le="+Inf"}') == value(text, "run_seconds_count") == 3
        assert value(text, 'last_run_timestamp_seconds{verdict="denied"}') == 1_800_000_000

    @given(st.text())
    def test_a_file_that_is_no_metrics_is_begun_anew(self, before: str) -> None:
        """What cannot be read counts nothing, and gets no further."""
        text = added(before, REPORT, NUMBERS)

        assert value(text, 'runs_total{verdict="denied"}') == 1
        assert all(
            row.startswith(("# HELP argocd_", "# TYPE argocd_", "argocd_provenance_")) for row in text.splitlines()
        )

    def test_no_message_reaches_metrics_or_log(self) -> None:
        """Messages may quote what others wrote; names, codes and counts cannot."""
        assert "secret" not in added("", REPORT, NUMBERS) + line(REPORT, NUMBERS)

    def test_a_run_is_one_line_of_json(self) -> None:
        """Who, what was decided, and why by code."""
        said = line(REPORT, NUMBERS)

        assert said.count("\n") == 1
        found = json.loads(said)
        assert (found["application"], found["verdict"], found["exitCode"]) == ("shop", "denied", 4)
        assert [image["codes"] for image in found["images"]] == [["unsigned"], []]
