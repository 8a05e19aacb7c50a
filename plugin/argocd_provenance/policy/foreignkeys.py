"""`key` of an authority: a public key from the policy, a Secret or a KMS, and the hash that it signs with."""

from typing import Literal

from argocd_provenance.evidence.values import KeyAnchor
from argocd_provenance.operatorfile import Field
from argocd_provenance.policy.fields import Reading, operator_file, public_key
from argocd_provenance.policy.model import MixedDomain
from argocd_provenance.policy.signers import DEFAULT_DOMAIN, KeySigner
from argocd_provenance.regex import regex

_SOURCES = ("data", "secretRef", "kms")
_HASHES: tuple[Literal["sha256", "sha224", "sha384", "sha512"], ...] = ("sha256", "sha224", "sha384", "sha512")
_SCHEMES = ("awskms://", "azurekms://", "gcpkms://", "hashivault://", "k8s://")
# policy-controller: validateAWSKMS; other spellings need more than the reference.
_AWS = regex(r"awskms://([^/]+:[0-9]+)?/arn:[^:/]+:[^:/]+:[^:/]*:[^:/]*:(key|alias)/.+")
_SECRET_NAMESPACE = "cosign-system"  # noqa: S105 - the controller's own namespace, and no secret


def key_signer(
    field: Field, log: str | None, stamps: str | None, reading: Reading, domains: list[MixedDomain]
) -> tuple[KeySigner, ...]:
    """The signer that `field` names; nothing and faults for what is none.

    `log` and `stamps` are the trust domains whose log entry and timestamp are demanded.
    """
    parts = field.mapping((*_SOURCES, "hashAlgorithm"))
    algorithm = _hash(parts["hashAlgorithm"]) if "hashAlgorithm" in parts else None
    named = [name for name in _SOURCES if name in parts]
    if len(named) != 1:
        field.fault(f"must have one of {', '.join(_SOURCES)}")
        return ()
    pem = _pem(parts[named[0]], named[0], reading)
    spki = public_key(parts[named[0]], pem) if pem else None
    if spki is None:
        return ()
    domain = log or stamps or DEFAULT_DOMAIN
    if log is not None and stamps is not None and log != stamps:
        domain = f"{log} (timestamp of {stamps})"
        domains.append(MixedDomain(domain, log, log, stamps, frozenset({"log", "timestamp"}), sct=False))
    anchor = KeyAnchor(spki, log is not None, domain, stamped=stamps is not None, hash=algorithm)
    return (KeySigner(anchor, anchor.name.removeprefix("key:")),)


def _hash(field: Field) -> str | None:
    written = str(field.plain_values()).lower()
    return written if written in _HASHES else field.choice(_HASHES)


def _pem(field: Field, source: str, reading: Reading) -> bytes | None:
    if source == "data":
        return field.text().encode() or None
    if source == "kms":
        reference = field.text()
        if reference and not reference.startswith(_SCHEMES):
            field.fault(f"is no reference to a KMS ({', '.join(_SCHEMES)})")
            return None
        if reference.startswith("awskms://") and not _AWS.fullmatch(reference):
            field.fault("must be awskms://[HOST:PORT]/ARN with the ARN of a key or an alias, as upstream")
            return None
        return operator_file(field, reading, "kms", reference)
    parts = field.mapping(("name", "namespace"), ("name",))
    name = parts["name"].text() if "name" in parts else ""
    namespace = parts["namespace"].text() if "namespace" in parts else _SECRET_NAMESPACE
    if namespace != _SECRET_NAMESPACE:
        parts["namespace"].fault(f"must be {_SECRET_NAMESPACE}, the controller's own, as upstream")
        return None
    qualified = f"{namespace}/{name}"
    return operator_file(field, reading, "secrets", qualified if qualified in reading.cluster.secrets else name)
