"""Runs that remember earlier ones: what they still ask, what they notice, and that no lie in a cache makes a "verified"."""

import itertools
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance import pipeline
from argocd_provenance.cache.disk import FILE
from argocd_provenance.cache.moments import Moment
from argocd_provenance.cache.seal import Seal
from argocd_provenance.cli.recollection import Recollection
from argocd_provenance.demo.registry import refusal
from argocd_provenance.demo.sigstore import VirtualSigstore, encode
from argocd_provenance.evidence.artifact import Artifact
from argocd_provenance.evidence.parts import Candidate
from argocd_provenance.evidence.proofs import Proofs
from argocd_provenance.evidence.trust import trust_domain
from argocd_provenance.evidence.values import Anchor, DomainAnchor, Evidence, Rejected
from argocd_provenance.evidence.verify import Verifier
from argocd_provenance.oci.remembered import Remembered
from support.memories import Keeper
from support.registries import client
from support.scenario import NOW, Scenario
from support.shop import (
    API,
    BUILT,
    FORK,
    PROVENANCE,
    SIGNATURE,
    SIGNED,
    WEB,
    attach,
    decide,
    pod,
    policies,
    policy,
    shop,
)

BOTH = f"{SIGNATURE}\n{PROVENANCE}"
SIG = {"what": "signature", "form": "sig"}


class Odd(Verifier):
    """A verifier that has a bad moment whenever it is asked about the domain `other`."""

    def verify(self, candidate: Candidate, anchor: Anchor, artifact: Artifact) -> Evidence | Rejected:
        """As ever, but for that."""
        if anchor == DomainAnchor("other"):
            return Rejected("malformed", "MemoryError: ", lasting=False)
        return super().verify(candidate, anchor, artifact)


class World:
    """A registry, and runs that share a keeper."""

    def __init__(self, scenario: Scenario, keeper: Keeper, *, recollects: bool = True) -> None:
        self.scenario, self.keeper, self.registry = scenario, keeper, scenario.registry
        self.recollects = recollects
        self.domain = trust_domain("test", encode(scenario.sigstore.trusted_root()))
        self.relied = False
        self.verifier = Verifier

    def run(self, *references: str, rules: str = "", tags: float = 30.0) -> dict[str, str]:
        """What one run says of `references` (named without host): the word, or the outcome, and the digest it pins."""
        self.registry.requests.clear()
        with self.keeper.memory() as memory, ExitStack() as stack:
            remembered = Remembered(memory, tags)
            asked = stack.enter_context(client(self.registry.host, remembered=remembered))
            other = trust_domain("other", self.domain.root)
            verifier = self.verifier({"test": self.domain, "other": other}, Proofs(memory))
            ruled = policies(rules or policy(), host=self.registry.host)
            recollection = Recollection(asked, lambda: verifier) if self.recollects else None
            names = [f"{self.registry.host}/{one}" for one in references]
            decided = decide(asked, verifier, ruled, *names, recollection=recollection)
            self.relied = remembered.relied
        return {
            written.removeprefix(f"{self.registry.host}/"): one.decision.word or str(one.decision.outcome)
            for written, one in decided.items()
        }

    @property
    def asked(self) -> list[str]:
        """The requests of the last run."""
        return [f"{one.method} {one.path}" for one in self.registry.requests]


@pytest.fixture(params=[True, False], ids=["places remembered", "pieces remembered"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., World]]:
    """Makes worlds of these images."""
    with ExitStack() as stack:

        def make(*images: dict[str, Any], keeper: Keeper | None = None) -> World:
            scenario = stack.enter_context(shop(tmp_path, images=images or (WEB, API)))
            return World(scenario, keeper or Keeper(), recollects=request.param)

        yield make


