"""Who signs: a private key, and the certificate that was issued for it, if any."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from argocd_provenance.demo.sigstore import wire
from argocd_provenance.records import dataclass

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

_HASHES: dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_CURVE_HASH = {"secp256r1": "sha256", "secp384r1": "sha384", "secp521r1": "sha512"}


@dataclass(frozen=True, slots=True)
class Signer:
    """A key, with the certificate issued for it or without one (``cosign sign --key``)."""

    key: SigningKey
    certificate: x509.Certificate | None = None

    @classmethod
    def by_key(cls, key: SigningKey | None = None) -> "Signer":
        """A signer without certificate; a new P-256 key where none is given."""
        return cls(key or ec.generate_private_key(ec.SECP256R1()))

    @property
    def algorithm(self) -> str:
        """The hash it signs with: that of its curve (as cosign's keys do), else sha256."""
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return _CURVE_HASH.get(self.key.curve.name, "sha256")
        return "sha256"

    @property
    def spki(self) -> bytes:
        """The public key as DER SubjectPublicKeyInfo."""
        return wire.spki(self.key.public_key())

    @property
    def public_pem(self) -> bytes:
        """The public key as ``cosign.pub`` holds it."""
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def verifier_pem(self) -> bytes:
        """What a log entry records of the signer: its certificate, else its key."""
        return self.certificate.public_bytes(Encoding.PEM) if self.certificate else self.public_pem

    def sign(self, content: bytes, algorithm: str = "") -> bytes:
        """The raw signature over `content`, hashed with `algorithm` instead of the usual one where that is given."""
        chosen = _HASHES[algorithm or self.algorithm]()
        match self.key:
            case ed25519.Ed25519PrivateKey():
                return self.key.sign(content)
            case rsa.RSAPrivateKey():
                return self.key.sign(content, padding.PKCS1v15(), chosen)
            case _:
                return self.key.sign(content, ec.ECDSA(chosen))
