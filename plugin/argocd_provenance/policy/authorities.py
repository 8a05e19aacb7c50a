"""The authorities of a ClusterImagePolicy: any of them satisfies the policy.

Stricter than upstream: certificates always need a proof of time, by a log or a timestamp authority.
"""

from collections.abc import Mapping
from typing import Literal

from argocd_provenance.errors import InvalidReference
from argocd_provenance.oci.reference import Reference
from argocd_provenance.operatorfile import Field
from argocd_provenance.policy.fields import Reading, pattern
from argocd_provenance.policy.foreignkeys import key_signer
from argocd_provenance.policy.foreignpolicy import attestation_policy
from argocd_provenance.policy.model import Authority, Condition, Demand, EvidenceSource, MixedDomain
from argocd_provenance.policy.patterns import Exact, Expression, Pattern
from argocd_provenance.policy.predicates import predicate_type
from argocd_provenance.policy.signers import DEFAULT_DOMAIN, IdentitySigner, Signer

_KNOWN = (
    "name", "key", "keyless", "static", "source", "ctlog", "rfc3161timestamp", "signatureFormat", "attestations",
)  # fmt: skip
_KINDS = ("key", "keyless", "static")


def authority(
    entry: Field, place: int, reading: Reading, warnings: list[str], domains: list[MixedDomain]
) -> Authority | None:
    """The authority at `entry`, the `place`-th of its policy; None and faults for what is none.

    What a lint should say of it is added to `warnings`, the trust domains that it puts together to `domains`.
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
    log = _log(fields.get("ctlog"))
    stamps = _stamps(fields.get("rfc3161timestamp"))
    signers: tuple[Signer, ...]
    if kinds == ["key"]:
        signers = key_signer(fields["key"], log, stamps, reading, domains)
        if log is None and stamps is None:
            warnings.append(f"{entry.path}: a key without ctlog needs no log entry: a stolen key leaves no trace")
    else:
        signers = _keyless(fields["keyless"], log, stamps, warnings, domains)
    source = evidence_source(fields["source"]) if "source" in fields else None
    demands = _demands(fields.get("attestations"), signers, entry.path, reading, warnings)
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


def _stamps(field: Field | None) -> str | None:
    """The trust domain whose timestamp authority is demanded, or None."""
    if field is None:
        return None
    ref = field.mapping(("trustRootRef",), ("trustRootRef",)).get("trustRootRef")
    return ref.text() if ref is not None else None


def _keyless(
    field: Field, log: str | None, stamps: str | None, warnings: list[str], domains: list[MixedDomain]
) -> tuple[Signer, ...]:
    parts = field.mapping(("url", "ca-cert", "identities", "trustRootRef", "insecureIgnoreSCT"), ("identities",))
    if "ca-cert" in parts:
        parts["ca-cert"].fault(
            "is not read here, and upstream nothing ever matches it; write a TrustRoot with the certificate, or a trust "
            "domain of the config, and name it in trustRootRef"
        )
    if "url" in parts and not parts["url"].text().startswith(("https://", "http://")):
        parts["url"].fault("must be a URL; it is not asked, trust comes from the trust domain")
    base = parts["trustRootRef"].text() if "trustRootRef" in parts else DEFAULT_DOMAIN
    sct = not ("insecureIgnoreSCT" in parts and parts["insecureIgnoreSCT"].boolean())
    if not sct:
        warnings.append(f"{parts['insecureIgnoreSCT'].path}: nobody need have published the certificate")
    domain = _domain(base, log, stamps, domains, sct=sct)
    if "identities" not in parts:
        return ()
    found = (_identity(item, domain, warnings) for item in parts["identities"].sequence(empty=False))
    return tuple(signer for signer in found if signer is not None)


def _domain(base: str, log: str | None, stamps: str | None, domains: list[MixedDomain], *, sct: bool) -> str:
    """The trust domain that proves all that is asked for: `base`, or one put together from several.

    Upstream leaves the log out where a timestamp is demanded, and where a `trustRootRef` stands without `ctlog`; here the
    log is left out for a timestamp without `ctlog` only, and what the base demands holds where nothing is said.
    """
    asked: set[Literal["log", "timestamp"]] = set()
    if log is not None:
        asked.add("log")
    if stamps is not None:
        asked.add("timestamp")
    requires = frozenset(asked) or None
    if base == DEFAULT_DOMAIN and log in {None, base} and stamps is None and sct:
        return base
    if requires is None and sct:
        return base
    said = [
        what if domain == base else f"{what} of {domain}"
        for what, domain in (("log", log), ("timestamp", stamps))
        if domain is not None
    ]
    name = f"{base} ({', '.join([*said, *['no SCT'] * (not sct)])})"
    domains.append(MixedDomain(name, base, log or base, stamps or base, requires, sct))
    return name


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


def _demands(
    field: Field | None, signers: tuple[Signer, ...], path: str, reading: Reading, warnings: list[str]
) -> tuple[Demand, ...]:
    if field is None:
        return (Demand("signature", signers, path=path),) if signers else ()
    found: list[Demand] = []
    for item in field.sequence(empty=False):
        parts = item.mapping(("name", "predicateType", "policy"), ("name", "predicateType"))
        where: tuple[Condition, ...] = ()
        if "policy" in parts:
            condition = attestation_policy(parts["policy"], reading, warnings)
            where = (condition,) if condition is not None else ()
        name = parts["name"].text() if "name" in parts else ""
        written = parts["predicateType"].text() if "predicateType" in parts else ""
        kind = predicate_type(written) or written
        if signers and kind:
            found.append(
                Demand(
                    "attestation", signers, predicate_types=frozenset({kind}), where=where, name=name, path=item.path
                )
            )
    return tuple(found)


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
