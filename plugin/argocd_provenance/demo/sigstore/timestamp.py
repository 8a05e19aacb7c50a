"""A timestamp authority: RFC 3161 tokens, written in DER by hand because no Python library issues them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from argocd_provenance.demo.sigstore.authority import key_usage, name
from argocd_provenance.demo.sigstore.wire import (
    GENERALIZED_TIME,
    NULL,
    OCTET_STRING,
    SEQUENCE,
    SET,
    b64,
    der,
    integer,
    object_id,
    sha256,
    tlv,
    window,
)

_SHA256 = tlv(SEQUENCE, object_id("2.16.840.1.101.3.4.2.1"), tlv(NULL))
_ECDSA_SHA256 = tlv(SEQUENCE, object_id("1.2.840.10045.4.3.2"))
_SIGNED_DATA, _TST_INFO = object_id("1.2.840.113549.1.7.2"), object_id("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE, _MESSAGE_DIGEST = object_id("1.2.840.113549.1.9.3"), object_id("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE_V2 = object_id("1.2.840.113549.1.9.16.2.47")
_POLICY = object_id("1.3.6.1.4.1.57264.2")
_EXPLICIT = 0xA0


class TimestampAuthority:
    """A root (P-384) and a timestamping leaf (P-256)."""

    def __init__(
        self,
        start: datetime,
        organization: str = "timestamp.example",
        *,
        purpose: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.TIME_STAMPING,
        lifetime: timedelta = timedelta(days=3650),
    ) -> None:
        self.start, self.organization, self._serial = start, organization, 0
        root_key, self._key = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP256R1())

        def build(common_name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
            return (
                x509.CertificateBuilder()
                .subject_name(name(organization, common_name))
                .issuer_name(name(organization, "tsa-root"))
                .public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(start)
                .not_valid_after(start + lifetime)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                .add_extension(
                    x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
                )
            )

        self.root = (
            build("tsa-root", root_key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage(certifies=True), critical=True)
            .sign(root_key, hashes.SHA384())
        )
        leaf = build("tsa", self._key).add_extension(key_usage(signs=True), critical=True)
        if purpose is not None:
            leaf = leaf.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        self.leaf = leaf.sign(root_key, hashes.SHA384())

    def stamp(
        self, message: bytes, at: datetime, *, certificates: tuple[x509.Certificate, ...] = (), signers: int = 1
    ) -> bytes:
        """A TimeStampResp over the SHA-256 of `message`, with `certificates` embedded and that many SignerInfos."""
        return self.stamp_digest(sha256(message), at, certificates=certificates, signers=signers)

    def stamp_digest(
        self, digest: bytes, at: datetime, *, certificates: tuple[x509.Certificate, ...] = (), signers: int = 1
    ) -> bytes:
        """The same over a SHA-256 digest, which is all that a timestamp request carries."""
        self._serial += 1
        info = tlv(
            SEQUENCE,
            integer(1),
            _POLICY,
            tlv(SEQUENCE, _SHA256, tlv(OCTET_STRING, digest)),
            integer(self._serial),
            tlv(GENERALIZED_TIME, at.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode()),
        )
        # DER: the members of a SET OF stand in the order of their encodings.
        embedded = tlv(_EXPLICIT, *sorted(der(certificate) for certificate in certificates)) if certificates else b""
        signed_data = tlv(
            SEQUENCE,
            integer(3),
            tlv(SET, _SHA256),
            tlv(SEQUENCE, _TST_INFO, tlv(_EXPLICIT, tlv(OCTET_STRING, info))),
            embedded,
            tlv(SET, *sorted(self._signer_info(info) for _ in range(signers))),
        )
        granted = tlv(SEQUENCE, integer(0))
        return tlv(SEQUENCE, granted, tlv(SEQUENCE, _SIGNED_DATA, tlv(_EXPLICIT, signed_data)))

    def _signer_info(self, info: bytes) -> bytes:
        """CMS (RFC 5652) SignerInfo with the signing certificate named by its hash (RFC 5816)."""
        essence = tlv(SEQUENCE, tlv(SEQUENCE, tlv(SEQUENCE, tlv(OCTET_STRING, sha256(der(self.leaf))))))
        attributes = b"".join(
            sorted(
                [
                    tlv(SEQUENCE, _CONTENT_TYPE, tlv(SET, _TST_INFO)),
                    tlv(SEQUENCE, _MESSAGE_DIGEST, tlv(SET, tlv(OCTET_STRING, sha256(info)))),
                    tlv(SEQUENCE, _SIGNING_CERTIFICATE_V2, tlv(SET, essence)),
                ]
            )
        )
        signature = self._key.sign(tlv(SET, attributes), ec.ECDSA(hashes.SHA256()))
        return tlv(
            SEQUENCE,
            integer(1),
            tlv(SEQUENCE, self.leaf.issuer.public_bytes(), integer(self.leaf.serial_number)),
            _SHA256,
            tlv(_EXPLICIT, attributes),
            _ECDSA_SHA256,
            tlv(OCTET_STRING, signature),
        )

    def trust(self, start: datetime | None = None, end: datetime | None = None) -> dict[str, Any]:
        """Its entry in a trusted root."""
        return {
            "subject": {"organization": self.organization, "commonName": "tsa-root"},
            "uri": "https://timestamp.example",
            "certChain": {"certificates": [{"rawBytes": b64(der(c))} for c in (self.leaf, self.root)]},
            "validFor": window(start or self.start, end),
        }
