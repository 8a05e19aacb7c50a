"""A run as spans, and as bytes for a collector."""

from dataclasses import fields

from argocd_provenance.report import otlp
from argocd_provenance.report.metrics import Numbers, added, line
from argocd_provenance.report.model import ImageReport, Place, Report
from argocd_provenance.report.spans import MOST, Times, spans
from argocd_provenance.verdict import Finding, Outcome

MARK = "sesame-open-now"
ADDRESS = f"https://user:{MARK}@registry.example/app?token={MARK}"
NUMBERS, TIMES = Numbers(0.3, 1_800_000_000.0), Times((1.0, 2.0), [("decide", (1.2, 1.8))], {})


class TestSpans:
    def test_no_free_text_leaves(self) -> None:
        """Whatever stands in a report for people to read stands in nothing that is counted, logged or sent."""
        finding = Finding("unsigned", MARK, MARK, MARK, MARK)
        place = Place(**{field.name: MARK for field in fields(Place) if field.name != "line"})
        image = ImageReport(
            ADDRESS, Outcome.DENIED, pinned=ADDRESS, policies=(MARK,), where=(place,), findings=(finding,), remark=MARK,
            checks=(MARK,),
        )  # fmt: skip
        report = Report(
            (image,), errors=(finding,), refused=(finding,), notes=(MARK,), good_news=MARK, renderer=(MARK, MARK)
        )
        told = [
            otlp.traces(spans(report, NUMBERS, TIMES)),
            otlp.metrics(report, NUMBERS, TIMES.run),
            added("", report, NUMBERS).encode(),
            line(report, NUMBERS).encode(),
        ]

        assert all(b"unsigned" in each for each in told)
        assert not any(MARK.encode() in each for each in told)

    def test_the_first_images_stand_for_all_in_a_trace(self) -> None:
        """What blocks comes first in a report; how many there were stands in the first span."""
        images = tuple(ImageReport(f"ghcr.io/acme/a:{n}", Outcome.ALLOWED) for n in range(MOST + 1))
        found = spans(Report(images), NUMBERS, TIMES)

        assert sum(span.name == "image" for span in found) == MOST
        assert found[0].attributes["argocd_provenance.images"] == MOST + 1

    def test_an_image_that_nobody_asked_about_took_no_time(self) -> None:
        """It stands where the decision began; one that was asked about by tag and by digest lasts from first to last."""
        images = (
            ImageReport("ghcr.io/acme/a:1", Outcome.UNVERIFIED),
            ImageReport("ghcr.io/acme/b:1", Outcome.ALLOWED, digest="sha256:b"),
        )
        asked = {"ghcr.io/acme/b:1": (1.3, 1.4), "sha256:b": (1.5, 1.7)}
        found = spans(Report(images), NUMBERS, Times(TIMES.run, TIMES.stages, asked))

        assert [span.period for span in found if span.name == "image"] == [(1.2, 1.2), (1.3, 1.7)]

    def test_a_collector_that_took_less_is_understood(self) -> None:
        """A count, none, or no OTLP at all."""
        assert otlp.rejected(b"") == 0
        assert otlp.rejected(b"\n\x02\x08\x03") == 3
        assert otlp.rejected(b"<html>") is None
