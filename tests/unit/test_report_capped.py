"""What Argo CD shows of a report: whole where it fits into 4 KiB, else grouped and counted, never a secret or a control code."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argocd_provenance.report import text
from argocd_provenance.report.capped import Line, fit
from argocd_provenance.report.model import ImageReport, Place, Report, Suspect, summary, worst_first
from argocd_provenance.verdict import CODES, Finding, Outcome

_texts = st.text(max_size=400)
_findings = st.builds(Finding, st.sampled_from(sorted(CODES)), _texts, _texts, _texts, _texts)
_places = st.builds(Place, _texts, _texts, _texts, _texts, _texts, st.integers(0, 99), _texts)
_images = st.builds(
    ImageReport,
    _texts,
    st.sampled_from(Outcome),
    mode=st.sampled_from(["enforce", "warn"]),
    where=st.lists(_places, max_size=4).map(tuple),
    findings=st.lists(_findings, max_size=3).map(tuple),
)
_reports = st.builds(
    Report,
    st.lists(_images, max_size=40).map(worst_first),
    st.lists(st.builds(Suspect, _texts, _places), max_size=10).map(tuple),
    st.booleans(),
    st.lists(_findings, max_size=3).map(tuple),
    application=_texts,
    notes=st.lists(_texts, max_size=3).map(tuple),
)
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def denied(number: int, code: str = "wrong-signer", words: int = 20) -> ImageReport:
    finding = Finding(code, "signed by somebody else " * words)
    return ImageReport(f"ghcr.io/acme/app-{number:03}:v1", Outcome.DENIED, findings=(finding,))


@given(_reports)
def test_every_report_fits_and_begins_with_the_verdict(report: Report) -> None:
    """Whatever a repository, a registry or a renderer says: at most 4 KiB, verdict first, and last where it was cut."""
    said = text.render(report)

    lines = said.splitlines()
    assert len(said.encode()) <= text.LIMIT
    assert text.clean(summary(report)).startswith(lines[0].rstrip("…"))
    if said != text.render(report, limit=None):
        assert lines[0].startswith(lines[-1].rstrip("…"))


@given(_reports)
def test_no_report_writes_to_a_terminal(report: Report) -> None:
    """No control character and no change of direction, at any length."""
    assert not _CONTROL.search(text.render(report))
    assert not _CONTROL.search(text.render(report, limit=None))


@given(
    st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=20, max_size=40),
    st.sampled_from(
        [
            "https://user:{}@git.example/x.git", "oci://{}@r.example/a", "https://r.example/b?X-Amz-Signature={}&a=b",
            "https://r.example/b?a=b&sig={}", "https://r.example/t?access_token={}", "Authorization: Bearer {}", "authorization: basic {}",
        ]
    ),
    st.sampled_from(["message", "expected", "found", "fix"]),
)  # fmt: skip
def test_no_report_tells_a_secret(secret: str, form: str, field: str) -> None:
    """A user in an address, a signature in its query and an Authorization header are left out, whoever quoted them."""
    said = {"message": "failed", field: f"failed: {form.format(secret)} said no"}
    finding = Finding("registry-unavailable", **said)

    shown = text.render(Report((ImageReport("a", Outcome.ERROR, findings=(finding,)),), errors=(finding,)), limit=None)

    assert secret not in shown
    assert secret not in text.fault("render-failed", f"a\n{form.format(secret)}")


def test_identities_and_log_entries_are_no_secrets() -> None:
    """What people need to see stays."""
    for said in (
        "https://github.com/acme/shop/.github/workflows/build.yml@refs/heads/main",
        "https://search.sigstore.dev/?logIndex=123",
        "spiffe://cluster.local/ns/a/sa/b",
        "release@acme.example",
    ):
        assert text.clean(said) == said


class TestGroups:
    """What does not fit is told by its code: one in full, then names, then a number; nothing is left out uncounted."""

    def test_one_of_each_code_is_told_in_full_and_the_others_by_name(self) -> None:
        """Twelve images of two codes: two explanations, ten names."""
        images = [denied(n, "wrong-signer" if n % 2 else "unsigned") for n in range(12)]

        lines = text.render(Report(tuple(images), application="shop")).splitlines()

        assert lines[0] == lines[-1] == "image policy: 12 of 12 images refused (app shop)"
        assert [line.partition(" signed by")[0] for line in lines[1:-1]] == [
            " DENY ghcr.io/acme/app-000:v1 [unsigned]",
            " DENY [unsigned] also " + ", ".join(f"ghcr.io/acme/app-{n:03}:v1" for n in range(2, 12, 2)),
            " DENY ghcr.io/acme/app-001:v1 [wrong-signer]",
            " DENY [wrong-signer] also " + ", ".join(f"ghcr.io/acme/app-{n:03}:v1" for n in range(3, 12, 2)),
        ]

    @given(st.integers(30, 500), st.integers(1, 6))
    def test_every_image_is_told_named_or_counted(self, count: int, codes: int) -> None:
        """Lines, names and numbers add up."""
        images = tuple(denied(n, sorted(CODES)[n % codes]) for n in range(count))

        said = text.render(Report(images))

        named = set(re.findall(r"app-\d+", said))
        counted = sum(int(n) for n in re.findall(r"\+(\d+) more", said))
        assert len(named) + counted == count

    def test_kinds_that_do_not_fit_are_counted(self) -> None:
        """Even a line for each would be too much."""
        lines = [Line("x" * 50, f"WORD{n}", "code") for n in range(100)]

        shown = fit("verdict", lines, 500)

        assert sum(len(line) + 1 for line in shown) <= 500
        assert re.fullmatch(r" … \+\d+ more kinds of lines", shown[-2])
        assert shown[-1] == "verdict"

    def test_a_long_fault_of_the_operators_files_is_cut_and_counted(self) -> None:
        """The faults come in the order of the files, as many as fit."""
        said = text.fault("config", "\n".join(f"policy.yaml:{n}: spec.images: is wrong" for n in range(500)))

        lines = said.splitlines()
        assert len(said.encode()) <= text.LIMIT
        assert lines[:2] == [
            "error [config]: policy.yaml:0: spec.images: is wrong",
            "policy.yaml:1: spec.images: is wrong",
        ]
        assert int(re.fullmatch(r" … \+(\d+) more", lines[-2])[1]) + len(lines) - 2 == 500  # type: ignore[index]


@pytest.mark.parametrize("folder", ["/volume/_cmp_server/4a/shop", "/volume/_cmp_server/4a"])
def test_the_work_folder_is_not_named(folder: str) -> None:
    """Argo CD masks its own folders, but not the plugin's: what lies in them is named from there."""
    said = text.hide(
        f"cannot read {folder}/web.yaml in {folder}", ["/volume/_cmp_server/4a/shop", "/volume/_cmp_server/4a", "/"]
    )

    assert said == "cannot read web.yaml in ."
