"""The policy that the command line of `verify` states."""

import pytest

from argocd_provenance.errors import UsageError
from argocd_provenance.evidence.values import PROVENANCE_V02, PROVENANCE_V1, Certificate, KeyAnchor
from argocd_provenance.policy.adhoc import Demands, policy_for
from argocd_provenance.policy.judge import judge
from unit.policy.builders import COMMIT, ISSUER, REF, REPOSITORY, SAN, TODAY, certificate, evidence, image, predicate_v1

WHO = {"certificate_identity": SAN, "certificate_oidc_issuer": ISSUER}


def allowed(piece: object, **demands: object) -> bool:
    """Whether the demands are met by one piece of evidence."""
    return judge(image("ubuntu"), policy_for(Demands(**{**WHO, **demands})), [piece], today=TODAY).allowed  # type: ignore[arg-type, list-item]


class TestDemands:
    @pytest.mark.parametrize(
        "demands",
        [
            {},
            {"certificate_identity": SAN},
            {"certificate_oidc_issuer": ISSUER},
            {"certificate_identity": "", "certificate_oidc_issuer": ISSUER},
            {"certificate_identity": SAN, "certificate_oidc_issuer": ""},
            {**WHO, "certificate_identity_regexp": ".*"},
            {**WHO, "key": b"x"},
            {**WHO, "log": False},
            {**WHO, "type": "nonsense"},
            {**WHO, "type": "vsa"},
            {**WHO, "source_ref": ""},
            {**WHO, "source_repository": "acme/shop"},
            {"certificate_identity_regexp": "(", "certificate_oidc_issuer": ISSUER},
        ],
    )
    def test_what_proves_nothing_is_refused(self, demands: dict[str, object]) -> None:
        """Identity and issuer, or a key; nothing less, nothing empty."""
        with pytest.raises(UsageError):
            policy_for(Demands(**demands))  # type: ignore[arg-type]

    def test_without_a_type_a_signature_is_demanded_of_an_image(self) -> None:
        """And any verified content of a bundle."""
        assert allowed(evidence())
        assert not allowed(evidence("provenance"))
        assert allowed(evidence("provenance"), bundle=True)

    def test_what_a_bundle_says_counts_only_where_it_is_asked_for(self) -> None:
        """Any verified content will do, also provenance of another build; but not once its source is demanded."""
        foreign = evidence("provenance", predicate=predicate_v1(event_name="pull_request"))

        assert allowed(foreign, bundle=True)
        assert not allowed(foreign, bundle=True, source_ref=REF)
        assert not allowed(foreign, bundle=True, type="slsaprovenance1")

    def test_a_regexp_is_a_full_match(self) -> None:
        """Unlike cosign's."""
        who = {"certificate_identity": None}

        assert allowed(evidence(), **who, certificate_identity_regexp="https://github.com/acme/shop/.*@refs/heads/main")
        assert not allowed(evidence(), **who, certificate_identity_regexp="https://github.com/acme/shop")

    @pytest.mark.parametrize(
        ("name", "predicate_type", "fits"),
        [
            ("slsaprovenance1", PROVENANCE_V1, True),
            ("slsaprovenance", PROVENANCE_V1, False),
            (PROVENANCE_V1, PROVENANCE_V1, True),
            ("slsaprovenance02", PROVENANCE_V02, True),
            ("provenance", PROVENANCE_V1, True),
        ],
    )
    def test_a_type_is_a_short_name_or_a_uri(self, name: str, predicate_type: str, *, fits: bool) -> None:
        """``slsaprovenance`` is v0.2, as cosign has it."""
        predicate = predicate_v1() if predicate_type == PROVENANCE_V1 else {}

        assert allowed(evidence("provenance", predicate_type=predicate_type, predicate=predicate), type=name) is fits

    def test_the_source_is_compared(self) -> None:
        """Repository, ref, commit and builder."""
        assert allowed(evidence(), source_repository=REPOSITORY, source_ref=REF, source_commit=COMMIT)
        assert allowed(evidence(), source_repository="github.com/acme/shop")
        assert not allowed(evidence(), source_repository="https://github.com/acme/shop2")
        assert not allowed(evidence(), source_ref="refs/heads/ma")
        assert not allowed(evidence(), source_commit=COMMIT[:-1] + "0")
        assert allowed(evidence("provenance"), type="slsaprovenance1", builder_id=SAN)
        assert not allowed(evidence("provenance"), type="slsaprovenance1", builder_id=SAN + "x")

    def test_a_key_is_trusted_with_or_without_log(self) -> None:
        """A log entry is demanded unless ``--no-log``."""
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = ec.derive_private_key(7, ec.SECP256R1()).public_key()
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

        assert policy_for(Demands(key=pem)).anchors() == (KeyAnchor(spki, log=True),)
        assert policy_for(Demands(key=pem, log=False)).anchors() == (KeyAnchor(spki, log=False),)

    def test_another_identity_is_another_signer(self) -> None:
        """Exact, both of them."""
        assert not allowed(evidence(signer=certificate(SAN + "x")))
        assert not allowed(evidence(signer=Certificate(SAN, "https://i")))
