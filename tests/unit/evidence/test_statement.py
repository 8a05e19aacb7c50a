"""What was signed must speak of this very artifact."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from argocd_provenance.demo.sigstore import encode, simple_signing, statement
from argocd_provenance.evidence.values import Evidence, Rejected
from argocd_provenance.evidence.verify import Artifact
from argocd_provenance.oci.reference import Digest
from support.signing import IMAGE, OTHER, SIGSTORE, SLSA, bundle_candidate, code, evidence, layer_candidate, verify

SIGNER = SIGSTORE.issue()


def attested(payload: bytes, artifact: Artifact | None = None) -> Evidence | Rejected:
    """What a perfect bundle around `payload` proves."""
    return verify(bundle_candidate(SIGSTORE.bundle(SIGNER, payload)), artifact=artifact)


def signed(payload: bytes) -> Evidence | Rejected:
    """What a perfect signature layer with `payload` proves."""
    return verify(layer_candidate(SIGSTORE.sign_layer(IMAGE.text, SIGNER, payload=payload)))


def with_subjects(*subjects: Any, **more: Any) -> bytes:
    """A statement about `subjects`."""
    document = {"_type": "https://in-toto.io/Statement/v1", "subject": list(subjects), "predicateType": SLSA}
    return encode({**document, **more})


def about(**digests: str) -> dict[str, Any]:
    """A subject with these digests."""
    return {"name": "app", "digest": digests}


class TestSubjects:
    @pytest.mark.parametrize(
        "payload",
        [
            pytest.param(with_subjects(about(sha512=IMAGE.hex)), id="under sha512"),
            pytest.param(with_subjects(about(gitCommit=IMAGE.hex)), id="under gitCommit"),
            pytest.param(with_subjects(about(SHA256=IMAGE.hex)), id="under SHA256"),
            pytest.param(with_subjects(about(sha256=IMAGE.hex.upper())), id="in upper case"),
            pytest.param(with_subjects(about(sha256=IMAGE.text)), id="with the algorithm in the value"),
            pytest.param(with_subjects(about(sha256=IMAGE.hex + "\n")), id="with a newline"),
            pytest.param(with_subjects(about(sha256=IMAGE.hex[:-1])), id="cut"),
            pytest.param(with_subjects({"name": IMAGE.text}), id="as a name"),
            pytest.param(with_subjects({"digest": [IMAGE.hex]}), id="in a list"),
            pytest.param(with_subjects(IMAGE.hex, None, 1), id="subjects that are none"),
            pytest.param(with_subjects(), id="no subject"),
            pytest.param(
                with_subjects(about(sha256=OTHER.hex), predicate={"materials": [about(sha256=IMAGE.hex)]}),
                id="in the materials only",
            ),
        ],
    )
    def test_the_right_digest_in_the_wrong_place(self, payload: bytes) -> None:
        """N11: a subject is the image under its algorithm's exact name and spelling, or it is something else."""
        assert code(attested(payload)) == "other-subject"

    def test_one_of_several(self) -> None:
        """A statement may be about many things; what it says is about each."""
        found = evidence(attested(with_subjects(about(sha256=OTHER.hex), about(sha256=IMAGE.hex, gitCommit="x"))))

        assert (found.subject, found.names) == (IMAGE, ("app",))

    def test_a_subject_that_contradicts_itself(self) -> None:
        """N11: right under one algorithm and wrong under another, where both are known, is about nothing."""
        file = Artifact.file(b"content")
        right, wrong = Digest.of(b"content").hex, Digest.of(b"other", "sha512").hex

        assert code(attested(with_subjects(about(sha256=right, sha512=wrong)), file)) == "other-subject"
        assert evidence(attested(with_subjects(about(sha256=right)), file)).subject == Digest.of(b"content")

    def test_names_of_the_matching_subjects_only(self) -> None:
        """What else a statement is about lends the image no name."""
        subjects = [{"name": "other", "digest": {"sha256": OTHER.hex}}, {"name": "", "digest": {"sha256": IMAGE.hex}}]

        assert evidence(attested(with_subjects(*subjects))).names == ()

    def test_annotations_of_the_matching_subjects_only(self) -> None:
        """Nor an annotation."""
        other = {"digest": {"sha256": OTHER.hex}, "annotations": {"env": "prod"}}

        assert evidence(attested(with_subjects(other, about(sha256=IMAGE.hex)))).annotations == {}

    def test_subjects_that_disagree(self) -> None:
        """The same image with two values of one annotation is nobody's meaning."""
        twice = [{**about(sha256=IMAGE.hex), "annotations": {"env": env}} for env in ("prod", "test")]

        assert code(attested(with_subjects(*twice))) == "malformed"


