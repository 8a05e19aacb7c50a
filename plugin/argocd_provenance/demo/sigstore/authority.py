"""A certificate authority of Fulcio's shape: root and intermediate, and leaves with Fulcio's extensions.

Extensions: fulcio, docs/oid-info.md. The chain follows the profile that `cryptography` enforces.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from argocd_provenance.demo.sigstore.ctlog import CTLog
from argocd_provenance.demo.sigstore.signer import SigningKey
from argocd_provenance.demo.sigstore.wire import b64, der, spki, utf8, window
from argocd_provenance.records import dataclass, field

FULCIO = "1.3.6.1.4.1.57264.1."
_SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_YEARS = timedelta(days=3650)


def name(organization: str, common_name: str) -> x509.Name:
    """A distinguished name as Sigstore's authorities carry it."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def key_usage(*, signs: bool = False, certifies: bool = False, agrees: bool = False) -> x509.KeyUsage:
    """A KeyUsage with these bits: digitalSignature; keyCertSign and cRLSign; keyAgreement."""
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=agrees,
        key_cert_sign=certifies,
        crl_sign=certifies,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a leaf certificate shall say; the defaults are those of a good one."""

    key: SigningKey
    names: Sequence[x509.GeneralName]
    extensions: Mapping[str, bytes]
    """Fulcio's extensions: the last arc of the OID and the raw value."""
    at: datetime
    lifetime: timedelta = timedelta(minutes=10)
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING
    usage: x509.KeyUsage = field(default_factory=lambda: key_usage(signs=True))


class CertificateAuthority:
    """Root and intermediate, both P-384 as Fulcio's."""

    def __init__(
        self,
        organization: str,
        start: datetime,
        lifetime: timedelta = _YEARS,
        intermediate_lifetime: timedelta = _YEARS,
    ) -> None:
        self.organization, self.start = organization, start
        root_key = ec.generate_private_key(ec.SECP384R1())
        self._key = ec.generate_private_key(ec.SECP384R1())
        self.root = self._certify("sigstore", root_key, root_key, 1, lifetime)
        self.intermediate = self._certify("sigstore-intermediate", self._key, root_key, 0, intermediate_lifetime)

    def _certify(
        self,
        common_name: str,
        key: ec.EllipticCurvePrivateKey,
        signer: ec.EllipticCurvePrivateKey,
        path_length: int,
        lifetime: timedelta,
    ) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(name(self.organization, common_name))
            .issuer_name(name(self.organization, "sigstore"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.start)
            .not_valid_after(self.start + lifetime)
            .add_extension(key_usage(certifies=True), critical=True)
            .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .sign(signer, hashes.SHA384())
        )

    def issue(self, leaf: Leaf, log: CTLog | None) -> x509.Certificate:
        """The certificate for `leaf`, with the promise of `log` where one is given."""
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.intermediate.subject)
            .public_key(leaf.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(leaf.at)
            .not_valid_after(leaf.at + leaf.lifetime)
            .add_extension(leaf.usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([leaf.purpose]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(leaf.key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.SubjectAlternativeName(leaf.names), critical=True)
        )
        for arc, value in leaf.extensions.items():
            extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(FULCIO + arc), value)
            builder = builder.add_extension(extension, critical=False)
        certificate = builder.sign(self._key, hashes.SHA384())
        if log is None:
            return certificate
        # The promise covers the certificate without the promise, so it is signed first and added then.
        promise = log.sct_list(certificate.tbs_certificate_bytes, spki(self._key.public_key()), leaf.at)
        return builder.add_extension(x509.UnrecognizedExtension(_SCT_LIST, promise), critical=False).sign(
            self._key, hashes.SHA384()
        )

    @property
    def chain_pem(self) -> str:
        """Intermediate and root, as cosign 2 writes them beside a signature."""
        return "".join(c.public_bytes(Encoding.PEM).decode() for c in (self.intermediate, self.root))

    def trust(self, start: datetime | None = None, end: datetime | None = None) -> dict[str, Any]:
        """Its entry in a trusted root."""
        return {
            "subject": {"organization": self.organization, "commonName": "sigstore"},
            "uri": "https://fulcio.example",
            "certChain": {"certificates": [{"rawBytes": b64(der(c))} for c in (self.intermediate, self.root)]},
            "validFor": window(start or self.start, end),
        }


def github_extensions(identity: str) -> dict[str, bytes]:
    """The claims that GitHub's tokens bring for the workflow `identity`; none for other identities.

    The workflow is taken to belong to the source repository; tests and demos override what shall differ.
    """
    if not identity.startswith("https://github.com/"):
        return {}
    owner, repository = identity.split("/")[3:5]
    source, ref, commit = f"https://github.com/{owner}/{repository}", identity.rpartition("@")[2], "a" * 40
    said = {
        9: identity,
        10: commit,
        11: "github-hosted",
        12: source,
        13: commit,
        14: ref,
        15: "1234",
        16: f"https://github.com/{owner}",
        17: "99",
        18: identity,
        19: commit,
        20: "push",
        21: f"{source}/actions/runs/1/attempts/1",
        22: "public",
    }
    return {str(arc): utf8(value) for arc, value in said.items()}
