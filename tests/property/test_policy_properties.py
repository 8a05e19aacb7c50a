"""Laws of judgement that hold for any evidence."""

from hypothesis import given, settings
from hypothesis import strategies as st

from argocd_provenance.evidence.values import Evidence
from argocd_provenance.policy.judge import judge
from argocd_provenance.policy.patterns import Expression, Glob
from unit.policy.builders import (
    BUILD_TYPE,
    BY,
    CLAIMS,
    COMMIT,
    ISSUER,
    OTHER_DIGEST,
    REF,
    REPOSITORY,
    SAN,
    TODAY,
    certificate,
    codes,
    evidence,
    generator_evidence,
    image,
    policy,
)

POLICIES = (
    policy(f"signature: {{by: {BY}}}"),
    policy(f"signature: {{by: {BY}}}\nprovenance: {{by: {BY}, level: 2, trigger: push}}"),
    policy(
        "signature: {atLeast: 2, by: [{identity: {issuer: https://i, subject: '*'}}, {github: {repository: acme/shop}}, "
        "{identity: {issuer: https://j, subject: a}}]}"
    ),
)
PIECES = (
    evidence(),
    evidence("provenance"),
    evidence(signer=certificate("a", "https://i")),
    evidence(signer=certificate("a", "https://j")),
    evidence(signer=certificate(SAN + "x")),
    evidence("provenance", signer=certificate(buildTrigger="x")),
    evidence(subject=OTHER_DIGEST),
    evidence(domain="internal"),
    generator_evidence(),
)
EVIDENCE = st.lists(st.sampled_from(PIECES), max_size=6)
FULL = policy(
    f"provenance: {{by: {BY}, source: {{repository: {REPOSITORY}, ref: {REF}, commit: '{COMMIT}'}}, "
    f"workflow: .github/workflows/build.yml, buildType: {BUILD_TYPE}, runner: github-hosted, trigger: push, "
    "environment: production, visibility: public}"
)
SPOKEN = sorted(CLAIMS.keys() - {"sourceRepositoryIdentifier", "sourceRepositoryOwnerIdentifier"})
INSERTED = st.sampled_from(
    [*"ax-./@:%*?#\n\t\0 ", "%2f", "evil@", "\u212a", "\u0430", "\u200b", "/..", "refs/heads/main"]
)


class TestJudge:
    @given(EVIDENCE, st.data(), st.sampled_from(POLICIES))
    def test_less_evidence_never_helps(self, full: list[Evidence], data: st.DataObject, mine: object) -> None:
        """What the full evidence does not allow, no part of it allows."""
        kept = [piece for piece in full if data.draw(st.booleans())]

        assert judge(image(), mine, full, today=TODAY).allowed or not judge(image(), mine, kept, today=TODAY).allowed  # type: ignore[arg-type]

    @given(EVIDENCE, st.randoms(use_true_random=False), st.sampled_from(POLICIES))
    def test_the_order_of_evidence_is_irrelevant(self, pieces: list[Evidence], random: object, mine: object) -> None:
        """The whole judgement, with its messages, is a function of the set."""
        mixed = list(pieces)
        random.shuffle(mixed)  # type: ignore[attr-defined]

        assert judge(image(), mine, mixed, today=TODAY) == judge(image(), mine, pieces, today=TODAY)  # type: ignore[arg-type]

    @given(st.integers(0, len(SAN)), INSERTED)
    def test_a_near_miss_identity_is_never_trusted(self, place: int, inserted: str) -> None:
        """One thing prepended, inserted or appended, and nothing else changed: another signer."""
        near = SAN[:place] + inserted + SAN[place:]

        judgement = judge(image(), POLICIES[0], [evidence(signer=certificate(near, buildSignerURI=None))], today=TODAY)

        assert codes(judgement) == ["wrong-signer"]

    @given(st.integers(0, len(ISSUER)), INSERTED)
    def test_a_near_miss_issuer_is_never_trusted(self, place: int, inserted: str) -> None:
        """The issuer is compared as it stands."""
        near = ISSUER[:place] + inserted + ISSUER[place:]

        assert not judge(image(), POLICIES[0], [evidence(signer=certificate(issuer=near))], today=TODAY).allowed

    @given(st.integers(len(REPOSITORY), len(SAN) - 1))
    def test_the_case_of_path_and_ref_counts(self, place: int) -> None:
        """Git compares case, and so does GitHub behind the repository's name."""
        near = SAN[:place] + SAN[place].swapcase() + SAN[place + 1 :]

        allowed = judge(image(), POLICIES[0], [evidence(signer=certificate(near))], today=TODAY).allowed

        assert allowed is (near == SAN)

    @given(st.sampled_from(SPOKEN), st.integers(0, 200), st.sampled_from("x0/@"))
    def test_each_claim_carries_its_demand(self, claim: str, place: int, letter: str) -> None:
        """Changing one character of any claim that the policy speaks of flips the verdict."""
        value = CLAIMS[claim]
        place %= len(value)
        changed = value[:place] + letter + value[place + 1 :]
        piece = evidence("provenance", signer=certificate(**{claim: changed}))

        assert judge(image(), FULL, [evidence("provenance")], today=TODAY).allowed
        assert judge(image(), FULL, [piece], today=TODAY).allowed is (changed == value)

    @given(st.sampled_from(sorted(set(SPOKEN) - {"buildSignerURI", "buildConfigURI"})))
    def test_removing_a_claim_flips_the_verdict(self, claim: str) -> None:
        """Where only the certificate speaks, absence satisfies nothing."""
        expectations = (
            "environment: production, visibility: public, trigger: push, runner: github-hosted, source: {commit: '"
            + COMMIT
        )
        mine = policy(f"signature: {{by: {BY}, {expectations}'}}}}")

        assert judge(image(), mine, [evidence()], today=TODAY).allowed
        assert not judge(image(), mine, [evidence(signer=certificate(**{claim: None}))], today=TODAY).allowed


class TestPatterns:
    @given(
        st.text(alphabet="ab/*.", min_size=1, max_size=8).filter(lambda t: "***" not in t),
        st.text(alphabet="ab/.", max_size=10),
    )
    def test_a_star_never_crosses_a_slash(self, glob: str, text: str) -> None:
        """A text that matches a glob without ``**`` has as many slashes as the glob."""
        if Glob(glob).matches(text) and "**" not in glob:
            assert text.count("/") == glob.count("/")

    @given(st.text(max_size=30), st.text(min_size=1, max_size=5))
    def test_a_literal_matches_itself_only(self, text: str, more: str) -> None:
        """Whatever characters it holds."""
        if text and "*" not in text:
            assert Glob(text).matches(text) == (text.encode(errors="replace").decode() == text)
            assert not Glob(text).matches(text + more)
            assert not Glob(text).matches(more + text)

    @settings(deadline=None)
    @given(st.integers(1, 1023))
    def test_a_hostile_identity_costs_nothing(self, length: int) -> None:
        """RE2 is linear: nested quantifiers do not explode."""
        assert not Expression("(a+)+").matches("a" * length + "!")
