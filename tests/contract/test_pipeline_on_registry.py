"""The pipeline against a real registry client and an in-process registry: what is asked, when, and what is made of it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance import pipeline
from argocd_provenance.deadline import Deadline
from argocd_provenance.demo.registry import Answer, refusal
from argocd_provenance.demo.sigstore import encode
from argocd_provenance.errors import OperatorError
from argocd_provenance.evidence.trust import trust_domain
from argocd_provenance.evidence.verify import Verifier
from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.oci.registry import Registry as Client
from argocd_provenance.pipeline import Decided
from argocd_provenance.policy.decision import Unmatched
from argocd_provenance.policy.select import Application
from argocd_provenance.verdict import Outcome
from support.registries import client
from support.scenario import Scenario
from support.shop import (
    API,
    BUILT,
    BY,
    FORK,
    PROVENANCE,
    SIGNATURE,
    SIGNED,
    WEB,
    attach,
    decide,
    policies,
    policy,
    shop,
)

BOTH = f"{SIGNATURE}\n{PROVENANCE}"
Ask = Callable[..., dict[str, Decided]]


class World:
    """A scenario, a client of its registry, and the question put to the pipeline."""

    def __init__(self, scenario: Scenario, registry: Client) -> None:
        self.scenario, self.client, self.registry = scenario, registry, scenario.registry
        self.host = self.registry.host
        self.verifier = Verifier({"test": trust_domain("test", encode(scenario.sigstore.trusted_root()))})

    def decide(self, *references: str, rules: str | list[str] = "", **more: Any) -> dict[str, Decided]:
        """What is decided about `references`, which are named without the host."""
        texts = [rules or policy()] if isinstance(rules, str) else rules
        asked = [f"{self.host}/{reference}" for reference in references]
        decided = decide(self.client, self.verifier, policies(*texts, host=self.host), *asked, **more)
        return {written.removeprefix(f"{self.host}/"): one for written, one in decided.items()}

    def one(self, reference: str, rules: str | list[str] = "", **more: Any) -> Decided:
        """The same for one reference."""
        return self.decide(reference, rules=rules, **more)[reference]

    def answer(self, path: str, *answers: Answer) -> None:
        """Send these answers, then the truth, for a path below /v2/."""
        self.registry.answers[f"/v2/{path}"] = list(answers)

    def broken(self, path: str, answer: Answer | None = None) -> None:
        """Send this answer always."""
        self.registry.answers[f"/v2/{path}"] = answer or refusal(403, "DENIED", "no")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes worlds of these images."""
    with ExitStack() as stack:

        def make(*images: dict[str, Any]) -> World:
            scenario = stack.enter_context(shop(tmp_path, images=images or (WEB, API)))
            return World(scenario, stack.enter_context(client(scenario.registry.host)))

        yield make


def codes(decided: Decided) -> list[str]:
    """The codes of its findings."""
    return [finding.code for finding in decided.decision.findings]


def tag_of(digest: str, suffix: str = "") -> str:
    """The fallback tag, or cosign's, of a digest."""
    return digest.replace(":", "-") + suffix


