"""Every form that registries hold verifies, and says the same about the image."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from argocd_provenance.demo.sigstore import GITHUB, Layer, Signer, statement
from argocd_provenance.demo.sigstore.wire import b64
from argocd_provenance.evidence.parts import Candidate
from argocd_provenance.evidence.values import PROVENANCE_V02, DomainAnchor, Rejected
from argocd_provenance.evidence.verify import Artifact
from argocd_provenance.oci.reference import Digest
from support.signing import (
    BARE_FORMS,
    FORMS,
    IMAGE,
    OTHER,
    SIGSTORE,
    SLSA,
    WORKFLOW,
    Maker,
    bundle_candidate,
    by_key,
    code,
    entry_note,
    evidence,
    layer_candidate,
    provenance,
    signature,
    verify,
)


def parameters(forms: Mapping[str, Maker]) -> list[object]:
    """The makers of `forms`, by name."""
    return [pytest.param(make, id=name) for name, make in forms.items()]


KEYS = {
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "RSA": rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}


class TestKeyless:
    @pytest.mark.parametrize("make", parameters(FORMS))
    def test_a_form_with_a_log_entry_verifies(self, make: Maker) -> None:
        """Signer, image and time are proved, whichever form carries them."""
        found = evidence(verify(make(SIGSTORE.issue(), IMAGE)))

        assert found.subject == IMAGE
        assert found.certificate is not None
        assert (found.certificate.identity, found.certificate.issuer) == (WORKFLOW, GITHUB)
        assert found.times
        assert set(found.times) == {SIGSTORE.signed}
        assert found.logged

    @pytest.mark.parametrize("make", parameters(BARE_FORMS))
    def test_a_form_without_a_log_verifies_where_the_domain_has_none(self, make: Maker) -> None:
        """GitHub's internal instance proves the time by a timestamp, and has neither log nor SCT."""
        found = evidence(verify(make(SIGSTORE.issue(sct=False), IMAGE), DomainAnchor("bare")))

        assert (found.logged, found.log_index, found.times) == (False, None, (SIGSTORE.signed,))

    @pytest.mark.parametrize("make", parameters(FORMS))
    def test_evidence_is_about_the_image_it_names(self, make: Maker) -> None:
        """N11: a perfect signature of another image is a rejection that says who signed it."""
        found = verify(make(SIGSTORE.issue(), OTHER))

        assert code(found) == "other-subject"
        assert isinstance(found, Rejected)
        assert found.claimed_identity == WORKFLOW

    @pytest.mark.parametrize("key", [pytest.param(key, id=name) for name, key in KEYS.items()])
    def test_certificates_for_every_kind_of_key(self, key: ec.EllipticCurvePrivateKey) -> None:
        """Envelopes verify by leaves with any accepted key, which sigstore itself does for P-256 only."""
        found = verify(bundle_candidate(SIGSTORE.bundle(SIGSTORE.issue(key=key), provenance())))

        assert evidence(found).kind == "provenance"

    def test_rekor_v2_with_a_larger_curve(self) -> None:
        """The digest in the entry is that of the key's own hash."""
        signer = SIGSTORE.issue(key=ec.generate_private_key(ec.SECP384R1()))

        found = verify(bundle_candidate(SIGSTORE.bundle(signer, provenance(), log="v2", timestamp=True)))

        assert evidence(found).logged


class TestByKey:
    @pytest.mark.parametrize("key", [pytest.param(key, id=name) for name, key in KEYS.items()])
    @pytest.mark.parametrize("log", [True, False])
    def test_bundles_by_every_kind_of_key(self, key: ec.EllipticCurvePrivateKey, log: bool) -> None:  # noqa: FBT001
        """Keys of all accepted kinds verify, with a log entry or without."""
        signer = Signer.by_key(key)
        candidate = bundle_candidate(SIGSTORE.bundle(signer, provenance(), log="v1" if log else None))

        found = evidence(verify(candidate, by_key(signer, log=log)))

        assert (found.certificate, found.logged) == (None, log)

    @pytest.mark.parametrize("algorithm", ["sha256", "sha384"])
    def test_a_larger_curve_may_sign_with_sha256(self, algorithm: str) -> None:
        """Keys of cosign sign with the curve's hash; other signers with SHA-256; sigstore-go accepts both."""
        signer = Signer.by_key(ec.generate_private_key(ec.SECP384R1()))
        layer = SIGSTORE.sign_layer(IMAGE.text, signer, algorithm=algorithm)

        assert evidence(verify(layer_candidate(layer), by_key(signer))).kind == "signature"

    @pytest.mark.parametrize("kind", ["dsse/0.0.1", "intoto/0.0.1", "intoto/0.0.2"])
    def test_attestation_layers(self, kind: str) -> None:
        """Keys and the older kinds of log entries go together."""
        signer = Signer.by_key()
        layer = SIGSTORE.attest_layer(provenance(), signer, kind=kind)

        assert evidence(verify(layer_candidate(layer), by_key(signer))).form == "cosign-att"

    def test_rekor_v2_by_key(self) -> None:
        """A key lives on, so that an entry without a proved time is enough for it."""
        signer = Signer.by_key()

        found = evidence(verify(bundle_candidate(SIGSTORE.bundle(signer, provenance(), log="v2")), by_key(signer)))

        assert (found.logged, found.times) == (True, ())


