"""What is kept of a proof, and for whom."""

from dataclasses import replace

import pytest

from argocd_provenance.demo.sigstore import encode
from argocd_provenance.evidence import proofs as module
from argocd_provenance.evidence.artifact import Artifact
from argocd_provenance.evidence.candidate import parse_bundle
from argocd_provenance.evidence.parts import Candidate
from argocd_provenance.evidence.proofs import Proofs, Proved
from argocd_provenance.evidence.trust import TrustDomain
from argocd_provenance.evidence.values import DomainAnchor, Evidence, KeyAnchor, Rejected
from argocd_provenance.evidence.verify import Verifier
from support.memories import Keeper
from support.signing import BARE, DOMAIN, IMAGE, OTHER, SIGSTORE, bundle_candidate, code, layer_candidate, provenance

ANCHOR = DomainAnchor("test")
NAMED = {"test": DOMAIN, "bare": BARE}


def made() -> Candidate:
    found = bundle_candidate(SIGSTORE.bundle(SIGSTORE.issue(), provenance()))
    assert isinstance(found, Candidate)
    return found


class TestProofs:
    def test_a_remembered_proof_makes_the_same_evidence_without_sigstore(self) -> None:
        """Every field, though no trusted root is read and no certificate checked."""
        keeper, candidate, artifact = Keeper(), made(), Artifact((IMAGE,))
        with keeper.memory() as memory:
            first = Verifier(NAMED, Proofs(memory)).verify(candidate, ANCHOR, artifact)
        with keeper.memory() as memory:
            second = Verifier(NAMED, Proofs(memory))
            again = second.verify(candidate, ANCHOR, artifact)

        assert isinstance(first, Evidence)
        assert again == first
        assert second._instances == {}

    def test_what_was_signed_is_read_afresh(self) -> None:
        """A proof about a candidate says nothing about another image."""
        keeper, candidate = Keeper(), made()
        with keeper.memory() as memory:
            Verifier(NAMED, Proofs(memory)).verify(candidate, ANCHOR, Artifact((IMAGE,)))
        with keeper.memory() as memory:
            other = Verifier(NAMED, Proofs(memory)).verify(candidate, ANCHOR, Artifact((OTHER,)))

        assert code(other) == "other-subject"

    def test_what_was_refused_is_refused_in_the_same_words(self) -> None:
        """Whom the bundle claims to be by is said again too."""
        keeper, candidate = Keeper(), made()
        with keeper.memory() as memory:
            first = Verifier(NAMED, Proofs(memory)).verify(candidate, DomainAnchor("bare"), Artifact((IMAGE,)))
        with keeper.memory() as memory:
            again = Verifier(NAMED, Proofs(memory)).verify(candidate, DomainAnchor("bare"), Artifact((IMAGE,)))

        assert isinstance(first, Rejected)
        assert first.claimed_identity
        assert again == first

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"content": b"{}"}, id="content"),
            pytest.param({"signature": b"another"}, id="signature"),
            pytest.param({"certificate": None}, id="certificate"),
            pytest.param({"entry": None}, id="log entry"),
            pytest.param({"timestamps": (b"t",)}, id="timestamp"),
            pytest.param({"key_hint": "x"}, id="key hint"),
            pytest.param({"form": "cosign-att"}, id="form"),
        ],
    )
    def test_a_proof_is_about_the_candidate_with_all_its_parts(self, change: dict[str, object]) -> None:
        """Another part anywhere, and nothing is known."""
        candidate = made()

        assert _known(candidate, replace(candidate, **change)) is None  # type: ignore[arg-type]

    def test_where_it_was_found_is_no_part_of_a_proof(self) -> None:
        """The same bundle under another name is proved."""
        candidate = made()

        assert _known(candidate, replace(candidate, source="elsewhere")) is not None

    def test_a_proof_is_for_one_root_and_what_was_required_of_it(self) -> None:
        """The name of the domain may change; its root, and its demands, may not."""
        candidate = made()
        renamed = TrustDomain("other", DOMAIN.root, DOMAIN.requires)
        laxer = TrustDomain("test", DOMAIN.root, frozenset({"log"}))
        foreign = TrustDomain("test", DOMAIN.root + b" ", DOMAIN.requires)

        assert _known(candidate, candidate, domain=renamed) is not None
        assert _known(candidate, candidate, domain=laxer) is None
        assert _known(candidate, candidate, domain=foreign) is None

    def test_a_proof_is_for_one_key(self) -> None:
        """What a key proves, another key does not; nor does a certificate."""
        candidate = made()
        keeper, proved = Keeper(), Proved(None, logged=False, times=())
        key = KeyAnchor(b"a key", log=False)
        with keeper.memory() as memory:
            Proofs(memory).keep(candidate, key, None, proved)
        with keeper.memory() as memory:
            assert Proofs(memory).recall(candidate, key, None) == proved
            assert Proofs(memory).recall(candidate, KeyAnchor(b"another", log=False), None) is None
            assert Proofs(memory).recall(candidate, ANCHOR, DOMAIN) is None
            for stricter in (replace(key, stamped=True), replace(key, log=True), replace(key, hash="sha512")):
                assert Proofs(memory).recall(candidate, stricter, None) is None

    def test_another_version_of_the_verifier_knows_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What an older version let pass is checked again by the version that mended it."""
        candidate = made()
        assert _known(candidate, candidate) is not None
        keeper = _keeping(candidate)
        monkeypatch.setattr(module, "__version__", "999")
        with keeper.memory() as memory:
            assert Proofs(memory).recall(candidate, ANCHOR, DOMAIN) is None
            assert not Proofs(memory).knows_root(DOMAIN.root, DOMAIN.requires)

    def test_signatures_over_files_are_not_remembered(self) -> None:
        """They are about the file at hand, which is no part of the candidate."""
        digest = {"algorithm": "SHA2_256", "digest": "AAAA"}
        bundle = SIGSTORE.bundle(SIGSTORE.issue(), provenance())
        del bundle["dsseEnvelope"]
        found = parse_bundle(
            encode({**bundle, "messageSignature": {"messageDigest": digest, "signature": "AAAA"}}), "x"
        )
        assert isinstance(found, Candidate)

        assert _known(found, found) is None

    def test_a_layer_is_its_annotations_too(self) -> None:
        """Cosign's layers keep signature and certificate beside the bytes."""
        one, other = (layer_candidate(SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue())) for _ in range(2))
        assert isinstance(one, Candidate)
        assert isinstance(other, Candidate)

        assert _known(one, replace(other, content=one.content, payload=one.payload)) is None


def _keeping(candidate: Candidate) -> Keeper:
    keeper = Keeper()
    with keeper.memory() as memory:
        Proofs(memory).keep(candidate, ANCHOR, DOMAIN, Proved(None, logged=False, times=()))
        Proofs(memory).keep_root(DOMAIN.root, DOMAIN.requires)
    return keeper


def _known(kept: Candidate, asked: Candidate, domain: TrustDomain = DOMAIN) -> object:
    """What is known of `asked` after `kept` was proved to who trusts DOMAIN."""
    with _keeping(kept).memory() as memory:
        return Proofs(memory).recall(asked, ANCHOR, domain)
