"""Which policies cover an image, and what several of them add up to."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest

from argocd_provenance.evidence.values import Evidence
from argocd_provenance.oci.reference import Reference
from argocd_provenance.policy.decision import Decision, Unmatched, undecided
from argocd_provenance.policy.decision import decide as combine
from argocd_provenance.policy.giturl import normalised
from argocd_provenance.policy.imagepatterns import Image, ImagePattern
from argocd_provenance.policy.judge import judge
from argocd_provenance.policy.model import Authority, Policy
from argocd_provenance.policy.patterns import BadPatternError
from argocd_provenance.policy.platforms import to_verify
from argocd_provenance.policy.select import Application, Coverage, cover
from argocd_provenance.verdict import Finding, Outcome
from unit.policy.builders import BY, DIGEST, OTHER_DIGEST, TODAY, evidence, image, policy

SIGNED = f"signature: {{by: {BY}}}"
HEX = "1a" * 32
DOWN = Finding("registry-unavailable", "the registry answered 503")


def matches(pattern: str, reference: str, *, proved: bool = False) -> bool:
    """Whether `pattern` matches `reference`, which stands for the usual digest."""
    return ImagePattern.parse(pattern).matches(Image(Reference.parse(reference), DIGEST), proved=proved)


def decide(
    wanted: Image,
    coverage: Coverage,
    pieces: Sequence[Evidence] = (),
    *,
    errors: Sequence[Finding] = (),
    unmatched: Unmatched = "deny",
    today: date = TODAY,
) -> Decision:
    """The decision about an image with that evidence."""
    judged = [(mine, judge(wanted, mine, pieces, today=today)) for mine in coverage.policies]
    return combine(wanted, coverage, judged, errors, unmatched)


class TestImagePatterns:
    @pytest.mark.parametrize(
        ("pattern", "reference", "fits"),
        [
            ("ghcr.io/acme/shop", "ghcr.io/acme/shop:v1", True),
            ("ghcr.io/acme/shop", "ghcr.io/acme/shop-evil", False),
            ("ghcr.io/acme/shop", "evil.io/ghcr.io/acme/shop", False),
            ("ghcr.io/acme/shop-*", "ghcr.io/acme/shop-web", True),
            ("ghcr.io/acme/shop-*", "ghcr.io/acme/shop-web/x", False),
            ("ghcr.io/acme/*", "ghcr.io/acme/a/b", False),
            ("ghcr.io/acme/**", "ghcr.io/acme/a/b", True),
            ("ghcr.io/ac.e/x", "ghcr.io/acme/x", False),
            ("**", "ghcr.io/acme/a", True),
            ("**/nginx", "docker.io/library/nginx", True),
            ("nginx", "nginx:1", True),
            ("nginx", "docker.io/library/nginx", True),
            ("docker.io/nginx", "nginx", True),
            ("docker.io/library/nginx", "nginx", True),
            ("index.docker.io/library/nginx", "nginx", True),
            ("docker.io/**", "nginx", True),
            ("acme/*", "acme/shop", True),
            ("acme/*", "ghcr.io/acme/shop", False),
            ("*", "nginx", True),
            ("*", "ghcr.io/acme/a", False),
            ("*.corp.example/**", "a.corp.example/b", True),
            ("localhost:5000/a", "localhost:5000/a:v1", True),
            ("ghcr.io/acme/shop:v*", "ghcr.io/acme/shop:v1", True),
            ("ghcr.io/acme/shop:v*", "ghcr.io/acme/shop:w1", False),
            ("ghcr.io/acme/shop:latest", "ghcr.io/acme/shop", True),
            ("ghcr.io/acme/shop:v*", f"ghcr.io/acme/shop@sha256:{HEX}", False),
            (f"ghcr.io/acme/shop@sha256:{HEX}", "ghcr.io/acme/shop:v1", True),
            (f"ghcr.io/acme/shop@sha256:{'2b' * 32}", "ghcr.io/acme/shop:v1", False),
        ],
    )
    def test_a_pattern_matches_as_people_write_it(self, pattern: str, reference: str, *, fits: bool) -> None:
        """Repository whatever the tag; the tag behind ``:``; the digest behind ``@``; Docker Hub's short names."""
        assert matches(pattern, reference) is fits

    def test_beside_a_digest_the_tag_is_no_proof(self) -> None:
        """A tag pattern that exempts does not match a tag that nobody checked."""
        assert matches("ghcr.io/acme/shop:v1", "ghcr.io/acme/shop:v1", proved=True)
        assert not matches("ghcr.io/acme/shop:v1", f"ghcr.io/acme/shop:v1@sha256:{HEX}", proved=True)

    @pytest.mark.parametrize("pattern", ["", "a***", "a b", "ghcr.io/", "a:", "a@", "x" * 513, "ghcr.io/a?"])
    def test_a_pattern_that_can_match_nothing_is_refused(self, pattern: str) -> None:
        """At load time, not in silence later."""
        with pytest.raises(BadPatternError):
            ImagePattern.parse(pattern)

    @pytest.mark.parametrize(
        ("pattern", "host"),
        [
            ("ghcr.io/**", "ghcr.io"),
            ("**", None),
            ("*.x.io/a", None),
            ("nginx", "docker.io"),
            ("127.0.0.1:5000/a", "127.0.0.1:5000"),
        ],
    )
    def test_a_host_counts_only_if_it_stands_literally_there(self, pattern: str, host: str | None) -> None:
        """``**`` names no registry."""
        assert ImagePattern.parse(pattern).host == host