class TestRequests:
    """What is asked of the registry, and how often."""

    def test_a_tag_is_resolved_once_however_it_is_spelled_and_wherever_it_stands(
        self, world: Callable[..., World]
    ) -> None:
        """The digest that is written is the digest that was verified, also when the registry changes its mind."""
        here = world({"image": "acme/web:latest", "attach": [BUILT]})
        good = here.registry.contents.tags["acme/web", "latest"]
        other = here.registry.push_image("acme/web", "moved", [b"other"])
        media_type, moved = here.registry.contents.manifests["acme/web", other["digest"]]
        lie = Answer(200, {"Content-Type": media_type}, moved)
        kept = here.registry.contents.manifests["acme/web", good]
        truth = Answer(200, {"Content-Type": kept[0]}, kept[1])
        here.answer("acme/web/manifests/latest", truth, lie, lie, lie)

        decided = here.decide("acme/web", "acme/web:latest", "acme/web")

        assert len(here.registry.asked("manifests/latest")) == 1
        assert {one.pinned.rpartition("@")[2] for one in decided.values()} == {good}
        assert all(one.decision.used[0].subject.text == good for one in decided.values())

    def test_an_image_with_provenance_takes_four_requests_and_one_probe_a_host(
        self, world: Callable[..., World]
    ) -> None:
        """Tag, listing, referrer, bundle; the Referrers API is probed once, by the first image."""
        here = world(WEB, {"image": "acme/two:v1", "attach": [BUILT]})

        decided = here.decide("acme/web:v1", "acme/two:v1")

        assert [one.decision.word for one in decided.values()] == ["verified", "verified"]
        assert len(here.registry.asked("/v2/acme/web/")) + len(here.registry.asked("/v2/acme/two/")) == 4 + 4 + 1
        assert len(here.registry.asked("/referrers/")) == 1

    def test_with_the_referrers_api_there_is_no_probe(self, world: Callable[..., World]) -> None:
        """Tag, referrers, manifest, bundle."""
        here = world()
        here.registry.referrers = True
        pushed = here.registry.push_image("acme/new", "v1", [b"new"])
        attach(here.scenario, pushed, "acme/new")

        decided = here.one("acme/new:v1")

        assert decided.decision.word == "verified"
        assert len(here.registry.asked("/v2/acme/new/")) == 4

    def test_signature_and_provenance_take_six_requests_and_the_probe(self, world: Callable[..., World]) -> None:
        """Both bundles hang in one list."""
        here = world({"image": "acme/web:v1", "attach": [SIGNED, BUILT]})

        decided = here.one("acme/web:v1", policy(BOTH))

        assert decided.decision.word == "verified"
        assert len(here.registry.asked("/v2/acme/web/")) == 6 + 1

    def test_places_are_asked_only_while_a_demand_is_unmet(self, world: Callable[..., World]) -> None:
        """What satisfies the policy ends the search."""
        here = world()

        here.one("acme/web:v1")

        assert here.registry.asked(".sig") == here.registry.asked(".att") == []

    def test_before_a_denial_every_place_was_asked(self, world: Callable[..., World]) -> None:
        """An image is never called unsigned because nobody looked."""
        here = world()

        decided = here.one("acme/api:v1")

        assert codes(decided) == ["unsigned"]
        assert [len(here.registry.asked(end)) for end in ("/referrers/", ".sig", ".att")] == [1, 1, 1]

    def test_a_digest_is_fetched_once_and_its_tags_are_judged_apart(self, world: Callable[..., World]) -> None:
        """Evidence hangs on the digest, but what a policy says of the tag holds for each reference."""
        here = world({"image": f"acme/web:{'a' * 40}", "attach": [BUILT]})
        contents = here.registry.contents
        contents.tags["acme/web", "v1"] = contents.tags["acme/web", "a" * 40]
        rules = policy(
            f'- provenance: {{by: {BY}, source: {{repository: https://github.com/acme/shop, commit: "{{tag}}"}}}}'
        )

        decided = here.decide(f"acme/web:{'a' * 40}", "acme/web:v1", rules=rules)

        assert [one.decision.outcome for one in decided.values()] == [Outcome.ALLOWED, Outcome.DENIED]
        assert len(here.registry.asked("/blobs/")) == 1

    def test_a_digest_needs_no_manifest(self, world: Callable[..., World]) -> None:
        """What is named by digest is not resolved."""
        here = world()
        digest = here.registry.contents.tags["acme/web", "v1"]

        decided = here.one(f"acme/web@{digest}")

        assert decided.pinned == f"{here.host}/acme/web@{digest}"
        assert here.registry.asked(f"manifests/{digest}") == []


