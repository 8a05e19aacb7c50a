"""Layers and bundles as registries hold them, and as they must not be."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from argocd_provenance.demo.sigstore import Layer, Signer, encode
from argocd_provenance.evidence.candidate import Candidate, parse_bundle, parse_layer
from argocd_provenance.oci.reference import Digest
from support.signing import (
    CERTIFICATE_NOTE,
    ENTRY_NOTE,
    IMAGE,
    SIGSTORE,
    annotated,
    bundle_candidate,
    code,
    entry_of,
    layer_candidate,
    provenance,
    signature,
)

Change = Callable[[dict[str, Any]], Any]


def material(bundle: dict[str, Any]) -> dict[str, Any]:
    """The verification material of a bundle."""
    inner: dict[str, Any] = bundle["verificationMaterial"]
    return inner


def parsed(found: object) -> Candidate:
    """`found`, which must be a candidate."""
    assert isinstance(found, Candidate), found
    return found


class TestLayers:
    def test_a_signature(self) -> None:
        """The payload is the message; the rest stands in annotations."""
        layer = SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue(), timestamp=True)

        candidate = parsed(layer_candidate(layer))

        assert (candidate.form, candidate.payload, candidate.envelope) == ("cosign-sig", layer.content, None)
        assert candidate.entry is not None
        assert candidate.entry.proof is None
        assert len(candidate.timestamps) == 1
        assert candidate.digest == Digest.of(layer.content)

    def test_an_attestation(self) -> None:
        """The layer is an envelope."""
        candidate = parsed(layer_candidate(SIGSTORE.attest_layer(provenance(), SIGSTORE.issue())))

        assert (candidate.form, candidate.payload) == ("cosign-att", None)
        assert candidate.envelope is not None
        assert candidate.envelope.payload == provenance()

    @pytest.mark.parametrize(
        ("notes", "expected"),
        [
            pytest.param({ENTRY_NOTE: "{"}, "malformed", id="entry: no JSON"),
            pytest.param({ENTRY_NOTE: "[]"}, "malformed", id="entry: an array"),
            pytest.param({ENTRY_NOTE: '{"Payload":{}}'}, "malformed", id="entry: nothing in it"),
            pytest.param({ENTRY_NOTE: "\ud800"}, "malformed", id="entry: half a character"),
            pytest.param({CERTIFICATE_NOTE: "x"}, "malformed", id="certificate: no PEM"),
            pytest.param({CERTIFICATE_NOTE: SIGSTORE.authority.chain_pem}, "malformed", id="certificate: two of them"),
            pytest.param({"dev.cosignproject.cosign/signature": ""}, "malformed", id="signature: empty"),
            pytest.param({"dev.cosignproject.cosign/signature": "QQ"}, "malformed", id="signature: no base64"),
            pytest.param({"dev.sigstore.cosign/rfc3161timestamp": "1"}, "malformed", id="timestamp: a number"),
            pytest.param({"x": 1}, "malformed", id="an annotation that is no string"),
        ],
    )
    def test_annotations_that_cannot_be_read(self, notes: Mapping[str, str], expected: str) -> None:
        """N19: annotations are anybody's, and read as such."""
        assert code(layer_candidate(annotated(SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue()), notes))) == expected

    @pytest.mark.parametrize("member", ["logID", "integratedTime", "logIndex", "body"])
    @pytest.mark.parametrize("value", [None, True, -1, 1.5, "x", 2**70, [], {}])
    def test_entries_of_other_types(self, member: str, value: object) -> None:
        """Each member has its type, and booleans are no numbers."""
        layer = SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue())
        note = json.loads(layer.descriptor["annotations"][ENTRY_NOTE])
        note["Payload"][member] = value

        assert code(layer_candidate(annotated(layer, {ENTRY_NOTE: json.dumps(note)}))) == "malformed"

    def test_perfect_annotations_on_something_else(self) -> None:
        """N19: a layer of another type is no signature, whatever hangs on it."""
        layer = SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue())
        other = Layer.of("application/vnd.oci.image.layer.v1.tar+gzip", layer.content, layer.descriptor["annotations"])

        assert code(layer_candidate(other)) == "unknown-form"

    @pytest.mark.parametrize("descriptor", [{}, {"annotations": []}, {"digest": 1, "size": "x"}])
    def test_descriptors_that_are_none(self, descriptor: dict[str, Any]) -> None:
        """A descriptor without digest and size describes nothing."""
        assert code(parse_layer(descriptor, b"", "x")) in {"digest-mismatch", "malformed"}