class TestCover:
    APPLICATION = Application("shop-eu", "shop", "git@github.com:Acme/Deploy.git")

    def test_an_image_that_is_excluded_is_not_covered(self) -> None:
        """`exclude` is real, and named when nothing else covers the image."""
        mine = policy(SIGNED, images='["ghcr.io/acme/**"]', exclude='["ghcr.io/acme/sandbox"]')

        coverage = cover([mine], Reference.parse("ghcr.io/acme/sandbox"), DIGEST, None)

        assert coverage.policies == ()
        assert coverage.excluded == ("shop",)
        assert decide(image(), coverage, today=TODAY).outcome is Outcome.DENIED

    def test_a_tag_in_exclude_does_not_count_beside_a_digest(self) -> None:
        """Otherwise an author could write the excluded tag beside any digest."""
        mine = policy(SIGNED, exclude='["ghcr.io/acme/shop:dev"]')

        assert not cover([mine], Reference.parse("ghcr.io/acme/shop:dev"), DIGEST, None).policies
        assert cover([mine], Reference.parse(f"ghcr.io/acme/shop:dev@sha256:{HEX}"), DIGEST, None).policies

    @pytest.mark.parametrize(
        ("applications", "covered"),
        [
            ("{projects: [shop]}", True),
            ("{projects: [sho]}", False),
            ("{names: ['shop-*']}", True),
            ("{projects: [shop], names: [other]}", False),
            ("{repositories: ['ssh://git@github.com/acme/deploy']}", True),
            ("{repositories: ['https://github.com/acme/deploy']}", False),
        ],
    )
    def test_a_policy_may_be_for_some_applications(self, applications: str, *, covered: bool) -> None:
        """What only policies for others cover is out of scope, whatever `unmatched` says."""
        mine = policy(SIGNED, applications=applications)
        coverage = cover([mine], Reference.parse("ghcr.io/acme/shop"), DIGEST, self.APPLICATION)

        assert bool(coverage.policies) is covered
        assert coverage.out_of_scope is not covered
        if not covered:
            decision = decide(image(), coverage, today=TODAY, unmatched="allow")
            assert [f.code for f in decision.findings] == ["out-of-scope"]
            assert decision.outcome is Outcome.DENIED

    def test_without_an_application_every_policy_is_for_it(self) -> None:
        """`verify` takes a policy as matching."""
        mine = policy(SIGNED, applications="{projects: [shop]}")

        assert cover([mine], Reference.parse("ghcr.io/acme/shop"), DIGEST, None).policies == (mine,)
        assert mine.narrow

    def test_a_pattern_with_a_digest_waits_for_it(self) -> None:
        """Before the digest is known, coverage says that it may change."""
        mine = policy(SIGNED, images=f'["ghcr.io/acme/shop@sha256:{HEX}"]')

        assert cover([mine], Reference.parse("ghcr.io/acme/shop:v1"), None, None).awaits_digest
        assert cover([mine], Reference.parse("ghcr.io/acme/shop:v1"), DIGEST, None).policies

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("https://GitHub.com/acme/deploy.git", "https://github.com/acme/deploy"),
            ("git@github.com:acme/deploy.git", "ssh://git@github.com/acme/deploy"),
            ("https://github.com/acme/deploy/", "https://github.com/acme/deploy"),
        ],
    )
    def test_repositories_are_compared_as_argo_cd_does(self, one: str, other: str) -> None:
        """argo-cd: util/git NormalizeGitURL."""
        assert normalised(one) == normalised(other)


