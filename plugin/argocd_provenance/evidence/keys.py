"""Public keys: which are accepted, and one signature over one message.

As cosign: ECDSA with the curve's hash, then with SHA-256; RSA with PKCS#1 v1.5 and SHA-256; pure Ed25519.
sigstore-go: pkg/verify/signature.go. All else is refused by name.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from argocd_provenance.errors import OperatorError
from argocd_provenance.evidence.pem import labelled
from argocd_provenance.evidence.rejections import Refused
from argocd_provenance.records import dataclass, field

MIN_RSA_BITS = 2048
_RSA_BITS = (2048, 3072, 4096)
_CURVES = {"secp256r1": "sha256", "secp384r1": "sha384", "secp521r1": "sha512"}
_HASHES: Mapping[str, type[hashes.SHA224 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "sha224": hashes.SHA224,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
PROTOBUF_HASHES: Mapping[str, str] = {"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}
"""How protobuf-specs spells the algorithms."""
_PH_HINT = (
    "if cosign made it with this key, it is an Ed25519ph signature, which is not supported: use an ECDSA P-256 key"
)


@dataclass(frozen=True, slots=True)
class Signed:
    """The message under a signature: its content, or only digests of it."""

    content: bytes | None
    digests: Mapping[str, bytes] = field(default_factory=dict)

    def hashed(self, algorithm: str) -> bytes | None:
        """The digest of the message; None where it cannot be known."""
        if self.content is not None and algorithm in _HASHES:
            return hashlib.new(algorithm, self.content).digest()
        return self.digests.get(algorithm)


def load_public_key(pem: bytes) -> bytes:
    """The one public key in `pem`, as DER SubjectPublicKeyInfo; raises `OperatorError` that says what is there instead."""
    try:
        block = labelled(pem.decode("ascii"))
    except UnicodeDecodeError:
        block = None
    if b"PRIVATE KEY" in pem:
        raise OperatorError("this is a private key; give the public one, and consider this one compromised")
    if pem.count(b"-----BEGIN ") > 1:
        raise OperatorError("there is more than one PEM block; exactly one public key is expected")
    if block is None:
        raise OperatorError("this is no public key in PEM (-----BEGIN PUBLIC KEY-----)")
    if block[0] == "CERTIFICATE":
        raise OperatorError("this is a certificate; a public key is expected (openssl x509 -pubkey -noout)")
    if block[0] not in {"PUBLIC KEY", "RSA PUBLIC KEY"}:
        raise OperatorError(f"this is a PEM block of type {block[0]}; a PUBLIC KEY is expected")
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as fault:
        raise OperatorError(f"the public key cannot be read: {fault}") from None
    if refusal := unsupported(key):
        raise OperatorError(refusal)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def details_of(spki: bytes) -> str:
    """The name that protobuf-specs has for the key of a log; raises `OperatorError` for what no log signs with."""
    key = load_der_public_key(spki)
    match key:
        case ec.EllipticCurvePublicKey() if key.curve.name in _CURVES:
            return f"PKIX_ECDSA_P{key.curve.key_size}_SHA_{_CURVES[key.curve.name].removeprefix('sha')}"
        case ed25519.Ed25519PublicKey():
            return "PKIX_ED25519"
        case rsa.RSAPublicKey() if key.key_size in _RSA_BITS:
            return f"PKIX_RSA_PKCS1V15_{key.key_size}_SHA256"
        case _:
            raise OperatorError("no log signs with a key of this kind (ECDSA, Ed25519, RSA of 2048, 3072 or 4096 bits)")


def unsupported(key: Any) -> str:
    """Why `key` is not accepted, or nothing."""
    match key:
        case ec.EllipticCurvePublicKey():
            return (
                "" if key.curve.name in _CURVES else f"the curve {key.curve.name} is not accepted (P-256, P-384, P-521)"
            )
        case rsa.RSAPublicKey():
            small = key.key_size < MIN_RSA_BITS
            return f"an RSA key of {key.key_size} bits is too small ({MIN_RSA_BITS} at least)" if small else ""
        case ed25519.Ed25519PublicKey():
            return ""
        case _:
            return f"keys of type {type(key).__name__} are not accepted (ECDSA, RSA, Ed25519)"


def key_from(spki: bytes) -> Any:
    """The key that `spki` encodes."""
    return load_der_public_key(spki)


def says_prehashed(key: Any, hint: str, entry_body: bytes) -> bool:
    """Whether a signature that `key` did not make seems to be its Ed25519ph one: named by `hint`, or logged so.

    Ed25519ph cannot be checked here. Nothing of this is proved, it only makes the refusal a better one.
    """
    if not isinstance(key, ed25519.Ed25519PublicKey):
        return False
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    own = base64.b64encode(hashlib.sha256(spki).digest()).decode()
    return hint == own or b'"sha512"' in entry_body or b"PKIX_ED25519_PH" in entry_body


def check_signature(key: Any, signature: bytes, signed: Signed, algorithm: str | None = None) -> None:
    """Check that `signature` is by `key` over `signed`; raises `Refused`. `algorithm`: the only hash that will do.

    Ed25519 has its own.
    """
    if refusal := unsupported(key):
        raise Refused("verification", refusal)
    match key:
        case ec.EllipticCurvePublicKey():
            algorithms = dict.fromkeys((algorithm,) if algorithm else (_CURVES[key.curve.name], "sha256"))
            digests = {a: digest for a in algorithms if (digest := signed.hashed(a)) is not None}
            if not digests:
                raise Refused(
                    "verification", f"this signature is over another digest of the file ({', '.join(algorithms)})"
                )
            if not any(_ecdsa(key, signature, algorithm, digest) for algorithm, digest in digests.items()):
                raise Refused("verification", "the signature does not verify with the key")
        case rsa.RSAPublicKey():
            digest = signed.hashed(algorithm or "sha256")
            if digest is None or not _rsa(key, signature, algorithm or "sha256", digest):
                raise Refused("verification", "the signature does not verify with the key")
        case _:
            _ed25519(key, signature, signed)


def _ecdsa(key: ec.EllipticCurvePublicKey, signature: bytes, algorithm: str, digest: bytes) -> bool:
    try:
        key.verify(signature, digest, ec.ECDSA(Prehashed(_HASHES[algorithm]())))
    except InvalidSignature:
        return False
    return True


def _rsa(key: rsa.RSAPublicKey, signature: bytes, algorithm: str, digest: bytes) -> bool:
    try:
        key.verify(signature, digest, padding.PKCS1v15(), Prehashed(_HASHES[algorithm]()))
    except InvalidSignature:
        return False
    return True


def _ed25519(key: ed25519.Ed25519PublicKey, signature: bytes, signed: Signed) -> None:
    if signed.content is None:
        raise Refused("verification", "an Ed25519 signature needs the file itself, a digest is not enough")
    try:
        key.verify(signature, signed.content)
    except InvalidSignature:
        raise Refused("verification", f"the signature does not verify with this Ed25519 key; {_PH_HINT}") from None
