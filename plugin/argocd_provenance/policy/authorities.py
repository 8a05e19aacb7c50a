"""The authorities of a ClusterImagePolicy: any of them satisfies the policy.

Stricter than upstream: certificates always need the proof of time that their trust domain asks for.
"""

from collections.abc import Mapping

from argocd_provenance.errors import InvalidReference
from argocd_provenance.evidence.values import KeyAnchor
from argocd_provenance.oci.reference import Reference
from argocd_provenance.operatorfile import Field
from argocd_provenance.policy.fields import pattern, public_key
from argocd_provenance.policy.model import Authority, Demand, EvidenceSource
from argocd_provenance.policy.patterns import Exact, Expression, Pattern
from argocd_provenance.policy.predicates import predicate_type
from argocd_provenance.policy.signers import DEFAULT_DOMAIN, IdentitySigner, KeySigner, Signer

_KNOWN = (
    "name", "key", "keyless", "static", "source", "ctlog", "rfc3161timestamp", "signatureFormat", "attestations",
)  # fmt: skip
_KINDS = ("key", "keyless", "static")
_HASHES = ("sha256", "sha224", "sha384", "sha512")


def authority(entry: Field, place: int, warnings: list[str]) -> Authority | None:
    """The authority at `entry`, the `place`-th of its policy; None and faults for what is none.

    What a lint should say of it is added to `warnings`.
    """
    fields = entry.mapping(_KNOWN)
    kinds = [kind for kind in _KINDS if kind in fields]
    if len(kinds) != 1:
        entry.fault("must have one of key, keyless and static")
        return None
    name = fields["name"].text() if "name" in fields else f"authority-{place}"
    if kinds == ["static"]:
        return _static(fields, name)
    if "signatureFormat" in fields:
        fields["signatureFormat"].choice(("legacy", "bundle"))
    log_domain = _log(fields.get("ctlog"))
    signers: tuple[Signer, ...]
    if kinds == ["key"]:
        if "rfc3161timestamp" in fields:
            fields["rfc3161timestamp"].fault("is not read beside a key; demand a log entry by `ctlog`")
        signers = _key(fields["key"], log_domain)
        if log_domain is None:
            warnings.append(f"{entry.path}: a key without ctlog needs no log entry: a stolen key leaves no trace")
    else:
        signers = _keyless(fields["keyless"], log_domain, fields.get("rfc3161timestamp"), warnings)
    source = evidence_source(fields["source"]) if "source" in fields else None
    demands = _demands(fields.get("attestations"), signers, entry.path)
    return Authority(demands, name, source=source) if signers and demands else None


def _static(fields: Mapping[str, Field], name: str) -> Authority | None:
    for other in ("attestations", "source", "ctlog", "rfc3161timestamp", "signatureFormat"):
        if other in fields:
            fields[other].fault("means nothing beside static; remove it")
    parts = fields["static"].mapping(("action", "message"), ("action",))
    if "action" not in parts:
        return None
    message = parts["message"].text() if "message" in parts else ""
    return Authority(
        name=name, static="pass" if parts["action"].choice(("pass", "fail")) == "pass" else "fail", message=message
    )


def _log(field: Field | None) -> str | None:
    """The trust domain whose log is demanded, or None where no `ctlog` stands."""
    if field is None:
        return None
    parts = field.mapping(("url", "trustRootRef"))
    if not parts:
        field.fault("is empty, and upstream then demands no log at all; name url or trustRootRef, or leave it out")
    if "url" in parts and not parts["url"].text().startswith(("https://", "http://")):
        parts["url"].fault("must be a URL; it is not asked, the proof is in the evidence")
    return parts["trustRootRef"].text() if "trustRootRef" in parts else DEFAULT_DOMAIN


def _key(field: Field, log_domain: str | None) -> tuple[Signer, ...]:
    parts = field.mapping(("data", "secretRef", "kms", "hashAlgorithm"))
    for name, remedy in (("secretRef", "is a Secret of a cluster"), ("kms", "is a key of a cloud")):
        if name in parts:
            parts[name].fault(f"{remedy}, which is not asked here; write the public key as `data`")
    if "hashAlgorithm" in parts:
        written = str(parts["hashAlgorithm"].plain_values()).lower()
        if written not in _HASHES:
            parts["hashAlgorithm"].choice(_HASHES)
        elif written != "sha256":
            parts["hashAlgorithm"].fault(f"{written} is not read here; a key is checked with the hash of its own type")
    if "data" not in parts:
        if not {"secretRef", "kms"} & parts.keys():
            field.fault("data is missing: the public key as PEM")
        return ()
    pem = parts["data"].text()
    spki = public_key(parts["data"], pem.encode()) if pem else None
    if spki is None:
        return ()
    anchor = KeyAnchor(spki, log_domain is not None, log_domain or DEFAULT_DOMAIN)
    return (KeySigner(anchor, anchor.name.removeprefix("key:")),)


