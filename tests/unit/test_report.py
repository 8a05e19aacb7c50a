"""What a run says, to people and to programs."""

import json
import xml.etree.ElementTree as ET

import pytest

from argocd_provenance.errors import RegistryError, RenderError
from argocd_provenance.pipeline import fault
from argocd_provenance.report import jsonreport, junit, sarif
from argocd_provenance.report import text as textreport
from argocd_provenance.report.model import ImageReport, Place, Report, Suspect, by_hand, stopped, worst_first
from argocd_provenance.verdict import CODES, Finding, Outcome

DIGEST = "sha256:" + "ab" * 32
WRONG = Finding(
    "wrong-signer", "signed by somebody else", "acme/shop", "mallory/shop", "deploy an image that acme/shop built"
)
BUSY = Finding(
    "registry-throttled", "cannot check: the registry answered 429. Nothing is known to be wrong with the image"
)
DENIED = ImageReport(
    "ghcr.io/acme/api:v2",
    Outcome.DENIED,
    DIGEST,
    findings=(WRONG,),
    policies=("shop",),
    where=(Place("Deployment", "", "api", "migrate", "api.yaml", 12),),
)
UNCHECKED = ImageReport("ghcr.io/acme/web:v9", Outcome.ERROR, findings=(BUSY,), policies=("shop",))
PINNED = ImageReport("nginx", Outcome.UNVERIFIED, DIGEST, f"nginx@{DIGEST}")


class TestVerdict:
    """The worst of everything decides, and the exit code says which."""

    @pytest.mark.parametrize(
        ("images", "verdict", "code"),
        [
            pytest.param((), "allowed", 0, id="no images"),
            pytest.param((PINNED,), "allowed", 0, id="unverified allows"),
            pytest.param((PINNED, UNCHECKED), "error", 3, id="undecided blocks"),
            pytest.param((UNCHECKED, DENIED), "denied", 4, id="denied is worst"),
        ],
    )
    def test_the_worst_image_decides(self, images: tuple[ImageReport, ...], verdict: str, code: int) -> None:
        """Denied, then error, then allowed."""
        report = Report(images)

        assert (report.verdict, report.exit_code) == (verdict, code)

    def test_a_warned_image_keeps_its_true_verdict_and_blocks_nothing(self) -> None:
        """With mode warn an image is denied in the report while the run is allowed."""
        warned = ImageReport(DENIED.reference, Outcome.DENIED, DIGEST, mode="warn", findings=(WRONG,))

        report = Report((warned,))

        assert report.exit_code == 0
        assert jsonreport.as_data(report)["images"][0]["verdict"] == "denied"
        assert " WARN ghcr.io/acme/api:v2" in textreport.render(report)

    def test_by_hand_one_tries_again(self) -> None:
        """What somebody who runs a command can do about a registry; they have no Application to refresh."""
        report = Report((ImageReport("nginx", Outcome.ERROR, findings=(fault(RegistryError("no answer")),)),))

        assert "refresh of the Application" in report.images[0].findings[0].fix
        assert by_hand(report).images[0].findings[0].fix == "try again"

    def test_a_suspect_denies_only_where_the_operator_says_so(self) -> None:
        """`suspects: report` reports, `suspects: deny` denies."""
        suspect = Suspect("ghcr.io/acme/x:1", Place("Engine", name="e", path="spec.image"))

        assert Report(suspects=(suspect,)).exit_code == 0
        assert Report(suspects=(suspect,), suspects_deny=True).exit_code == 4

    def test_a_fault_of_the_run_is_an_error(self) -> None:
        """What could not be decided exits 3."""
        assert Report(errors=(Finding("empty-render", "nothing was rendered"),)).exit_code == 3

    def test_codes_are_a_closed_list(self) -> None:
        """A finding with an unknown code cannot exist."""
        with pytest.raises(ValueError, match="no such finding code"):
            Finding("made-up", "…")