class TestEvidenceBelongsToARepository:
    """What hangs on a digest in one repository says nothing in another."""

    def test_the_same_digest_elsewhere_has_other_evidence(self, world: Callable[..., World]) -> None:
        """A copy without its provenance is unsigned, in the same run in which the original is verified."""
        here = world(WEB)
        here.registry.push_image("acme/copy", "v1", [b"acme/web:v1"])

        decided = here.decide("acme/web:v1", "acme/copy:v1")

        original, copied = decided.values()
        assert original.digest == copied.digest
        assert (original.decision.outcome, copied.decision.outcome) == (Outcome.ALLOWED, Outcome.DENIED)
        assert here.registry.asked("/v2/acme/copy/referrers/") + here.registry.asked("/v2/acme/copy/", ".sig")

    def test_a_source_serves_only_the_policy_that_names_it(self, world: Callable[..., World]) -> None:
        """What one policy finds in its other repository does not satisfy another policy."""
        here = world(API, {"image": "signatures/store:v1"})
        image = here.registry.push_image("acme/api", "v1", [b"acme/api:v1"])
        attach(here.scenario, image, "signatures/store", what="signature", form="sig")
        keyless = (
            "{issuer: https://token.actions.githubusercontent.com, "
            "subject: https://github.com/acme/shop/.github/workflows/build.yml@refs/heads/main}"
        )
        (here.scenario.folder / "root").mkdir()
        foreign = f"""\
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {{name: store}}
spec:
  images: [{{glob: "REGISTRY/acme/**"}}]
  authorities:
    - keyless: {{identities: [{keyless}], trustRootRef: test}}
      source: [{{oci: REGISTRY/signatures/store}}]
"""

        alone = here.one("acme/api:v1", foreign)
        together = here.one("acme/api:v1", [foreign, policy(SIGNATURE)])

        assert alone.decision.word == "verified"
        assert together.decision.outcome is Outcome.DENIED


class TestFaults:
    """What could not be asked makes an answer undecided: never a denial, never a pass."""

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            pytest.param(refusal(401, "UNAUTHORIZED", "no"), "registry-unauthorized", id="401"),
            pytest.param(refusal(403, "DENIED", "no"), "registry-unauthorized", id="403"),
            pytest.param(refusal(404, "MANIFEST_UNKNOWN", "no"), "image-not-found", id="404"),
            pytest.param(refusal(429, "TOOMANYREQUESTS", "slowly"), "registry-throttled", id="429"),
            pytest.param(refusal(500, "UNKNOWN", "broken"), "registry-unavailable", id="500"),
            pytest.param(Answer(drop=True), "registry-unavailable", id="unreachable"),
            pytest.param(
                Answer(200, {"Docker-Content-Digest": "sha256:" + "0" * 64}, b"{}"),
                "digest-mismatch",
                id="wrong digest",
            ),
            pytest.param(Answer(200, {}, (b"x" * 65536 for _ in range(10**9))), "registry-misbehaved", id="endless"),
            pytest.param(Answer(200, {}, b"<html>"), "registry-misbehaved", id="no manifest"),
        ],
    )
    def test_a_registry_that_fails_or_lies_decides_nothing(
        self, world: Callable[..., World], answer: Answer, code: str
    ) -> None:
        """Each fault has its code, the words "cannot check", and a fix; the other image is answered."""
        here = world()
        here.broken("acme/api/manifests/v1", answer)

        decided = here.decide("acme/web:v1", "acme/api:v1")

        finding = decided["acme/api:v1"].decision.findings[0]
        assert decided["acme/web:v1"].decision.outcome is Outcome.ALLOWED
        assert (decided["acme/api:v1"].decision.outcome, finding.code) == (Outcome.ERROR, code)
        assert decided["acme/api:v1"].pinned == ""
        assert finding.message.startswith("cannot check: ")
        assert finding.fix

    @pytest.mark.parametrize("suffix", ["", ".sig", ".att"])
    def test_a_fault_at_one_place_is_undecided_never_unsigned(self, world: Callable[..., World], suffix: str) -> None:
        """The evidence may lie exactly where nobody could look."""
        here = world()
        digest = here.registry.contents.tags["acme/api", "v1"]
        here.broken(f"acme/api/manifests/{tag_of(digest, suffix)}")

        decided = here.one("acme/api:v1")

        assert (decided.decision.outcome, codes(decided)) == (Outcome.ERROR, ["registry-unauthorized"])

    def test_a_fault_does_not_matter_where_other_evidence_suffices(self, world: Callable[..., World]) -> None:
        """One place fails, the next has what the policy wants."""
        here = world({"image": "acme/web:v1", "attach": [{**BUILT, "form": "att"}]})
        digest = here.registry.contents.tags["acme/web", "v1"]
        here.broken(f"acme/web/manifests/{tag_of(digest, '.sig')}")

        decided = here.one("acme/web:v1")

        assert decided.decision.word == "verified"

    def test_a_final_denial_stands_whatever_else_could_not_be_asked(self, world: Callable[..., World]) -> None:
        """No evidence could help an image that a policy refuses by name."""
        here = world()
        digest = here.registry.contents.tags["acme/api", "v1"]
        here.broken(f"acme/api/manifests/{tag_of(digest)}")
        refused = (
            "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: never}\n"
            'spec: {images: [{glob: "REGISTRY/acme/**"}], authorities: [{static: {action: fail}}]}\n'
        )

        decided = here.one("acme/api:v1", [refused, policy()])

        assert (decided.decision.outcome, codes(decided)[0]) == (Outcome.DENIED, "static-fail")

    def test_a_listed_bundle_that_is_gone_is_a_fault(self, world: Callable[..., World]) -> None:
        """A registry that withholds what it lists has not shown that the image is unsigned."""
        here = world()
        for key in [
            key for key in here.registry.contents.blobs if b"dsseEnvelope" in here.registry.contents.blobs[key]
        ]:
            del here.registry.contents.blobs[key]

        decided = here.one("acme/web:v1")

        assert (decided.decision.outcome, codes(decided)) == (Outcome.ERROR, ["registry-misbehaved"])