def _keyless(field: Field, log_domain: str | None, stamped: Field | None, warnings: list[str]) -> tuple[Signer, ...]:
    parts = field.mapping(("url", "ca-cert", "identities", "trustRootRef", "insecureIgnoreSCT"), ("identities",))
    if "ca-cert" in parts:
        parts["ca-cert"].fault("is not read here, and dead upstream; write a trust domain and name it in trustRootRef")
    if "url" in parts and not parts["url"].text().startswith(("https://", "http://")):
        parts["url"].fault("must be a URL; it is not asked, trust comes from the trust domain")
    domain = parts["trustRootRef"].text() if "trustRootRef" in parts else DEFAULT_DOMAIN
    if "insecureIgnoreSCT" in parts and parts["insecureIgnoreSCT"].boolean() and domain == DEFAULT_DOMAIN:
        parts["insecureIgnoreSCT"].fault("would drop a proof; name a trust domain whose `requires` has no sct")
    if log_domain not in (None, DEFAULT_DOMAIN, domain):
        field.fault(f"ctlog.trustRootRef is {log_domain}, and the certificates are of {domain}; one domain proves both")
    if stamped is not None:
        ref = stamped.mapping(("trustRootRef",), ("trustRootRef",)).get("trustRootRef")
        if ref is not None and ref.text() != domain:
            ref.fault(f"must be {domain}, the domain of the certificates; its `requires` says which proof is needed")
    if "identities" not in parts:
        return ()
    found = (_identity(item, domain, warnings) for item in parts["identities"].sequence(empty=False))
    return tuple(signer for signer in found if signer is not None)


def _identity(field: Field, domain: str, warnings: list[str]) -> IdentitySigner | None:
    parts = field.mapping(("issuer", "issuerRegExp", "subject", "subjectRegExp"))
    found: list[Pattern | None] = []
    for exact in ("issuer", "subject"):
        expression = f"{exact}RegExp"
        if (exact in parts) == (expression in parts):
            field.fault(f"needs one of {exact} and {expression}")
            return None
        if exact in parts:
            text = parts[exact].text()
            found.append(Exact(text) if text else None)
        else:
            found.append(pattern(parts[expression], lambda text: Expression(text, anywhere=True)))
            warnings.append(f"{parts[expression].path}: matches anywhere in the text, as upstream; write ^…$")
    issuer, subject = found
    return IdentitySigner(issuer, subject, domain) if issuer is not None and subject is not None else None


def _demands(field: Field | None, signers: tuple[Signer, ...], path: str) -> tuple[Demand, ...]:
    if field is None:
        return (Demand("signature", signers, path=path),) if signers else ()
    found: list[Demand] = []
    for item in field.sequence(empty=False):
        parts = item.mapping(("name", "predicateType", "policy"), ("name", "predicateType"))
        if "policy" in parts:
            parts["policy"].fault(_language(parts["policy"]))
        written = parts["predicateType"].text() if "predicateType" in parts else ""
        kind = predicate_type(written) or written
        if signers and kind:
            found.append(Demand("attestation", signers, predicate_types=frozenset({kind}), path=item.path))
    return tuple(found)


def _language(field: Field) -> str:
    kind = field.value.get("type") if isinstance(field.value, Mapping) else None
    named = f"type: {kind.plain_values()}" if kind is not None else "this language"
    return f"{named} is not read here; write an ImagePolicy with `where` (CEL)"


def evidence_source(field: Field) -> EvidenceSource | None:
    """The other repository where signatures lie, of `source`; None and a fault for what is none."""
    items = field.sequence(empty=False)
    if len(items) > 1:
        field.fault("has several entries; only a single source is read, as upstream")
    if len(items) != 1:
        return None
    parts = items[0].mapping(("oci", "tagPrefix", "signaturePullSecrets"))
    if "signaturePullSecrets" in parts:
        parts["signaturePullSecrets"].fault(
            "is a Secret of a cluster; credentials come from the registry's own settings"
        )
    prefix = parts["tagPrefix"].text() if "tagPrefix" in parts else ""
    repository = None
    if "oci" in parts and (written := parts["oci"].text()):
        try:
            repository = Reference.parse(written).repository
        except InvalidReference as error:
            parts["oci"].fault(str(error))
    if repository is None and not prefix:
        items[0].fault("names neither oci nor tagPrefix")
        return None
    return EvidenceSource(repository, prefix)