class TestWhatIsSaid:
    def test_a_simple_signing_payload(self) -> None:
        """Signed notes and the docker reference come from the payload; numbers among the notes stay in the payload."""
        layer = SIGSTORE.sign_layer(
            IMAGE.text, SIGSTORE.issue(), reference="ghcr.io/acme/app", annotations={"env": "prod", "timestamp": 1}
        )

        found = evidence(verify(layer_candidate(layer)))

        assert (found.kind, found.predicate_type, found.names) == ("signature", None, ("ghcr.io/acme/app",))
        assert found.annotations == {"env": "prod"}
        assert found.statement["optional"] == {"env": "prod", "timestamp": 1}

    def test_a_cosign_3_signature(self) -> None:
        """Neither a subject's name nor (before 3.0.5) a predicate stands in what cosign 3 signs."""
        payload = signature(annotations={"env": "prod"}).replace(b',"predicate":{}', b"")

        found = evidence(verify(bundle_candidate(SIGSTORE.bundle(SIGSTORE.issue(), payload))))

        assert (found.kind, found.names, found.annotations) == ("signature", (), {"env": "prod"})
        assert found.predicate == {}

    @pytest.mark.parametrize(
        ("predicate_type", "kind"),
        [
            ("https://sigstore.dev/cosign/sign/v1", "signature"),
            (SLSA, "provenance"),
            (PROVENANCE_V02, "provenance"),
            ("https://slsa.dev/provenance/v0.1", "provenance"),
            ("https://slsa.dev/provenance/v0.3", "attestation"),
            ("https://slsa.dev/provenance/v1/", "attestation"),
            ("https://spdx.dev/Document/v2.3", "attestation"),
            ("https://cosign.sigstore.dev/attestation/vuln/v1", "attestation"),
        ],
    )
    def test_kinds_are_not_interchangeable(self, predicate_type: str, kind: str) -> None:
        """N10: the kind follows from the signed predicate type; annotations around it say nothing."""
        layer = SIGSTORE.attest_layer(statement(IMAGE.text, predicate_type), SIGSTORE.issue(), predicate_type=SLSA)

        found = evidence(verify(layer_candidate(layer)))

        assert (found.kind, found.predicate_type) == (kind, predicate_type)

    def test_indices_are_those_that_are_proved(self) -> None:
        """U9: under a promise the entry's own index counts, with a proof alone only the one in the tree."""
        promised = SIGSTORE.bundle(SIGSTORE.issue(), provenance())
        proved = SIGSTORE.bundle(SIGSTORE.issue(), provenance(), log="v2", timestamp=True)
        entry = proved["verificationMaterial"]["tlogEntries"][0]
        index = int(entry["inclusionProof"]["logIndex"])
        entry["logIndex"] = "4711"

        by_promise = evidence(verify(bundle_candidate(promised)))
        by_proof = evidence(verify(bundle_candidate(proved)))

        assert by_promise.log_index == int(promised["verificationMaterial"]["tlogEntries"][0]["logIndex"])
        assert (by_proof.log_index, by_proof.log_url) == (index, None)

    def test_no_page_is_named_for_a_private_log(self) -> None:
        """The search page of sigstore.dev knows nothing of other logs."""
        assert evidence(verify(bundle_candidate(SIGSTORE.bundle(SIGSTORE.issue(), provenance())))).log_url is None

    def test_both_times_are_kept(self) -> None:
        """Log and timestamp authority each prove a time."""
        layer = SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue(), timestamp=True)
        token = SIGSTORE.sign_layer(
            IMAGE.text, SIGSTORE.issue(), timestamp=True, at=SIGSTORE.signed + timedelta(minutes=1)
        )

        assert evidence(verify(layer_candidate(layer))).times == (SIGSTORE.signed,)
        assert evidence(verify(layer_candidate(token))).times == (SIGSTORE.signed + timedelta(minutes=1),)