class TestWarm:
    def test_a_run_with_everything_cached_asks_nothing(self, world: Callable[..., World]) -> None:
        """Signature, provenance and tag were learned a moment ago."""
        here = world({"image": "acme/web:v1", "attach": [SIG, BUILT]})
        assert here.run("acme/web:v1", rules=policy(BOTH)) == {"acme/web:v1": "verified"}

        assert here.run("acme/web:v1", rules=policy(BOTH)) == {"acme/web:v1": "verified"}
        assert here.asked == []

    @pytest.mark.parametrize("api", [True, False], ids=["referrers API", "fallback tag"])
    def test_after_the_ttl_only_what_may_have_changed_is_asked_for(
        self, world: Callable[..., World], *, api: bool
    ) -> None:
        """The tag by a HEAD, and the list; no manifest and no blob is fetched again."""
        here = world()
        here.registry.referrers = api
        pushed = here.registry.push_image("acme/new", "v1", [b"new"])
        attach(here.scenario, pushed, "acme/new")
        here.run("acme/new:v1")
        here.keeper.later(31)

        assert here.run("acme/new:v1") == {"acme/new:v1": "verified"}
        tag = pushed["digest"].replace(":", "-")
        listed = f"GET /v2/acme/new/referrers/{pushed['digest']}"
        changed = [listed] if api else [listed, f"HEAD /v2/acme/new/manifests/{tag}"]
        assert here.asked == ["HEAD /v2/acme/new/manifests/v1", *changed]
        here.keeper.later(29)
        here.run("acme/new:v1")
        assert here.asked == []

    def test_a_registry_that_names_no_digest_in_its_head_is_asked_in_full(self, world: Callable[..., World]) -> None:
        """Without ``Docker-Content-Digest`` nothing is confirmed."""
        here = world()
        here.run("acme/web:v1")
        here.keeper.later(31)
        here.registry.answers["/v2/acme/web/manifests/v1"] = [refusal(405, "UNSUPPORTED", "no HEAD here")]

        assert here.run("acme/web:v1") == {"acme/web:v1": "verified"}
        assert [line for line in here.asked if line.endswith("/v1")] == [
            "HEAD /v2/acme/web/manifests/v1",
            "GET /v2/acme/web/manifests/v1",
        ]


