"""Expressions: what they may cost, what is refused, and what a lint says of them."""

from typing import Any

import pytest

from argocd_provenance.policy.cel import OutOfStepsError, Program
from argocd_provenance.policy.expression import BadExpressionError, CelExpression

ROWS: dict[str, Any] = {"predicate": {"packages": [{"name": f"p{n}", "refs": [{"type": "purl"}]} for n in range(200)]}}


class TestLimit:
    def test_an_expression_that_takes_too_many_steps_fails(self) -> None:
        """Every package against every other; the limit is in steps, the same on every machine."""
        text = "predicate.packages.all(p, predicate.packages.all(q, predicate.packages.all(r, r.name != 'x')))"

        assert "more steps" in (CelExpression(text).failure(ROWS) or "")

    def test_no_operator_passes_over_the_limit(self) -> None:
        """It is no error of CEL, which `||` could forget."""
        text = "predicate.packages.all(p, predicate.packages.all(q, q.name != 'x')) || true"

        with pytest.raises(OutOfStepsError):
            Program(text, tuple(ROWS)).result(ROWS, steps=10_000)

    @pytest.mark.parametrize(
        "text",
        [
            "predicate.packages.all(p, predicate == predicate)",
            "predicate.packages.all(p, predicate.packages == predicate.packages)",
            "predicate.packages.all(p, p.name in predicate.packages.map(q, q.name))",
            "predicate.packages.map(p, predicate.packages).all(l, l.all(p, true))",
            "predicate.packages.all(p, size(predicate.packages + predicate.packages) > 0)",
        ],
    )
    def test_what_is_dear_is_counted(self, text: str) -> None:
        """Comparing, searching and joining cost what they walk over."""
        with pytest.raises(OutOfStepsError):
            Program(text, tuple(ROWS)).result(ROWS, steps=40_000)

    def test_steps_are_counted_anew_for_every_piece_of_evidence(self) -> None:
        """One judgement takes nothing from the next."""
        expression = CelExpression("predicate.packages.all(p, p.refs.exists(r, r.type == 'purl'))")

        assert [expression.failure(ROWS) for _ in range(500)] == [None] * 500

    @pytest.mark.parametrize(
        "text", ["(" * 60 + "true" + ")" * 60, "true" + " && true" * 200, "!" * 60 + "true", "a" * 5000]
    )
    def test_what_is_nested_too_deeply_is_refused_when_it_is_read(self, text: str) -> None:
        """No expression makes the judge run out of its stack."""
        with pytest.raises(BadExpressionError):
            CelExpression(text)


class TestEvidenceIsForeign:
    def test_a_number_beyond_64_bits_fails(self) -> None:
        """Wherever it is met."""
        for text in ("predicate.n > 0", "predicate.all(k, predicate[k] > 0)", "predicate.l.exists(n, n > 0)"):
            assert "64 bits" in (CelExpression(text).failure({"predicate": {"n": 2**70, "l": [2**70]}}) or "")

    def test_a_number_is_no_boolean(self) -> None:
        """Python takes 1 for True."""
        assert CelExpression("predicate.ok").failure({"predicate": {"ok": 1}}) == "it is a int, not true"
        assert CelExpression("predicate.ok == true").failure({"predicate": {"ok": 1}}) == "it is false"
        assert CelExpression("predicate.ok in [true]").failure({"predicate": {"ok": 1}}) == "it is false"


class TestLint:
    @pytest.mark.parametrize(
        "text",
        [
            "size(predicate.packages) > 0 && predicate.packages.all(p, has(p.name))",
            "predicate.packages.all(p, has(p.name)) && predicate.packages.size() >= 1",
            "0 < size(predicate.packages) && predicate.packages.all(p, has(p.name))",
            "predicate.packages != [] && predicate.packages.all(p, has(p.name))",
            "predicate.packages.exists(p, true) && predicate.packages.all(p, has(p.name))",
            "certificate.issuer == 'x' && (size(predicate.a.b) > 0 && predicate.a.b.all(x, x > 0))",
            "predicate.id in vex.accepted",
            "size(predicate.packages) > 0",
        ],
    )
    def test_a_sound_expression_is_not_warned_of(self, text: str) -> None:
        """Nothing that a lint says may be wrong."""
        assert CelExpression(text, ("vex",)).warnings() == ()

    @pytest.mark.parametrize(
        "text",
        [
            "predicate.packages.all(p, has(p.name))",
            "size(predicate.packages) >= 0 && predicate.packages.all(p, has(p.name))",
            "size(predicate.other) > 0 && predicate.packages.all(p, has(p.name))",
            "size(predicate.packages) > 0 || predicate.packages.all(p, has(p.name))",
            "size(predicate.rows) > 0 && predicate.rows.all(r, r.items.all(i, i > 0))",
        ],
    )
    def test_all_of_a_list_that_may_be_empty_is_warned_of(self, text: str) -> None:
        """It is true of nothing at all."""
        (warning,) = CelExpression(text).warnings()

        assert "is true of an empty list" in warning

    def test_what_speaks_of_no_evidence_is_warned_of(self) -> None:
        """It proves nothing."""
        assert "speaks of no evidence" in CelExpression("1 == 1").warnings()[0]

    def test_what_denies_something_of_vex_is_warned_of(self) -> None:
        """Whoever withholds the VEX makes it true."""
        assert "withheld" in CelExpression("!(predicate.id in vex.affected)", ("vex",)).warnings()[0]
