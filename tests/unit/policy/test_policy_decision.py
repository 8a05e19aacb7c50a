"""What the judgements of several policies add up to."""

from datetime import date

import pytest

from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.policy.decision import Decision, decide, undecided
from argocd_provenance.policy.imagepatterns import Image, ImagePattern
from argocd_provenance.policy.judge import Judgement
from argocd_provenance.policy.model import Mode, Policy, PolicyException
from argocd_provenance.policy.select import Coverage
from argocd_provenance.verdict import Finding, Outcome
from support.shop import demanding

IMAGE = Image(Reference.parse("ghcr.io/acme/web:v1"), Digest("sha256:" + "1a" * 32))
DOWN = Finding("registry-unavailable", "cannot check")
REFUSED, UNSIGNED = Finding("static-fail", "refused"), Finding("unsigned", "nothing verifies")
GOOD, WEAK = Judgement(allowed=True), Judgement(allowed=True, weak=True)
BAD = Judgement(allowed=False, findings=(UNSIGNED,))
FINAL = Judgement(allowed=False, findings=(REFUSED,), final=True)
EXCEPTED = Judgement(
    allowed=True,
    exception=PolicyException((ImagePattern.parse("ghcr.io/acme/web"),), "shop", "X-1", date(2027, 1, 31)),
)


def decision(*judged: tuple[Mode, Judgement], faults: tuple[Finding, ...] = (), enforce: bool = False) -> Decision:
    """The decision when policies of these modes judge like this."""
    policies = [(demanding(mode, f"p{number}"), judgement) for number, (mode, judgement) in enumerate(judged)]
    return decide(IMAGE, Coverage(tuple(p for p, _ in policies)), policies, faults, "deny", enforce=enforce)


class TestDecide:
    """All must hold; the strictest mode among those that fail decides; a fault never denies and never allows."""

    @pytest.mark.parametrize(
        ("judged", "outcome", "mode", "word", "pins"),
        [
            pytest.param([("enforce", GOOD)], "allowed", "enforce", "verified", True, id="one holds"),
            pytest.param([("enforce", GOOD), ("enforce", BAD)], "denied", "enforce", "", False, id="one fails"),
            pytest.param([("enforce", GOOD), ("warn", BAD)], "denied", "warn", "warned", True, id="a warning fails"),
            pytest.param([("warn", GOOD), ("warn", BAD)], "denied", "warn", "warned", False, id="one of two warnings fails"),
            pytest.param([("enforce", BAD), ("warn", BAD)], "denied", "enforce", "", False, id="both fail"),
            pytest.param([("pin", WEAK)], "unverified", "enforce", "unverified", True, id="nothing proved"),
            pytest.param([("pin", WEAK), ("enforce", GOOD)], "allowed", "enforce", "verified", True, id="pin and proof"),
            pytest.param([("enforce", EXCEPTED)], "allowed", "enforce", "exception", True, id="exception"),
            pytest.param([("enforce", GOOD), ("enforce", EXCEPTED)], "allowed", "enforce", "exception", True, id="weakest"),
            pytest.param([("enforce", EXCEPTED), ("enforce", BAD)], "denied", "enforce", "", False, id="no help to others"),
        ],
    )  # fmt: skip
    def test_judgements_add_up(
        self, judged: list[tuple[Mode, Judgement]], outcome: str, mode: str, word: str, *, pins: bool
    ) -> None:
        """The outcome, the mode, the word of the annotation, and whether the digest is written."""
        decided = decision(*judged)

        assert (decided.outcome, decided.mode, decided.word, decided.pins) == (outcome, mode, word, pins)

    @pytest.mark.parametrize(
        ("judged", "outcome"),
        [
            pytest.param([("enforce", BAD)], "error", id="never denied"),
            pytest.param([("enforce", GOOD)], "allowed", id="does not matter where all hold"),
            pytest.param([("enforce", FINAL)], "denied", id="a final denial stands"),
            pytest.param([("enforce", BAD), ("enforce", FINAL)], "denied", id="one final denial is enough"),
            pytest.param(
                [("enforce", BAD), ("warn", FINAL)], "error", id="a warning's final denial is no enforced one"
            ),
            pytest.param([("warn", BAD)], "error", id="warned"),
        ],
    )
    def test_a_fault_makes_undecided(self, judged: list[tuple[Mode, Judgement]], outcome: str) -> None:
        """Unless everything holds, or nothing could help."""
        decided = decision(*judged, faults=(DOWN,))

        assert decided.outcome == outcome
        assert (DOWN in decided.findings) == (outcome == "error")

    @pytest.mark.parametrize("faults", [(), (DOWN,)])
    def test_enforce_overrides_warn(self, faults: tuple[Finding, ...]) -> None:
        """With `enforce` no failure is let through."""
        decided = decision(("warn", BAD), faults=faults, enforce=True)

        assert (decided.mode, decided.word) == ("enforce", "")

    @pytest.mark.parametrize(
        ("judged", "settled"),
        [
            pytest.param([("enforce", GOOD)], True, id="proved"),
            pytest.param([("enforce", FINAL)], True, id="refused for good"),
            pytest.param([("enforce", BAD)], False, id="unsigned so far"),
            pytest.param([("enforce", EXCEPTED)], False, id="evidence may make the exception needless"),
            pytest.param([("warn", BAD)], False, id="warned so far"),
        ],
    )
    def test_the_search_ends_only_where_nothing_could_change(
        self, judged: list[tuple[Mode, Judgement]], *, settled: bool
    ) -> None:
        """Before a denial every place is asked."""
        assert decision(*judged).settled is settled

    def test_no_judgements_allow_nothing(self) -> None:
        """A covered image that nobody judged is not allowed."""
        policy = demanding("enforce", "p")

        decided = decide(IMAGE, Coverage((policy,)), [], (), "allow")

        assert decided.outcome is Outcome.DENIED


class TestUndecided:
    """What could not be asked about at all."""

    @pytest.mark.parametrize(
        ("modes", "enforce", "mode"),
        [
            pytest.param((), False, "enforce", id="no policy"),
            pytest.param(("warn",), False, "warn", id="warn"),
            pytest.param(("warn",), True, "enforce", id="warn, tightened"),
            pytest.param(("warn", "enforce"), False, "enforce", id="both"),
            pytest.param(("pin",), False, "enforce", id="pin"),
        ],
    )
    def test_it_blocks_unless_every_policy_only_warns(
        self, modes: tuple[Mode, ...], mode: str, *, enforce: bool
    ) -> None:
        """An image without policies is enforced."""
        policies: list[Policy] = [demanding(one, f"p{number}") for number, one in enumerate(modes)]

        decided = undecided(DOWN, policies, enforce=enforce)

        assert (decided.outcome, decided.mode, decided.pins) == (Outcome.ERROR, mode, False)