class TestDecide:
    def enforce(self, **changes: object) -> Policy:
        """A policy that demands a signature."""
        return replace(policy(SIGNED), **changes)  # type: ignore[arg-type]

    def test_all_policies_must_hold(self) -> None:
        """Several policies over one image are AND."""
        lenient = policy("", mode="pin")
        coverage = Coverage((lenient, self.enforce(name="strict")))

        assert decide(image(), coverage, today=TODAY).outcome is Outcome.DENIED
        decision = decide(image(), coverage, [evidence()], today=TODAY)
        assert (decision.outcome, decision.word) == (Outcome.ALLOWED, "verified")

    def test_the_strictest_mode_of_those_that_fail_decides(self) -> None:
        """A `warn` policy beside a failing `enforce` policy does not soften it."""
        warn, strict = self.enforce(mode="warn"), self.enforce(name="strict")

        both = decide(image(), Coverage((warn, strict)), today=TODAY)
        alone = decide(image(), Coverage((warn,)), today=TODAY)

        assert (both.outcome, both.mode, both.word) == (Outcome.DENIED, "enforce", "")
        assert (alone.outcome, alone.mode, alone.word) == (Outcome.DENIED, "warn", "warned")

    @pytest.mark.parametrize(
        ("unmatched", "outcome"), [("deny", Outcome.DENIED), ("pin", Outcome.UNVERIFIED), ("allow", Outcome.UNVERIFIED)]
    )
    def test_unmatched_decides_where_no_policy_covers(self, unmatched: Unmatched, outcome: Outcome) -> None:
        """Never verified."""
        decision = decide(image(), Coverage(), [evidence()], today=TODAY, unmatched=unmatched)

        assert (decision.outcome, decision.word) == (outcome, "" if outcome is Outcome.DENIED else "unverified")

    def test_nothing_is_proved_by_pin_and_static_pass(self) -> None:
        """Both count as unverified."""
        static = self.enforce(authorities=(Authority(static="pass"),))

        for weak in (policy("", mode="pin"), static):
            decision = decide(image(), Coverage((weak,)), [evidence()], today=TODAY)
            assert (decision.outcome, decision.word) == (Outcome.UNVERIFIED, "unverified")

    def test_what_could_not_be_fetched_is_an_error_and_no_denial(self) -> None:
        """Where evidence is missing and something was not fetched, nothing is known to be wrong."""
        coverage = Coverage((self.enforce(),))

        missing = decide(image(), coverage, errors=[DOWN], today=TODAY)
        there = decide(image(), coverage, [evidence()], errors=[DOWN], today=TODAY)

        assert (missing.outcome, missing.findings, missing.word) == (Outcome.ERROR, (DOWN,), "")
        assert there.outcome is Outcome.ALLOWED

    def test_static_fail_denies_whatever_failed(self) -> None:
        """No evidence could change it."""
        static = self.enforce(authorities=(Authority(static="fail", message="no such images"),))

        decision = decide(image(), Coverage((static,)), errors=[DOWN], today=TODAY)

        assert decision.outcome is Outcome.DENIED
        assert "no such images" in decision.findings[0].message

    def test_warn_lets_errors_through_too(self) -> None:
        """The image stays as written and is annotated."""
        decision = undecided(DOWN, [self.enforce(mode="warn")])

        assert (decision.outcome, decision.mode, decision.word) == (Outcome.ERROR, "warn", "warned")
        assert not undecided(DOWN, [self.enforce()]).word
        assert not undecided(DOWN).word

    def test_authorities_are_alternatives(self) -> None:
        """A policy is satisfied by any of its authorities, and by a proof rather than by a free pass."""
        proof, free = policy(SIGNED).authorities[0], Authority(static="pass")
        both = self.enforce(authorities=(free, proof))

        assert decide(image(), Coverage((both,)), [evidence()], today=TODAY).word == "verified"
        assert decide(image(), Coverage((both,)), today=TODAY).word == "unverified"


class TestExceptions:
    ENTRY = f'[{{images: ["ghcr.io/acme/shop@sha256:{HEX}"], owner: team, reason: INC-1, expires: 2026-11-24}}]'

    def test_an_exception_lets_one_digest_through_until_its_day_ends(self) -> None:
        """Named owner, reason and expiry."""
        coverage = Coverage((policy(SIGNED, exceptions=self.ENTRY),))

        decision = decide(image(), coverage, today=date(2026, 11, 24))

        assert (decision.outcome, decision.word) == (Outcome.ALLOWED, "exception")
        assert decision.exception is not None
        assert decision.exception.owner == "team"

    def test_an_expired_exception_denies_and_says_so(self) -> None:
        """The reason for the denial stands first."""
        decision = decide(image(), Coverage((policy(SIGNED, exceptions=self.ENTRY),)), today=date(2026, 11, 25))

        assert [f.code for f in decision.findings] == ["unsigned", "expired-exception"]

    def test_an_exception_is_for_its_digest_only(self) -> None:
        """Another digest under the same tag is another image."""
        coverage = Coverage((policy(SIGNED, exceptions=self.ENTRY),))

        assert decide(image(digest=OTHER_DIGEST), coverage, today=date(2026, 11, 1)).outcome is Outcome.DENIED

    def test_evidence_goes_before_an_exception(self) -> None:
        """An image that passes needs none."""
        coverage = Coverage((policy(SIGNED, exceptions=self.ENTRY),))

        assert decide(image(), coverage, [evidence()], today=TODAY).word == "verified"


class TestPlatforms:
    CHILDREN = {"linux/arm64": OTHER_DIGEST, "linux/amd64": DIGEST}  # noqa: RUF012 - never changed

    def test_the_index_alone_by_default(self) -> None:
        """Less is never asked, more only by option."""
        assert to_verify(policy(SIGNED), self.CHILDREN) == ({}, ())
        assert list(to_verify(policy(SIGNED, platforms="all"), self.CHILDREN)[0]) == ["linux/amd64", "linux/arm64"]

    def test_a_platform_that_is_missing_is_a_finding(self) -> None:
        """What the policy wants verified must be there."""
        found, findings = to_verify(policy(SIGNED, platforms="[linux/amd64, linux/s390x]"), self.CHILDREN)

        assert found == {"linux/amd64": DIGEST}
        assert [f.code for f in findings] == ["platform"]