class TestCoverage:
    """What no policy of this Application covers."""

    @pytest.mark.parametrize(
        ("unmatched", "outcome", "asked", "pinned"),
        [
            pytest.param("deny", Outcome.DENIED, 0, False, id="deny"),
            pytest.param("pin", Outcome.UNVERIFIED, 1, True, id="pin"),
            pytest.param("allow", Outcome.UNVERIFIED, 0, False, id="allow"),
        ],
    )
    def test_unmatched_says_what_becomes_of_an_image_without_a_policy(
        self, world: Callable[..., World], unmatched: Unmatched, outcome: Outcome, asked: int, *, pinned: bool
    ) -> None:
        """Only pin asks: deny and allow send no request at all, and pin resolves the tag alone."""
        here = world()
        rules = policy(images='["other.example/**"]')

        decided = here.one("acme/api:v1", rules, unmatched=unmatched)

        assert (decided.decision.outcome, bool(decided.pinned)) == (outcome, pinned)
        assert len(here.registry.requests) == asked
        assert codes(decided) == (["unmatched"] if unmatched == "deny" else [])

    @pytest.mark.parametrize("unmatched", ["deny", "pin", "allow"])
    def test_out_of_scope_is_denied_whatever_unmatched_says(
        self, world: Callable[..., World], unmatched: Unmatched
    ) -> None:
        """Another Application's policy is no licence, and no request is spent on it."""
        here = world()
        rules = policy(applications="{names: [payments]}")
        other = Application("shop", "default", "https://github.com/acme/deploy")

        decided = here.one("acme/web:v1", rules, unmatched=unmatched, application=other)

        assert (decided.decision.outcome, codes(decided)) == (Outcome.DENIED, ["out-of-scope"])
        assert here.registry.requests == []

    def test_all_policies_over_an_image_must_hold(self, world: Callable[..., World]) -> None:
        """Provenance satisfies one, but the other wants a signature."""
        here = world()
        strict = policy(SIGNATURE, name="signed")

        decided = here.one("acme/web:v1", [policy(), strict])

        assert (decided.decision.outcome, decided.decision.policies) == (Outcome.DENIED, ("shop", "signed"))
        assert decided.pinned == ""

    def test_a_reference_that_is_none_blocks_and_asks_nothing(self, world: Callable[..., World]) -> None:
        """Text that is no image is undecided even where `unmatched: allow` lets everything else through."""
        here = world()

        decided = decide(here.client, here.verifier, (), "Not An Image", unmatched="allow")["Not An Image"]

        assert (decided.decision.outcome, decided.decision.mode) == (Outcome.ERROR, "enforce")
        assert codes(decided) == ["invalid-reference"]