class TestBundles:
    def test_what_protobuf_leaves_out(self) -> None:
        """Zeros and empty lists are not written by protobuf's JSON, null is the same as nothing."""
        made = SIGSTORE.bundle(SIGSTORE.issue(), signature())
        entry_of(made)["integratedTime"] = None
        entry_of(made).pop("logIndex")
        entry_of(made)["inclusionProof"]["hashes"] = []
        entry_of(made)["inclusionProof"].pop("logIndex")

        candidate = parsed(bundle_candidate(made))

        assert candidate.entry is not None
        assert (candidate.entry.log_index, candidate.entry.integrated_time) == (0, None)
        assert candidate.entry.proof is not None
        assert (candidate.entry.proof.log_index, candidate.entry.proof.hashes) == (0, ())

    def test_older_bundles_hold_a_chain(self) -> None:
        """Before v0.3 the signer's certificate is the first of a chain; the rest of it is never looked at."""
        made = SIGSTORE.bundle(SIGSTORE.issue(), provenance())
        leaf = material(made).pop("certificate")
        material(made)["x509CertificateChain"] = {"certificates": [leaf, {"rawBytes": "AAAA"}]}
        made["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2"

        assert parsed(bundle_candidate(made)).certificate is not None

    def test_the_first_bundles_may_have_a_worthless_proof(self) -> None:
        """A v0.1 proof without checkpoint proves nothing; the promise stands alone."""
        made = SIGSTORE.bundle(SIGSTORE.issue(), provenance())
        material(made)["x509CertificateChain"] = {"certificates": [material(made).pop("certificate")]}
        made["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1"
        del entry_of(made)["inclusionProof"]["checkpoint"]

        candidate = parsed(bundle_candidate(made))

        assert candidate.entry is not None
        assert candidate.entry.proof is None
        del entry_of(made)["inclusionPromise"]
        assert code(bundle_candidate(made)) == "no-proof"

    def test_a_key_is_hinted_at(self) -> None:
        """A bundle by key names no key, only a hint; protobuf writes an empty one as nothing."""
        made = SIGSTORE.bundle(Signer.by_key(), provenance())
        hint = material(made)["publicKey"]["hint"]

        assert parsed(bundle_candidate(made)).key_hint == hint
        material(made)["publicKey"] = {}
        assert parsed(bundle_candidate(made)).key_hint == ""

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            pytest.param(lambda b: b.update(mediaType="application/json"), "unknown-form", id="media type"),
            pytest.param(lambda b: b.update(mediaType=3), "malformed", id="media type of another type"),
            pytest.param(lambda b: b.update(futureField={}), "malformed", id="unknown member"),
            pytest.param(lambda b: material(b).update(futureField={}), "malformed", id="unknown member further down"),
            pytest.param(lambda b: entry_of(b).update(futureField={}), "malformed", id="unknown member of the entry"),
            pytest.param(lambda b: b["dsseEnvelope"].update(x=1), "malformed", id="unknown member of the envelope"),
            pytest.param(lambda b: b.pop("dsseEnvelope"), "malformed", id="no content"),
            pytest.param(lambda b: b.update(messageSignature={"signature": "QQ=="}), "malformed", id="two contents"),
            pytest.param(lambda b: material(b).pop("certificate"), "malformed", id="no signer"),
            pytest.param(lambda b: material(b).update(publicKey={"hint": ""}), "malformed", id="two signers"),
            pytest.param(
                lambda b: material(b).update(x509CertificateChain={"certificates": [material(b).pop("certificate")]}),
                "malformed",
                id="a chain in v0.3",
            ),
            pytest.param(lambda b: material(b).update(tlogEntries={}), "malformed", id="entries that are no list"),
            pytest.param(lambda b: material(b).update(tlogEntries=[1]), "malformed", id="an entry that is no object"),
            pytest.param(lambda b: entry_of(b).update(logIndex="-1"), "malformed", id="a negative index"),
            pytest.param(lambda b: entry_of(b).update(logIndex="007"), "malformed", id="a padded index"),
            pytest.param(lambda b: entry_of(b).update(logIndex="٣"), "malformed", id="an index in other digits"),
            pytest.param(lambda b: entry_of(b).update(logIndex=True), "malformed", id="an index that is a boolean"),
            pytest.param(
                lambda b: entry_of(b)["inclusionProof"].update(treeSize="1"), "malformed", id="outside of the tree"
            ),
            pytest.param(
                lambda b: entry_of(b).update(canonicalizedBody="QR=="), "malformed", id="base64 of two readings"
            ),
        ],
    )
    def test_what_is_no_bundle(self, change: Change, expected: str) -> None:
        """N25, U8: members and encodings are those of the schema; what we do not know we have not checked."""
        made = SIGSTORE.bundle(SIGSTORE.issue(), provenance())
        change(made)

        assert code(bundle_candidate(made)) == expected

    @pytest.mark.parametrize("raw", [b"[]", b"1", b'"x"', b"null", b"{}"])
    def test_other_json(self, raw: bytes) -> None:
        """JSON that is no bundle at all."""
        assert code(parse_bundle(raw, "x")) == "malformed"

    def test_nothing_heavy_is_imported_for_parsing(self) -> None:
        """Parsing needs neither sigstore nor cryptography."""
        import subprocess
        import sys

        program = (
            "import sys; from argocd_provenance.evidence.candidate import parse_bundle; parse_bundle(b'{}', 'x');"
            "print([m for m in ('sigstore', 'cryptography', 'pydantic', 'requests') if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

        assert done.stdout.strip() == "[]"

    def test_sigstore_is_not_imported_for_a_key_without_log(self) -> None:
        """Trust in a key that waives the log needs cryptography only, and no trust domain."""
        import subprocess
        import sys

        signer = Signer.by_key()
        made = encode(SIGSTORE.bundle(signer, provenance(), log=None))
        program = (
            "import sys; from argocd_provenance.evidence.candidate import parse_bundle\n"
            "from argocd_provenance.evidence.verify import Verifier, Artifact\n"
            "from argocd_provenance.evidence.values import KeyAnchor\n"
            "from argocd_provenance.oci.reference import Digest\n"
            f"c = parse_bundle({made!r}, 'x')\n"
            f"e = Verifier({{}}).verify(c, KeyAnchor({signer.spki!r}, log=False), Artifact((Digest({IMAGE.text!r}),)))\n"
            "print(type(e).__name__, 'sigstore' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

        assert done.stdout.strip() == "Evidence False"
