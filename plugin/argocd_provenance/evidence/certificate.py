"""What a Fulcio certificate says about its holder. fulcio: docs/oid-info.md, docs/certificate-specification.md.

Law: a certificate names one identity and one issuer, or it names nobody.
"""

from collections.abc import Mapping

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID

from argocd_provenance.evidence.limits import MAX_CERTIFICATE, MAX_IDENTITY
from argocd_provenance.evidence.rejections import Refused
from argocd_provenance.evidence.values import Certificate
from argocd_provenance.regex import regex

FULCIO = "1.3.6.1.4.1.57264.1."
GITHUB = "https://token.actions.githubusercontent.com"
GITHUB_RELEASES = "https://dotcom.releases.github.com"
"""Who signs what an immutable release holds (`gh release verify`); it counts as its own issuer."""
_USERNAME = FULCIO + "7"
_CONTROL = regex(r"[\x00-\x1f\x7f-\x9f]")
_RAW_ARCS = range(1, 7)
"""The oldest extensions hold bare text, the others a DER UTF8String."""

CLAIM_NAMES: Mapping[str, tuple[int, ...]] = {
    "buildSignerURI": (9,),
    "buildSignerDigest": (10,),
    "runnerEnvironment": (11,),
    "sourceRepositoryURI": (12,),
    "sourceRepositoryDigest": (13, 3),
    "sourceRepositoryRef": (14, 6),
    "sourceRepositoryIdentifier": (15,),
    "sourceRepositoryOwnerURI": (16,),
    "sourceRepositoryOwnerIdentifier": (17,),
    "buildConfigURI": (18,),
    "buildConfigDigest": (19,),
    "buildTrigger": (20, 2),
    "runInvocationURI": (21,),
    "sourceRepositoryVisibilityAtSigning": (22,),
    "deploymentEnvironment": (23,),
    "tokenSubject": (24,),
    "githubWorkflowName": (4,),
}
"""Claims, and the last arcs of the OIDs they are read from, the first that is there."""

X509_FAULTS = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises about bytes that are no certificate, or one that is not understood."""


def load(der: bytes) -> x509.Certificate:
    """The certificate that `der` encodes; raises `Refused`."""
    if len(der) > MAX_CERTIFICATE:
        raise Refused("too-large", f"the certificate has {len(der)} bytes")
    try:
        return x509.load_der_x509_certificate(der)
    except X509_FAULTS as fault:
        raise Refused("malformed", f"the certificate cannot be read: {fault}") from None


def check_purpose(certificate: x509.Certificate) -> None:
    """Check that it was issued for signing code; raises `Refused`."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except X509_FAULTS as fault:
        raise Refused("verification", f"the certificate does not say what it is for: {fault}") from None
    if not usage.digital_signature:
        raise Refused("verification", "the certificate is not for signatures (key usage)")
    if ExtendedKeyUsageOID.CODE_SIGNING not in purposes:
        raise Refused("verification", "the certificate is not for signing code (extended key usage)")


def read(certificate: x509.Certificate) -> Certificate:
    """Identity, issuer and claims of `certificate`; raises `Refused` where they are missing, several or contradictory."""
    try:
        said = _extensions(certificate)
        identity = _identity(certificate)
    except X509_FAULTS as fault:
        raise Refused("malformed", f"the certificate's extensions cannot be read: {fault}") from None
    if 1 in said and 8 in said and said[1] != said[8]:
        raise Refused("verification", f"the certificate names two issuers: {said[1]!r} and {said[8]!r}")
    issuer = said.get(8) or said.get(1) or ""
    if not said and identity == GITHUB_RELEASES:
        # GitHub's own certificate for immutable releases: no token vouched for it, and no extension of Fulcio's is in it.
        issuer = identity
    if not issuer or not identity:
        raise Refused("verification", "the certificate names no identity or no issuer")
    claims, read_from = {}, {}
    for name, arcs in CLAIM_NAMES.items():
        arc = next((arc for arc in arcs if arc in said), None)
        if arc is not None:
            claims[name], read_from[name] = said[arc], f"{FULCIO}{arc}"
    if 12 not in said and 5 in said and issuer == GITHUB:
        # Certificates from before 2023 name the repository without the host it stands on.
        claims["sourceRepositoryURI"] = f"https://github.com/{said[5]}"
        read_from["sourceRepositoryURI"] = f"{FULCIO}5"
    for value in (identity, issuer, *claims.values()):
        _check_text(value)
    if not (identity + issuer).isprintable():
        # Direction marks and the like: people would read another name than the one that is compared.
        raise Refused("malformed", f"the certificate's identity or issuer cannot be printed: {identity[:200]!r}")
    return Certificate(identity, issuer, claims, read_from)


def claimed_identity(der: bytes) -> str:
    """Who the certificate claims to be for, for messages only; empty where that cannot be read."""
    try:
        return read(load(der)).identity
    except Refused:
        return ""


def _check_text(value: str) -> None:
    if len(value) > MAX_IDENTITY:
        raise Refused("too-large", f"the certificate holds a claim of {len(value)} characters")
    if _CONTROL.search(value):
        raise Refused("malformed", f"the certificate holds control characters: {value[:200]!r}")


def _extensions(certificate: x509.Certificate) -> dict[int, str]:
    said: dict[int, str] = {}
    for extension in certificate.extensions:
        oid = extension.oid.dotted_string
        arc = oid.removeprefix(FULCIO)
        if oid.startswith(FULCIO) and arc.isdecimal() and isinstance(extension.value, x509.UnrecognizedExtension):
            raw = extension.value.value
            said[int(arc)] = raw.decode() if int(arc) in _RAW_ARCS else _utf8_string(raw)
    return said


def _identity(certificate: x509.Certificate) -> str:
    names = list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    if len(names) != 1:
        raise Refused("verification", f"the certificate names {len(names)} identities, exactly one is expected")
    match names[0]:
        case x509.RFC822Name() | x509.UniformResourceIdentifier():
            return names[0].value
        case x509.OtherName() if names[0].type_id.dotted_string == _USERNAME:
            return _utf8_string(names[0].value)
        case other:
            raise Refused("verification", f"the certificate's identity is of a kind not known: {type(other).__name__}")


def _utf8_string(der: bytes) -> str:
    """The text of a DER UTF8String; raises ValueError on anything else."""
    if len(der) < 2 or der[0] != 0x0C:
        raise ValueError("not a UTF8String")
    start, size = 2, der[1]
    if size > 0x80:
        start = 2 + (size & 0x7F)
        size = int.from_bytes(der[2:start], "big")
        if size < 0x80 or der[2] == 0:
            raise ValueError("a length that is not DER")
    if size == 0x80 or len(der) != start + size:
        raise ValueError("a UTF8String of another length")
    return der[start:].decode()