class TestRemembered:
    """What earlier runs know is decided before anybody is asked, and without threads."""

    def test_what_is_remembered_is_decided_by_nobody_but_us(
        self, world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A run that may not start a thread decides all of it, and its neighbour that is new all the same."""
        here = world(WEB, API)
        here.recollects = True
        truth = here.run("acme/web:v1")
        with monkeypatch.context() as patched:
            patched.delattr(pipeline, "ThreadPoolExecutor")
            assert here.run("acme/web:v1") == truth

        assert here.run("acme/web:v1", "acme/api:v1") == truth | {"acme/api:v1": "denied"}

    def test_a_list_that_changed_leads_to_nothing_remembered(self, world: Callable[..., World]) -> None:
        """The tag stands, and a fork's provenance is the only one left under it."""
        here = world()
        digest = here.registry.contents.tags["acme/web", "v1"]
        here.run("acme/web:v1")
        here.registry.contents.tags.pop(("acme/web", digest.replace(":", "-")))
        media_type, content = here.registry.contents.manifests["acme/web", digest]
        image = {"mediaType": media_type, "digest": digest, "size": len(content)}
        attach(here.scenario, image, "acme/web", identity=FORK)
        here.keeper.later(31)

        assert here.run("acme/web:v1") == {"acme/web:v1": "denied"}
        assert here.run("acme/web:v1") == {"acme/web:v1": "denied"}

    def test_what_could_not_be_fetched_is_not_remembered_as_not_there(self, world: Callable[..., World]) -> None:
        """A blob that the registry would not give is asked for again, with nothing else changed."""
        here = world()
        blobs = [f"/v2/{repository}/blobs/{digest}" for repository, digest in here.registry.contents.blobs]
        here.registry.answers.update({path: refusal(500, "NO", "no") for path in blobs})
        assert here.run("acme/web:v1") == {"acme/web:v1": "error"}
        here.registry.answers.clear()

        assert here.run("acme/web:v1") == {"acme/web:v1": "verified"}

    def test_what_went_wrong_once_is_not_remembered(self, world: Callable[..., World]) -> None:
        """Not even where another trust anchor proved the same bundle meanwhile."""
        here = world()
        both = f"{PROVENANCE}\n{PROVENANCE.replace('domain: test', 'domain: other')}"
        here.verifier = Odd
        assert here.run("acme/web:v1", rules=policy(both)) == {"acme/web:v1": "denied"}
        here.verifier = Verifier

        assert here.run("acme/web:v1", rules=policy(both)) == {"acme/web:v1": "verified"}

    def test_platforms_are_asked_for_as_ever(self, world: Callable[..., World]) -> None:
        """Where a policy wants them verified too, the manifests are read again."""
        here = world()
        rules = policy(PROVENANCE, platforms="all")
        truth = here.run("acme/web:v1", rules=rules)

        assert here.run("acme/web:v1", rules=rules) == truth
        assert here.asked == []


class TestNoticing:
    def test_a_moved_tag_is_noticed_within_the_ttl(self, world: Callable[..., World]) -> None:
        """Before it the digest that was verified, after it the one that is there now."""
        here = world()
        assert here.run("acme/web:v1") == {"acme/web:v1": "verified"}
        here.registry.push_image("acme/web", "v1", [b"another"])
        assert here.run("acme/web:v1") == {"acme/web:v1": "verified"}

        here.keeper.later(31)

        assert here.run("acme/web:v1") == {"acme/web:v1": "denied"}

    def test_an_image_signed_after_a_refusal_is_seen(self, world: Callable[..., World]) -> None:
        """Absence is believed for seconds."""
        here = world()
        assert here.run("acme/api:v1") == {"acme/api:v1": "denied"}
        digest = here.registry.contents.tags["acme/api", "v1"]
        media_type, content = here.registry.contents.manifests["acme/api", digest]
        attach(here.scenario, {"mediaType": media_type, "digest": digest, "size": len(content)}, "acme/api")
        here.keeper.later(5)

        assert here.run("acme/api:v1") == {"acme/api:v1": "verified"}

    def test_evidence_that_was_taken_away_is_missed_after_the_ttl(self, world: Callable[..., World]) -> None:
        """What the registry no longer lists is no longer used."""
        here = world()
        here.run("acme/web:v1")
        here.registry.contents.tags.pop(("acme/web", here.registry.contents.tags["acme/web", "v1"].replace(":", "-")))
        here.keeper.later(31)

        assert here.run("acme/web:v1") == {"acme/web:v1": "denied"}

    def test_failures_are_not_remembered(self, world: Callable[..., World]) -> None:
        """A registry that fails, throttles or refuses is asked again at once."""
        here = world()
        for status in (500, 429, 403, 404):
            here.registry.answers["/v2/acme/web/manifests/v1"] = refusal(status, "NO", "no")
            assert here.run("acme/web:v1") == {"acme/web:v1": "error"}
        here.registry.answers.clear()

        assert here.run("acme/web:v1") == {"acme/web:v1": "verified"}

    def test_evidence_is_not_reused_for_another_repository(self, world: Callable[..., World]) -> None:
        """The same digest elsewhere, where nobody signed it."""
        here = world()
        here.registry.push_image("acme/copy", "v1", [b"acme/web:v1"])
        assert here.registry.contents.tags["acme/copy", "v1"] == here.registry.contents.tags["acme/web", "v1"]
        here.run("acme/web:v1")

        assert here.run("acme/web:v1", "acme/copy:v1") == {"acme/web:v1": "verified", "acme/copy:v1": "denied"}

    def test_another_trusted_root_knows_nothing_of_old_proofs(self, world: Callable[..., World]) -> None:
        """What one Sigstore proved is nothing to who trusts another."""
        here = world()
        here.run("acme/web:v1")
        other = VirtualSigstore(NOW).trusted_root()["certificateAuthorities"]
        root = {**here.scenario.sigstore.trusted_root(), "certificateAuthorities": other}
        here.domain = trust_domain("test", encode(root))

        assert here.run("acme/web:v1") == {"acme/web:v1": "denied"}


TRUTH = {"acme/web:v1": "verified", "acme/api:v1": "denied", "acme/fork:v1": "denied", "acme/copy:v1": "denied"}


class TestLies:
    """Who writes the cache, and cannot read the key."""

    @pytest.fixture
    def here(self, world: Callable[..., World]) -> World:
        """A registry with a good image, an unsigned one, a fork's and a copy, after a run that learned all of it."""
        fork = {"image": "acme/fork:v1", "attach": [{**BUILT, "identity": FORK}]}
        here = world(WEB, API, fork)
        here.registry.push_image("acme/copy", "v1", [b"acme/web:v1"])
        assert here.run(*TRUTH) == TRUTH
        return here

    def test_no_entry_put_in_the_place_of_another_changes_a_decision(self, here: World) -> None:
        """Every entry in every other's place: tags for tags, proofs for proofs, another repository's evidence."""
        true = dict(here.keeper.dictionary.entries)
        names = list(true)
        for shift in range(1, len(names)):
            here.keeper.dictionary.entries = dict(
                zip(names, [true[n] for n in names[shift:] + names[:shift]], strict=True)
            )
            assert here.run(*TRUTH) == TRUTH

    def test_one_entry_everywhere_changes_no_decision(self, here: World) -> None:
        """Above all the proof of the good image, for all the others."""
        true = dict(here.keeper.dictionary.entries)
        for lie in true.values():
            here.keeper.dictionary.entries = dict.fromkeys(true, lie)
            assert here.run(*TRUTH) == TRUTH

    @pytest.mark.parametrize(
        "lie",
        [
            pytest.param(lambda _entry: b"", id="empty"),
            pytest.param(lambda entry: entry[:-1], id="cut short"),
            pytest.param(lambda entry: entry + b" ", id="longer"),
            pytest.param(lambda entry: entry[:33] + b"\xff" * 32 + entry[65:], id="another time"),
            pytest.param(lambda entry: b"\x00" * 33 + entry[33:], id="no seal"),
            pytest.param(lambda entry: b"\x02" + entry[1:], id="another version"),
            pytest.param(lambda entry: entry.replace(b"denied", b"verified"), id="another word"),
            pytest.param(lambda _entry: b"\x00" * 5_000_000, id="huge"),
        ],
    )
    def test_no_changed_entry_changes_a_decision(self, here: World, lie: Callable[[bytes], bytes]) -> None:
        """Spoiled entries are as good as absent."""
        here.keeper.dictionary.entries = {n: lie(entry) for n, entry in here.keeper.dictionary.entries.items()}

        assert here.run(*TRUTH) == TRUTH

    def test_entries_sealed_with_another_key_are_nothing(self, here: World) -> None:
        """The liar's own run proves the fork good by the liar's own policy; ours reads none of it."""
        liar = World(here.scenario, Keeper(secret=b"L" * 32), recollects=here.recollects)
        liar.run(*TRUTH, rules=policy("", mode="pin"))
        names = list(here.keeper.dictionary.entries)
        lies = itertools.cycle(liar.keeper.dictionary.entries.values())
        here.keeper.dictionary.entries = dict(zip(names, lies, strict=False)) | liar.keeper.dictionary.entries

        assert here.run(*TRUTH) == TRUTH

    def test_a_tag_cannot_be_rolled_back(self, here: World) -> None:
        """The entry of yesterday says what it says about yesterday."""
        yesterday = dict(here.keeper.dictionary.entries)
        here.keeper.later(86400)
        here.registry.push_image("acme/web", "v1", [b"another"])
        assert here.run("acme/web:v1") == {"acme/web:v1": "denied"}
        here.keeper.dictionary.entries = yesterday

        assert here.run("acme/web:v1") == {"acme/web:v1": "denied"}
        # And by who sets the wall clock back, to a second after it was true.
        here.keeper.now = Moment(here.keeper.now.wall - 86399, here.keeper.now.since_boot, here.keeper.now.boot)
        here.keeper.dictionary.entries = yesterday
        assert here.run("acme/web:v1") == {"acme/web:v1": "denied"}

    def test_a_tag_of_the_future_is_asked_for(self, here: World) -> None:
        """An entry that claims to be younger than now is none."""
        here.keeper.later(-10)
        here.registry.push_image("acme/web", "v1", [b"another"])

        assert here.run("acme/web:v1") == {"acme/web:v1": "denied"}

    def test_content_that_is_sealed_must_have_its_digest_all_the_same(self, here: World) -> None:
        """Even who has the key cannot make other bytes stand under a digest."""
        kept = here.keeper.dictionary.entries
        digest = here.registry.contents.tags["acme/web", "v1"]
        question = ("content", here.registry.host, "acme/web", digest)
        name = here.keeper.seal.name(question)
        assert name in kept
        kept[name] = here.keeper.seal.close(question, here.keeper.now, b'{"schemaVersion": 2}')

        assert here.run("acme/web:v1") == {"acme/web:v1": "verified"}


CACHE = "cache: {path: cache, keyFile: key}\n"


class TestWholeCommand:
    """`generate` with a cache on disk."""

    def test_a_cached_run_prints_the_same_bytes_and_asks_nothing(self, tmp_path: Path) -> None:
        """Manifests, report and exit code."""
        with shop(
            tmp_path,
            images=[{"image": "acme/web:v1", "attach": [SIG, BUILT]}],
            rules=policy(BOTH),
            source={"web.yaml": pod("acme/web:v1")},
            config=CACHE,
        ) as scenario:
            first = scenario.generate()
            scenario.registry.requests.clear()
            assert scenario.generate() == first
            assert scenario.registry.requests == []

        assert first[0] == 0
        assert "verified" in first[1]

    def test_a_refusal_is_never_pronounced_from_memory(self, tmp_path: Path) -> None:
        """Who signs right after a refusal deploys at once, and a refusal says the same twice."""
        with shop(tmp_path, images=[API], source={"api.yaml": pod("acme/api:v1")}, config=CACHE) as scenario:
            refused = scenario.generate()
            assert scenario.generate() == refused
            assert refused[0] == 4
            digest = scenario.registry.contents.tags["acme/api", "v1"]
            media_type, content = scenario.registry.contents.manifests["acme/api", digest]
            attach(scenario, {"mediaType": media_type, "digest": digest, "size": len(content)}, "acme/api")

            assert scenario.generate()[0] == 0

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            pytest.param("cache: {path: policy.yaml, keyFile: key}\n", "policy.yaml", id="no folder"),
            pytest.param("cache: {path: cache, keyFile: policy.yaml/key}\n", "its key", id="no key can be made"),
            pytest.param(
                "cache: {path: cache, keyFile: key, redis: {url: 'redis://127.0.0.1:1'}}\n",
                "cache.redis",
                id="no Redis",
            ),
        ],
    )
    def test_a_cache_that_cannot_be_used_is_a_note(self, tmp_path: Path, settings: str, said: str) -> None:
        """The verdict is the same, and the report says what is wrong."""
        with shop(tmp_path, images=[WEB], source={"web.yaml": pod("acme/web:v1")}, config=settings) as scenario:
            code, manifests, report = scenario.generate()

        assert code == 0
        assert "verified" in manifests
        assert "note: the cache cannot be used as configured" in report
        assert said in report

    @pytest.mark.parametrize("key", ["cache/key", "./cache/inner/../key"])
    def test_a_key_in_the_cache_is_refused(self, tmp_path: Path, key: str) -> None:
        """Who can write the cache could read it, and seal what they like."""
        with shop(
            tmp_path,
            images=[WEB],
            source={"web.yaml": pod("acme/web:v1")},
            config=f"cache: {{path: cache, keyFile: {key}}}\n",
        ) as scenario:
            code, manifests, report = scenario.generate()

        assert (code, manifests) == (2, "")
        assert "keyFile" in report

    def test_a_key_that_a_link_puts_into_the_cache_is_refused(self, tmp_path: Path) -> None:
        """Links are followed before it is believed to be elsewhere."""
        with shop(tmp_path, images=[WEB], source={"web.yaml": pod("acme/web:v1")}, config=CACHE) as scenario:
            (scenario.folder / "cache").mkdir()
            (scenario.folder / "key").symlink_to(scenario.folder / "cache" / "key")
            code, _, report = scenario.generate()

        assert code == 2
        assert "lies in the cache" in report

    def test_lies_on_disk_change_no_decision(self, tmp_path: Path) -> None:
        """Entries moved, spoiled or made up by somebody who can write the file."""
        images = [WEB, API, {"image": "acme/fork:v1", "attach": [{**SIGNED, "identity": FORK}]}]
        source = {f"{n}.yaml": pod(f"acme/{n}:v1", name=n) for n in ("web", "api", "fork")}
        with shop(tmp_path, images=images, source=source, config=CACHE) as scenario:
            truth = scenario.generate()
            for lie in (_rotated, _spoiled, _made_up):
                connection = sqlite3.connect(scenario.folder / "cache" / FILE)
                rows = connection.execute("SELECT name, content FROM entry ORDER BY name").fetchall()
                connection.executemany("UPDATE entry SET content = ? WHERE name = ?", lie(rows))
                connection.commit()
                connection.close()
                assert rows
                assert scenario.generate() == truth

        assert truth[0] == 4


def _rotated(rows: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(content, name) for (name, _), (_, content) in zip(rows, [*rows[1:], rows[0]], strict=True)]


def _spoiled(rows: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(content[:40] + b"\x00" + content[41:], name) for name, content in rows]


def _made_up(rows: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    forger = Seal(b"f" * 32)
    return [(forger.close(("content",), Keeper().now, b'{"verdict": "verified"}'), name) for name, _ in rows]