class TestFiles:
    CONTENT = b"a release archive"

    @pytest.mark.parametrize(
        "artifact",
        [
            pytest.param(Artifact.file(CONTENT), id="file"),
            pytest.param(Artifact.hashed(Digest.of(CONTENT)), id="digest"),
        ],
    )
    @pytest.mark.parametrize("log", ["v1", "v2"])
    def test_a_message_signature(self, artifact: Artifact, log: str) -> None:
        """`cosign sign-blob` proves a file, by its content or its digest."""
        bundle = SIGSTORE.bundle(
            SIGSTORE.issue(), self.CONTENT, message=True, log="v2" if log == "v2" else "v1", timestamp=True
        )

        found = evidence(verify(bundle_candidate(bundle), artifact=artifact))

        assert (found.kind, found.form, found.predicate_type) == ("signature", "bundle", None)
        assert (found.subject, found.statement) == (Digest.of(self.CONTENT), {})

    def test_a_message_signature_of_another_file(self) -> None:
        """N13: a file that the bundle is not about is refused by name."""
        bundle = SIGSTORE.bundle(SIGSTORE.issue(), self.CONTENT, message=True)

        assert code(verify(bundle_candidate(bundle), artifact=Artifact.file(b"another"))) == "other-subject"

    def test_a_message_digest_that_lies(self) -> None:
        """N13: the digest that a bundle names must be the message's."""
        bundle = SIGSTORE.bundle(SIGSTORE.issue(), self.CONTENT, message=True)
        bundle["messageSignature"]["messageDigest"]["digest"] = "AAAA"

        assert code(verify(bundle_candidate(bundle), artifact=Artifact.file(self.CONTENT))) == "other-subject"

    def test_a_message_signature_says_nothing_about_an_image(self) -> None:
        """Who signs uploaded files does not sign images, though an image's manifest is a file."""
        manifest = b"image"
        bundle = SIGSTORE.bundle(SIGSTORE.issue(), manifest, message=True)

        assert code(verify(bundle_candidate(bundle), artifact=Artifact((Digest.of(manifest),)))) == "wrong-form"

    def test_a_digest_the_signature_was_not_made_with(self) -> None:
        """A signature over SHA-256 cannot be checked with SHA-512 alone."""
        bundle = SIGSTORE.bundle(SIGSTORE.issue(), self.CONTENT, message=True)
        del bundle["messageSignature"]["messageDigest"]

        found = verify(bundle_candidate(bundle), artifact=Artifact.hashed(Digest.of(self.CONTENT, "sha512")))

        assert code(found) == "verification"

    @pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
    def test_a_statement_may_name_a_file_by_any_algorithm(self, algorithm: str) -> None:
        """Subjects are matched under sha256, sha384 and sha512."""
        digest = Digest.of(self.CONTENT, algorithm)
        candidate = bundle_candidate(SIGSTORE.bundle(SIGSTORE.issue(), provenance(digest)))

        assert evidence(verify(candidate, artifact=Artifact.file(self.CONTENT))).subject == digest
        assert evidence(verify(candidate, artifact=Artifact.hashed(digest))).subject == digest

    def test_a_bundle_made_of_an_old_layer(self) -> None:
        """An intoto 0.0.1 entry binds the layer; a bundle converted from it is bound by what cosign stores."""
        bundle = converted(SIGSTORE.attest_layer(provenance(), SIGSTORE.issue(), kind="intoto/0.0.1"))
        other = converted(SIGSTORE.attest_layer(provenance(), SIGSTORE.issue(), kind="intoto/0.0.1"))

        assert evidence(verify(bundle_candidate(bundle))).form == "bundle"
        bundle["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]
        assert code(verify(bundle_candidate(bundle))) == "verification"


def converted(layer: Layer) -> dict[str, Any]:
    """The v0.1 bundle that `cosign bundle create` makes of an attestation layer."""
    candidate, note = layer_candidate(layer), entry_note(layer)
    assert isinstance(candidate, Candidate)
    assert candidate.entry is not None
    assert candidate.certificate is not None
    payload = note["Payload"]
    entry = {
        "logIndex": str(payload["logIndex"]),
        "logId": {"keyId": b64(candidate.entry.log_id)},
        "kindVersion": {"kind": candidate.entry.kind, "version": candidate.entry.version},
        "integratedTime": str(payload["integratedTime"]),
        "inclusionPromise": {"signedEntryTimestamp": note["SignedEntryTimestamp"]},
        "canonicalizedBody": payload["body"],
    }
    chain = {"certificates": [{"rawBytes": b64(candidate.certificate)}]}
    envelope = json.loads(layer.content)
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "verificationMaterial": {"x509CertificateChain": chain, "tlogEntries": [entry]},
        "dsseEnvelope": envelope,
    }
