"""Attacks on the decision: what is weak must not make something else weak, and no name stands for another thing."""

from pathlib import Path

import pytest

from argocd_provenance.cli.offline import _artifact
from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.pipeline import Rules, Run
from argocd_provenance.policy.decision import decide
from argocd_provenance.policy.expression import CelExpression
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.judge import Judgement
from argocd_provenance.policy.levels import level
from argocd_provenance.policy.model import Policy
from argocd_provenance.policy.select import Coverage
from argocd_provenance.verdict import Finding, Outcome
from support.shop import TODAY
from support.shop import policies as load
from support.shop import policy as said
from unit.policy.builders import REF, REPOSITORY, certificate, evidence, image


def _policies(*modes: str) -> tuple[Policy, ...]:
    return load(
        *(said(name=mode, mode=mode, require="" if mode == "pin" else "- " + _BY) for mode in modes), host="r.example"
    )


_BY = "signature: {by: [{identity: {issuer: https://i.example, subject: s}}]}"


class TestWarnBesideEnforce:
    """A policy that only warns lets an image through; it does not undo what another one proved."""

    @pytest.mark.parametrize("faults", [(), (Finding("registry-unavailable", "down"),)])
    @pytest.mark.parametrize("strict", ["enforce", "pin"])
    def test_the_proved_digest_is_pinned(self, strict: str, faults: tuple[Finding, ...]) -> None:
        """Left as written, the tag could become another image than the one that was proved."""
        enforce, warn = _policies(strict, "warn")
        judged = [(enforce, Judgement(allowed=True)), (warn, Judgement(allowed=False))]

        decision = decide(image(), Coverage((enforce, warn)), judged, faults, "deny")

        assert (decision.word, decision.pins) == ("warned", True)

    def test_alone_it_leaves_the_image_as_written(self) -> None:
        """Nothing was proved, so nothing is fixed."""
        (warn,) = _policies("warn")

        assert not decide(image(), Coverage((warn,)), [(warn, Judgement(allowed=False))], (), "deny").pins

    def test_what_awaits_a_digest_is_not_let_through_by_a_warning(self) -> None:
        """A registry that gives no digest must not choose which policies cover the image."""
        strict = said(name="strict", images='["REGISTRY/a@sha256:*"]', require="- " + _BY)
        warn = said(name="warn", mode="warn", images='["REGISTRY/a"]', require="- " + _BY)
        rules = Rules(load(strict, warn, host="r.example"), "deny", None, TODAY)
        run = Run(rules, None, None, None, None)  # type: ignore[arg-type]  # nothing is asked
        coverage = run._cover(Reference.parse("r.example/a:v1"), None)

        decision = run._undecided(coverage, Finding("registry-unavailable", "down"))

        assert (decision.outcome, decision.mode) == (Outcome.ERROR, "enforce")


def test_a_workflow_with_an_odd_name_is_no_reusable_one() -> None:
    """Whoever may write a file in the repository must not reach level 3 by the name of that file."""
    odd = f"{REPOSITORY}/.github/workflows/a@b.yml@{REF}"

    reached = level(evidence("provenance", signer=certificate(odd))).level

    assert reached == 2


def test_a_file_named_like_a_digest_is_not_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may write into the working folder must not choose what a digest on the command line means."""
    digest = Digest.of(b"what was asked about")
    (tmp_path / digest.text).write_bytes(b"what was signed")
    monkeypatch.chdir(tmp_path)

    typed, file = _artifact(digest.text), _artifact(f"./{digest.text}")

    assert typed.digests == (digest,)
    assert Digest.of(b"what was signed") in file.digests


def test_the_image_is_judged_by_its_own_repository_only() -> None:
    """A spelling of the host is no other repository."""
    assert Image(Reference.parse("R.example:443/a"), None).repository == Reference.parse("r.example/a").repository


@pytest.mark.parametrize(
    "text",
    [
        "!('CVE-2026-1' in predicate.found)",
        "predicate.found.all(f, f != 'CVE-2026-1')",
        "!predicate.found.exists(f, f == 'CVE-2026-1')",
        "predicate.found.filter(f, f == 'CVE-2026-1') == []",
    ],
)
def test_a_text_is_no_list_to_an_expression(text: str) -> None:
    """Where a list was meant, a text is an error, and an error denies; its letters prove nothing."""
    expression = CelExpression(text)

    assert expression.failure({"predicate": {"found": "CVE-2026-1"}}) is not None
    assert expression.failure({"predicate": {"found": ["CVE-2026-2"]}}) is None


def test_texts_are_texts_to_an_expression() -> None:
    """Everything else that a text can do is as before."""
    expression = CelExpression(
        "predicate.a.contains('b') && predicate.a.startsWith('ab') && predicate.a.matches('^a') && size(predicate.a) == 3"
        " && predicate.a + 'd' == 'abcd' && predicate.a in ['abc'] && predicate['a'] < 'b' && type(predicate.a) == string"
        " && has(predicate.a) && predicate.l.exists(i, i == predicate.a) && string(predicate.a) == 'abc'"
    )

    assert expression.failure({"predicate": {"a": "abc", "l": ["abc"]}}) is None