class TestText:
    """People read the verdict first, then each reason with expected, found and fix."""

    def test_the_first_line_is_the_verdict_with_counts_application_and_policies(self) -> None:
        """Argo CD shows the start of standard error, so the start must be what matters."""
        report = Report(worst_first([PINNED, UNCHECKED, DENIED]), application="payments")

        first, second, third, _ = textreport.render(report).splitlines()

        assert first == "image policy: 1 of 3 images refused, 1 not checked (app payments, policy shop)"
        assert second == (
            ' DENY ghcr.io/acme/api:v2@sha256:abababababab (Deployment/api "migrate") [wrong-signer] signed by somebody else: '
            "expected acme/shop; found mallory/shop. Fix: deploy an image that acme/shop built"
        )
        assert third.startswith(" ERROR ghcr.io/acme/web:v9 [registry-throttled] cannot check")

    def test_control_characters_never_reach_a_terminal(self) -> None:
        """An image name in a repository can neither colour nor rewrite what people read, nor start a new line."""
        image = ImageReport("evil\x1b[2J\r\nimage policy: all is well\u202e", Outcome.DENIED, findings=(WRONG,))

        said = textreport.render(Report((image,)))

        assert len(said.splitlines()) == 2
        assert not set(said) & {"\x1b", "\r", "\u202e"}

    def test_more_than_three_places_are_counted(self) -> None:
        """Three places are named, the others counted."""
        where = tuple(Place("Job", name=f"j{n}") for n in range(5))

        assert textreport.places(where) == " (Job/j0, Job/j1, Job/j2, +2 more)"

    def test_colours_come_only_when_asked_for(self) -> None:
        """Argo CD passes ANSI codes through to its UI, so none are written unless a person's terminal asks."""
        assert "\x1b[31;1mDENY\x1b[0m" in textreport.render(Report((DENIED,)), colour=True)
        assert "\x1b" not in textreport.render(Report((DENIED,)))


class TestFormats:
    """Every output renders the same report."""

    REPORT = Report((DENIED, UNCHECKED, PINNED), errors=(Finding("deadline", "the time limit was reached"),))

    def test_json_has_the_fields_of_the_interface(self) -> None:
        """verdict, images with reference, digest, pinned, verdict, mode, policies, where, evidence, findings; suspects."""
        data = json.loads(jsonreport.render(self.REPORT))

        assert {"verdict", "images", "suspects"} <= set(data)
        assert {"reference", "digest", "pinned", "verdict", "mode", "policies", "where", "evidence", "findings"} <= set(
            data["images"][0]
        )
        assert data["images"][0]["findings"][0] == {
            "code": "wrong-signer",
            "message": WRONG.message,
            "expected": WRONG.expected,
            "found": WRONG.found,
            "fix": WRONG.fix,
        }
        assert data["images"][0]["where"][0]["line"] == 12

    def test_sarif_has_a_result_for_each_finding_and_a_rule_for_each_code(self) -> None:
        """Rules link to the documentation of their finding code."""
        run = json.loads(sarif.render(self.REPORT))["runs"][0]

        assert [r["ruleId"] for r in run["results"]] == ["wrong-signer", "registry-throttled", "deadline"]
        assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {
            "wrong-signer",
            "registry-throttled",
            "deadline",
        }
        assert run["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 12

    def test_junit_has_a_case_for_each_image(self) -> None:
        """A denial is a failure, what could not be checked an error."""
        suite = ET.fromstring(junit.render(self.REPORT))[0]  # noqa: S314 - our own output

        assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "1", "2")
        assert [case[0].tag if len(case) else "" for case in suite] == ["failure", "error", "", "error"]
        assert f"{WRONG.message}; expected {WRONG.expected}; found {WRONG.found}; Fix: {WRONG.fix}" in str(
            suite[0][0].text
        )

    def test_every_code_has_a_sentence(self) -> None:
        """The closed list explains itself."""
        assert all(CODES.values())


class TestStopped:
    """A run that an error stopped: programs find its fix in a field of its own, people where it always stood."""

    @pytest.mark.parametrize(
        ("error", "message", "fix"),
        [
            pytest.param(
                RenderError("nothing was rendered. Fix: correct the path", code="empty-render"),
                "nothing was rendered",
                "correct the path",
                id="marked",
            ),
            pytest.param(
                RenderError("'../x' is not fetched", fix="copy it into the repository"),
                "'../x' is not fetched; copy it into the repository",
                "copy it into the repository",
                id="at the end",
            ),
            pytest.param(
                RenderError("helm failed: no such template"),
                "helm failed: no such template",
                "correct what is named: the source, or the parameters of its Application",
                id="usual",
            ),
        ],
    )
    def test_its_fix_is_a_field_and_stands_once_in_the_text(self, error: RenderError, message: str, fix: str) -> None:
        """The text says what the error says, no more and no less."""
        report = stopped(error)

        (listed,) = jsonreport.as_data(report)["errors"]
        assert (listed["message"], listed["fix"]) == (message, fix)
        assert textreport.render(report).endswith(f" ERROR [{error.code}] {error}\n")
        assert sarif.render(report).count(fix) == str(error).count(fix)