class TestStatements:
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            pytest.param(lambda s: s.update(_type="https://in-toto.io/Statement/v2"), "wrong-form", id="another type"),
            pytest.param(lambda s: s.pop("_type"), "wrong-form", id="no type"),
            pytest.param(lambda s: s.pop("predicateType"), "malformed", id="no predicate type"),
            pytest.param(lambda s: s.update(predicateType=[SLSA]), "malformed", id="a list of types"),
            pytest.param(lambda s: s.pop("subject"), "malformed", id="no subjects"),
            pytest.param(lambda s: s.update(subject={}), "malformed", id="subjects that are no list"),
        ],
    )
    def test_what_is_no_statement(self, change: Callable[[dict[str, Any]], Any], expected: str) -> None:
        """N10, N12: type, predicate type and subjects must be there."""
        document = json.loads(statement(IMAGE.text, SLSA))
        change(document)

        assert code(attested(encode(document))) == expected

    @pytest.mark.parametrize(
        "payload",
        [
            pytest.param(
                statement(IMAGE.text, SLSA).replace(b'"predicateType"', b'"predicateType":"x","predicateType"'),
                id="duplicate predicate type",
            ),
            pytest.param(
                statement(OTHER.text, SLSA).replace(b'"sha256":', b'"sha256":"%b","sha256":' % IMAGE.hex.encode()),
                id="duplicate digest",
            ),
            pytest.param(b"\xef\xbb\xbf" + statement(IMAGE.text, SLSA), id="byte order mark"),
            pytest.param(statement(IMAGE.text, SLSA, {"x": float("nan")}), id="NaN"),
            pytest.param(statement(IMAGE.text, SLSA, {"x": "\ud800"}), id="lone surrogate"),
            pytest.param(b"not json", id="no JSON"),
            pytest.param(b"[]", id="an array"),
        ],
    )
    def test_what_two_readers_could_understand_differently(self, payload: bytes) -> None:
        """N25: signed or not, ambiguous text is malformed."""
        assert code(attested(payload)) == "malformed"

    def test_a_rejection_names_what_it_claims_to_be(self) -> None:
        """Messages may say what the candidate claims, marked as a claim."""
        found = attested(statement(OTHER.text, SLSA))

        assert isinstance(found, Rejected)
        assert found.claimed_predicate_type == SLSA


class TestSimpleSigning:
    @pytest.mark.parametrize(
        ("payload", "expected"),
        [
            pytest.param(simple_signing(OTHER.text), "other-subject", id="another image"),
            pytest.param(simple_signing(IMAGE.hex), "other-subject", id="a digest without algorithm"),
            pytest.param(simple_signing(IMAGE.text.upper()), "other-subject", id="a digest in upper case"),
            pytest.param(
                simple_signing(IMAGE.text, kind="atomic container signature"), "wrong-form", id="another type"
            ),
            pytest.param(simple_signing(IMAGE.text, kind=""), "wrong-form", id="no type"),
            pytest.param(
                encode({"critical": {"type": "cosign container image signature"}}), "malformed", id="no image"
            ),
            pytest.param(encode({"critical": []}), "malformed", id="critical is a list"),
            pytest.param(encode({}), "wrong-form", id="nothing"),
            pytest.param(b"[1]", "malformed", id="an array"),
            pytest.param(
                simple_signing(OTHER.text).replace(
                    b'"docker-manifest-digest"',
                    b'"docker-manifest-digest":"%b","docker-manifest-digest"' % IMAGE.text.encode(),
                ),
                "malformed",
                id="two digests",
            ),
        ],
    )
    def test_what_is_no_signature_of_the_image(self, payload: bytes, expected: str) -> None:
        """N11, N12: digest and type are checked, which cosign does only for the digest."""
        assert code(signed(payload)) == expected

    @pytest.mark.parametrize("optional", [b'"optional":null', b'"optional":{}', b'"optional":[]'])
    def test_no_notes(self, optional: bytes) -> None:
        """Where there are no annotations cosign writes null."""
        payload = simple_signing(IMAGE.text).replace(b'"optional":null', optional)

        assert evidence(signed(payload)).annotations == {}
