"""A run as numbers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from argocd_provenance.report.metrics import Numbers, added, line
from argocd_provenance.report.model import ImageReport, Report
from argocd_provenance.verdict import Finding, Outcome

SECRET = "https://user:secret@registry.example/?token=abc"
DENIED = ImageReport("ghcr.io/acme/api:v1", Outcome.DENIED, findings=(Finding("unsigned", f"nothing at {SECRET}"),))
ALLOWED = ImageReport("ghcr.io/acme/web:v1", Outcome.ALLOWED, digest="sha256:" + "a" * 64)
REPORT = Report((DENIED, ALLOWED), application="shop")
ASKED = {("tag", "ok"): 2, ("token", "ok"): 1, ("blob", "absent"): 1}
NUMBERS = Numbers(0.3, 1_800_000_000.0, hits=7, misses=2, requests=ASKED)
# What others wrote under our names; none of it could be ours.
FOREIGN = (
    'run_seconds_bucket{le="abc"} 1', 'run_seconds_bucket{le="7"} 1', 'run_seconds_bucket{le="0.1"} NaN', "run_seconds 1",
    'run_seconds_bucket{le="0.1",x="y"} 1', "runs_total 1", 'runs_total{verdict="fine"} 1', 'runs_total{code="denied"} 1',
    'runs_total{verdict="allowed"} -1', 'runs_total{verdict="allowed"} 1 1800000000', 'runs_total{verdict="allowed"} 1e999',
    'runs_total{verdict="allowed"} inf', 'runs_total{verdict="allowed"}  1', 'runs_total{verdict="allowed"} 1_0',
    'registry_requests_total{kind="tag"} 1', 'registry_requests_total{kind="tag",result="https://user:secret@r"} 1', "x 1",
)  # fmt: skip


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

    def test_prometheus_reads_what_is_written(self) -> None:
        """By its own parser: every family with its type, its samples and nothing beside them."""
        families = {
            one.name: one for one in text_string_to_metric_families(added(added("", REPORT, NUMBERS), REPORT, NUMBERS))
        }
        asked = {tuple(s.labels.values()): s.value for s in families["argocd_provenance_registry_requests"].samples}
        buckets = [
            (s.labels["le"], s.value) for s in families["argocd_provenance_run_seconds"].samples if "le" in s.labels
        ]

        assert {name.removeprefix("argocd_provenance_"): one.type for name, one in families.items()} == {
            "runs": "counter", "images": "counter", "findings": "counter", "cache_lookups": "counter",
            "registry_requests": "counter", "run_seconds": "histogram", "last_run_timestamp_seconds": "gauge",
        }  # fmt: skip
        assert asked == {("tag", "ok"): 4, ("token", "ok"): 2, ("blob", "absent"): 2}
        assert buckets[:3] == [("0.1", 0), ("0.25", 0), ("0.5", 2)]
        assert buckets[-1] == ("+Inf", 2)

    @pytest.mark.parametrize("foreign", FOREIGN)
    def test_a_line_that_we_could_not_have_written_is_left_out(self, foreign: str) -> None:
        """And spoils nothing of ours: neither the writing, nor the sums, nor what Prometheus makes of the file."""
        before = added("", REPORT, NUMBERS)

        assert added(f"argocd_provenance_{foreign}\n", REPORT, NUMBERS) == before
        assert added(f"{before}argocd_provenance_{foreign}\n", REPORT, NUMBERS) == added(before, REPORT, NUMBERS)

    @given(st.text())
    def test_a_file_that_is_no_metrics_is_begun_anew(self, before: str) -> None:
        """What cannot be read counts nothing, and gets no further."""
        text = added(before, REPORT, NUMBERS)

        assert value(text, 'runs_total{verdict="denied"}') == 1
        assert all(
            row.startswith(("# HELP argocd_", "# TYPE argocd_", "argocd_provenance_")) for row in text.splitlines()
        )

    def test_refused_objects_are_counted_by_their_codes(self) -> None:
        """A denial outside any image is a reason given, too."""
        refused = Report(refused=(Finding("hook-collision", "an object runs before the check"),))

        assert value(added("", refused, NUMBERS), 'findings_total{code="hook-collision"}') == 1
        assert json.loads(line(refused, NUMBERS))["errors"] == ["hook-collision"]

    def test_what_is_no_reference_is_not_logged(self) -> None:
        """An image field may hold anything."""
        odd = ImageReport(SECRET, Outcome.ERROR, findings=(Finding("invalid-reference", f"{SECRET} is none"),))
        (image,) = json.loads(line(Report((odd,)), NUMBERS))["images"]

        assert image == {"reference": None, "digest": "", "verdict": "error", "codes": ["invalid-reference"]}

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
        assert found["requests"] == 4
