"""Public keys as operators hand them over."""

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from argocd_provenance.demo.sigstore import Signer
from argocd_provenance.errors import OperatorError
from argocd_provenance.evidence.keys import Signed, check_signature, key_from, load_public_key
from argocd_provenance.evidence.rejections import Refused
from argocd_provenance.evidence.values import Evidence, KeyAnchor
from argocd_provenance.oci.reference import Digest
from support.signing import IMAGE, SIGSTORE, code, evidence, layer_candidate, verify

P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
GOOD = Signer.by_key(P256).public_pem


def pem_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey | ed448.Ed448PrivateKey) -> bytes:
    """The public half of `key`."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class TestLoad:
    @pytest.mark.parametrize(
        "key",
        [
            pytest.param(P256, id="P-256"),
            pytest.param(ec.generate_private_key(ec.SECP384R1()), id="P-384"),
            pytest.param(ec.generate_private_key(ec.SECP521R1()), id="P-521"),
            pytest.param(RSA, id="RSA"),
            pytest.param(ed25519.Ed25519PrivateKey.generate(), id="Ed25519"),
        ],
    )
    def test_accepted_keys(self, key: ec.EllipticCurvePrivateKey) -> None:
        """The keys that cosign makes are read, white space around them too."""
        signer = Signer.by_key(key)

        assert load_public_key(b"\n" + signer.public_pem + b"\n") == signer.spki

    def test_an_old_spelling_of_rsa(self) -> None:
        """PKCS#1 (RSA PUBLIC KEY) is read as the same key."""
        pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)

        assert load_public_key(pem) == Signer.by_key(RSA).spki

    @pytest.mark.parametrize(
        ("pem", "said"),
        [
            pytest.param(b"", "no public key", id="nothing"),
            pytest.param(b"ssh-ed25519 AAAA", "no public key", id="ssh"),
            pytest.param(b"\xff\xfe", "no public key", id="binary"),
            pytest.param(GOOD + GOOD, "more than one", id="two keys"),
            pytest.param(GOOD.replace(b"PUBLIC", b"OTHER"), "type OTHER KEY", id="another label"),
            pytest.param(GOOD[:60] + GOOD[64:], "cannot be read", id="damaged"),
            pytest.param(b"key: " + GOOD, "no public key", id="text before it"),
            pytest.param(
                P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "private key", id="private"
            ),
            pytest.param(SIGSTORE.issue().verifier_pem, "certificate", id="certificate"),
            pytest.param(pem_of(rsa.generate_private_key(65537, 1024)), "1024 bits is too small", id="small RSA"),  # noqa: S505 - on purpose
            pytest.param(pem_of(ec.generate_private_key(ec.SECP256K1())), "curve secp256k1", id="another curve"),
            pytest.param(pem_of(ed448.Ed448PrivateKey.generate()), "not accepted", id="Ed448"),
            pytest.param(pem_of(dsa.generate_private_key(1024)), "not accepted", id="DSA"),  # noqa: S505 - quick to make
        ],
    )
    def test_what_is_no_key_of_ours(self, pem: bytes, said: str) -> None:
        """N15: anything else is refused when the policy is loaded, in words that name what is there."""
        with pytest.raises(OperatorError, match=said):
            load_public_key(pem)


class TestSignatures:
    def test_a_digest_is_enough_for_ecdsa(self) -> None:
        """With the digest of the right algorithm a message need not be at hand."""
        signer = Signer.by_key(P256)
        digest = bytes.fromhex(Digest.of(b"message").hex)

        check_signature(key_from(signer.spki), signer.sign(b"message"), Signed(None, {"sha256": digest}))

    @pytest.mark.parametrize(
        ("signer", "signed"),
        [
            pytest.param(Signer.by_key(P256), Signed(b"other"), id="ECDSA"),
            pytest.param(Signer.by_key(RSA), Signed(b"other"), id="RSA"),
            pytest.param(Signer.by_key(ed25519.Ed25519PrivateKey.generate()), Signed(b"other"), id="Ed25519"),
            pytest.param(Signer.by_key(P256), Signed(None, {"sha512": b"x" * 64}), id="a digest of another algorithm"),
            pytest.param(Signer.by_key(RSA), Signed(None), id="nothing"),
            pytest.param(
                Signer.by_key(ed25519.Ed25519PrivateKey.generate()),
                Signed(None, {"sha256": b"x" * 32}),
                id="no message",
            ),
        ],
    )
    def test_of_something_else(self, signer: Signer, signed: Signed) -> None:
        """N15: a signature over another message is refused, and so is what cannot be checked."""
        with pytest.raises(Refused) as caught:
            check_signature(key_from(signer.spki), signer.sign(b"message"), signed)

        assert caught.value.code == "verification"

    def test_pss_is_not_pkcs1(self) -> None:
        """RSA signatures are PKCS#1 v1.5 with SHA-256, as cosign makes them."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        pss = RSA.sign(b"message", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())

        with pytest.raises(Refused):
            check_signature(RSA.public_key(), pss, Signed(b"message"))

    def test_an_anchor_has_a_name_people_can_compare(self) -> None:
        """Reports name a key by the hash of its SPKI."""
        anchor = KeyAnchor(Signer.by_key(P256).spki)

        assert anchor.name == "key:" + Digest.of(anchor.spki).hex[:16]


class TestDemands:
    """What a policy may demand of a key beside its signature."""

    def test_the_hash_that_is_named_is_the_only_one(self) -> None:
        """Without a name the hash of its kind will do."""
        signer = Signer.by_key(P256)
        signed = layer_candidate(SIGSTORE.sign_layer(IMAGE.text, signer, algorithm="sha512"))
        usual = layer_candidate(SIGSTORE.sign_layer(IMAGE.text, signer))

        assert isinstance(verify(signed, KeyAnchor(signer.spki, log=False, hash="sha512")), Evidence)
        assert code(verify(signed, KeyAnchor(signer.spki, log=False, hash="sha256"))) == "verification"
        assert code(verify(usual, KeyAnchor(signer.spki, log=False, hash="sha512"))) == "verification"

    def test_a_timestamp_is_demanded_where_it_is_named(self) -> None:
        """By an authority of the domain; the log entry beside it counts for nothing unless it is demanded too."""
        signer = Signer.by_key(P256)
        anchor = KeyAnchor(signer.spki, log=False, domain="test", stamped=True)
        both = KeyAnchor(signer.spki, log=True, domain="test", stamped=True)
        stamped = layer_candidate(SIGSTORE.sign_layer(IMAGE.text, signer, timestamp=True, log=False))
        logged = layer_candidate(SIGSTORE.sign_layer(IMAGE.text, signer))
        all_of_it = layer_candidate(SIGSTORE.sign_layer(IMAGE.text, signer, timestamp=True))

        assert evidence(verify(stamped, anchor)).times
        assert code(verify(logged, anchor)) == "no-time"
        assert not evidence(verify(all_of_it, anchor)).logged
        assert evidence(verify(all_of_it, both)).logged
        assert (code(verify(stamped, both)), code(verify(logged, both))) == ("no-log", "no-time")