class TestModes:
    """`warn` lets through and keeps the truth; parameters only tighten."""

    def test_a_warned_denial_stays_as_written(self, world: Callable[..., World]) -> None:
        """It is denied, in mode warn, and nothing is pinned."""
        decided = world().one("acme/api:v1", policy(mode="warn"))

        assert (decided.decision.outcome, decided.decision.mode) == (Outcome.DENIED, "warn")
        assert (decided.decision.word, decided.pinned) == ("warned", "")

    def test_a_warned_error_is_let_through_too(self, world: Callable[..., World]) -> None:
        """A registry that is down does not stop what is only warned about."""
        here = world()
        here.broken("acme/api/manifests/v1", refusal(500, "UNKNOWN", "broken"))

        decided = here.one("acme/api:v1", policy(mode="warn"))

        assert (decided.decision.outcome, decided.decision.mode) == (Outcome.ERROR, "warn")
        assert (decided.decision.word, decided.pinned) == ("warned", "")

    @pytest.mark.parametrize("tag", ["v1", "none"])
    def test_enforce_makes_warn_count_for_nothing(self, world: Callable[..., World], tag: str) -> None:
        """With `policy.mode: enforce` denials and errors of a warning policy block."""
        decided = world().one(f"acme/api:{tag}", policy(mode="warn"), enforce=True)

        assert (decided.decision.mode, decided.decision.word) == ("enforce", "")

    def test_an_error_is_not_excused_where_an_enforcing_policy_may_cover_the_digest(
        self, world: Callable[..., World]
    ) -> None:
        """Without the digest nobody knows whether the stricter policy covers the image, so it blocks."""
        here = world()
        digest = here.registry.contents.tags["acme/api", "v1"]
        here.broken("acme/api/manifests/v1")
        strict = policy(images=f'["REGISTRY/acme/api@{digest}"]', name="strict")

        decided = here.one("acme/api:v1", [policy(mode="warn"), strict])

        assert (decided.decision.outcome, decided.decision.mode) == (Outcome.ERROR, "enforce")

    def test_the_strictest_mode_among_those_that_fail_decides(self, world: Callable[..., World]) -> None:
        """An enforcing policy that holds does not make a warning one block; one that fails does."""
        here = world()
        warning = policy(SIGNATURE, name="soon", mode="warn")

        passed = here.one("acme/web:v1", [policy(), warning])
        failed = here.one("acme/api:v1", [policy(), warning])

        assert (passed.decision.outcome, passed.decision.mode) == (Outcome.DENIED, "warn")
        assert (failed.decision.outcome, failed.decision.mode) == (Outcome.DENIED, "enforce")


class TestExceptions:
    """A digest may be let through by name, until a day."""

    @pytest.mark.parametrize(
        ("today", "outcome"), [(date(2027, 1, 31), Outcome.ALLOWED), (date(2027, 2, 1), Outcome.DENIED)]
    )
    def test_an_exception_holds_through_its_last_day(
        self, world: Callable[..., World], today: date, outcome: Outcome
    ) -> None:
        """Afterwards the denial says that it has expired, and whom to ask."""
        here = world()
        digest = here.registry.contents.tags["acme/api", "v1"]
        rules = policy(
            exceptions=f'[{{images: ["REGISTRY/acme/api@{digest}"], owner: shop, reason: X-1, expires: 2027-01-31}}]'
        )

        decided = here.one("acme/api:v1", rules, today=today)

        assert decided.decision.outcome is outcome
        assert (decided.decision.word or codes(decided)[-1]) == (
            "exception" if outcome is Outcome.ALLOWED else "expired-exception"
        )


class TestPlatforms:
    """What is verified of a multi-arch image."""

    def index(self, here: World, *signed: str) -> None:
        """Push acme/multi:v1 for amd64 and arm64, and sign what `signed` names: index, amd64, arm64."""
        children = {}
        for name in ("amd64", "arm64"):
            platform = f"linux/{name}"
            children[name] = here.registry.push_image("acme/multi", None, [name.encode()], platform)
            children[name]["platform"] = {"os": "linux", "architecture": name}
        index = here.registry.push_index("acme/multi", "v1", list(children.values()))
        for name in signed:
            attach(here.scenario, index if name == "index" else children[name], "acme/multi")

    @pytest.mark.parametrize(
        ("platforms", "signed", "outcome"),
        [
            pytest.param("index", ("index",), Outcome.ALLOWED, id="the index alone"),
            pytest.param("index", ("amd64", "arm64"), Outcome.DENIED, id="children do not stand for the index"),
            pytest.param("all", ("index", "amd64", "arm64"), Outcome.ALLOWED, id="all of all"),
            pytest.param("all", ("index", "amd64"), Outcome.DENIED, id="one child unsigned"),
            pytest.param("all", ("amd64", "arm64"), Outcome.DENIED, id="all but the index"),
            pytest.param("[linux/amd64]", ("index", "amd64"), Outcome.ALLOWED, id="the named one"),
            pytest.param("[linux/arm64]", ("index", "amd64"), Outcome.DENIED, id="another one"),
            pytest.param("[linux/s390x]", ("index", "amd64", "arm64"), Outcome.DENIED, id="one that is not there"),
        ],
    )
    def test_every_digest_that_the_policy_asks_about_must_pass(
        self, world: Callable[..., World], platforms: str, signed: tuple[str, ...], outcome: Outcome
    ) -> None:
        """The digest that is deployed always, and its platforms as the policy says."""
        here = world()
        self.index(here, *signed)

        decided = here.one("acme/multi:v1", policy(platforms=platforms))

        assert decided.decision.outcome is outcome
        assert ("platform" in codes(decided)) == (platforms == "[linux/s390x]")

    def test_platforms_that_could_not_be_listed_never_pass(self, world: Callable[..., World]) -> None:
        """The index is signed and in place, but what it lists could not be fetched."""
        here = world()
        self.index(here, "index", "amd64", "arm64")
        digest = here.registry.contents.tags["acme/multi", "v1"]
        here.broken(f"acme/multi/manifests/{digest}")

        decided = here.one(f"acme/multi@{digest}", policy(platforms="all"))

        assert (decided.decision.outcome, codes(decided)) == (Outcome.ERROR, ["registry-unauthorized"])

    def test_an_exception_for_a_child_is_no_verification_of_the_image(self, world: Callable[..., World]) -> None:
        """The weakest word of index and platforms is the image's word."""
        here = world()
        self.index(here, "index", "amd64")
        child = here.registry.push_image("acme/multi", None, [b"arm64"], "linux/arm64")["digest"]
        rules = policy(
            platforms="all",
            exceptions=f'[{{images: ["REGISTRY/acme/multi@{child}"], owner: shop, reason: X, expires: 2027-01-01}}]',
        )

        decided = here.one("acme/multi:v1", rules)

        assert (decided.decision.outcome, decided.decision.word) == (Outcome.ALLOWED, "exception")


class Stuck:
    """A registry whose thread hangs for one repository until it is released; everything else is a real client's."""

    def __init__(self, real: Client, name: str, method: str) -> None:
        self._real, self._name, self._method = real, name, method
        self.release = threading.Event()

    def _wait(self, method: str, repository: str) -> None:
        if method == self._method and repository.endswith(self._name):
            self.release.wait()

    def resolve(self, reference: Reference) -> Digest:
        self._wait("resolve", reference.repository.path)
        return self._real.resolve(reference)

    def children(self, repository: Any, digest: Digest) -> Any:
        return self._real.children(repository, digest)

    def gather(self, repository: Any, digest: Digest, place: Any, *, tag_prefix: str = "", wanted: Any) -> Any:
        self._wait("gather", repository.path)
        return self._real.gather(repository, digest, place, tag_prefix=tag_prefix, wanted=wanted)


class TestDeadline:
    """The answer comes in time, whatever a registry does."""

    @pytest.mark.parametrize("method", ["resolve", "gather"])
    def test_a_thread_that_hangs_is_undecided_and_the_others_are_answered(
        self, world: Callable[..., World], monkeypatch: pytest.MonkeyPatch, method: str
    ) -> None:
        """Code deadline for the image that hangs, and the true verdict for the others."""
        here = world()
        monkeypatch.setattr(pipeline, "_GRACE", 0.4)
        stuck = Stuck(here.client, "/api", method)
        judged_by = policies(policy(), host=here.host)

        decided = decide(
            stuck,
            here.verifier,
            judged_by,
            f"{here.host}/acme/api:v1",
            f"{here.host}/acme/web:v1",
            deadline=Deadline(0, lambda: 0.0),
        )
        stuck.release.set()

        late, good = decided.values()
        assert (late.decision.outcome, codes(late), late.pinned) == (Outcome.ERROR, ["deadline"], "")
        assert good.decision.word == "verified"

    def test_a_reference_whose_turn_never_came_is_undecided(
        self, world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With every thread held up, even a text that is no reference gets its own answer."""
        here = world()
        monkeypatch.setattr(pipeline, "_GRACE", 0.0)
        monkeypatch.setattr(pipeline, "WORKERS", 1)
        stuck = Stuck(here.client, "/api", "resolve")
        judged_by = policies(policy(), host=here.host)

        decided = decide(
            stuck, here.verifier, judged_by, f"{here.host}/acme/api:v1", "Not One", deadline=Deadline(0, lambda: 0.0)
        )
        stuck.release.set()

        assert [codes(one) for one in decided.values()] == [["deadline"], ["invalid-reference"]]


class Rendezvous:
    """A registry client whose named question is answered only after another thing happened, which it waits for."""

    def __init__(self, registry: Client, held: str) -> None:
        self._registry, self._held = registry, held
        self.happened = threading.Event()

    def resolve(self, reference: Reference) -> Digest:
        """As the client does, in its turn."""
        if self._held in reference.repository.path:
            assert self.happened.wait(20)
        return self._registry.resolve(reference)

    def gather(self, *asked: Any, **how: Any) -> Any:
        """As the client does; this is what happens."""
        found = self._registry.gather(*asked, **how)
        self.happened.set()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)


class TestNobodyWaits:
    def test_evidence_is_fetched_while_the_verifier_is_made(self, world: Callable[..., World]) -> None:
        """Its import takes as long as all the rest."""
        here = world()
        asked = Rendezvous(here.client, "nobody")

        def made() -> Verifier:
            assert asked.happened.wait(20)
            return here.verifier

        decided = decide(asked, made, policies(policy(), host=here.host), f"{here.host}/acme/web:v1", making=True)

        assert [one.decision.word for one in decided.values()] == ["verified"]

    def test_evidence_is_fetched_while_the_tag_of_another_image_is_asked_for(self, world: Callable[..., World]) -> None:
        """A slow answer holds up its own image only."""
        here = world()
        asked = Rendezvous(here.client, "/api")
        names = [f"{here.host}/acme/{name}:v1" for name in ("api", "web")]

        decided = decide(asked, here.verifier, policies(policy(), host=here.host), *names)

        assert [one.decision.word or one.decision.outcome for one in decided.values()] == ["denied", "verified"]

    def test_references_to_one_digest_wait_for_each_other(self, world: Callable[..., World]) -> None:
        """What hangs on it is looked at once, for all of them."""
        here = world()
        digest = here.registry.contents.tags["acme/web", "v1"]
        names = [f"{here.host}/acme/web{which}" for which in (":v1", f"@{digest}", f":v1@{digest}")]

        decided = decide(here.client, here.verifier, policies(policy(), host=here.host), *names)

        assert {one.decision.word for one in decided.values()} == {"verified"}
        assert len([r for r in here.registry.requests if r.path.endswith(digest.replace(":", "-"))]) == 1

    def test_what_the_last_place_holds_counts(self, world: Callable[..., World]) -> None:
        """A place that could not be asked is forgotten once another one has proved all."""
        here = world({"image": "acme/web:v1", "attach": [{**SIGNED, "form": "sig"}, {**BUILT, "form": "att"}]})
        digest = here.registry.contents.tags["acme/web", "v1"]
        here.registry.answers[f"/v2/acme/web/referrers/{digest}"] = refusal(403, "DENIED", "no")

        assert here.one("acme/web:v1", rules=policy(BOTH)).decision.word == "verified"

    def test_a_verifier_that_cannot_be_made_ends_the_run(self, world: Callable[..., World]) -> None:
        """Though no evidence came to be verified by it: a broken trusted root is nobody's denial."""
        here = world(API)

        def made() -> Verifier:
            raise OperatorError("the trusted root is malformed")

        with pytest.raises(OperatorError, match="malformed"):
            decide(here.client, made, policies(policy(), host=here.host), f"{here.host}/acme/api:v1", making=True)


def test_a_forks_provenance_names_both_signers(world: Callable[..., World]) -> None:
    """The denial says who was expected, who signed, and what to do."""
    here = world({"image": "acme/web:v1", "attach": [{**BUILT, "identity": FORK}]})

    decided = here.one("acme/web:v1")

    finding = decided.decision.findings[0]
    assert finding.code == "wrong-signer"
    assert "acme/shop" in finding.expected
    assert "mallory/shop" in finding.found
    assert finding.fix
