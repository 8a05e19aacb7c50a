"""A ClusterImagePolicy as a draft.

It is read as is too (`policy.cluster_image_policy`), which refuses what is malformed; here only what an ImagePolicy can say
is carried over, and the rest is refused by name.
"""

from collections.abc import Mapping
from typing import Any

from argocd_provenance.operatorfile import Field
from argocd_provenance.policy.importing.draft import Draft, any_spelling, exact, identity, whole
from argocd_provenance.policy.patterns import BadPatternError
from argocd_provenance.policy.predicates import predicate_type

_HUB = "index.docker.io/"
_ADVICE = "write the ImagePolicy by hand, or let the ClusterImagePolicy be read as it is"


def from_cluster_image_policy(root: Field) -> Draft:
    """The draft for the policy at `root`; faults for what cannot be carried over."""
    top = root.mapping(("apiVersion", "kind", "metadata", "spec", "status"), ("metadata", "spec"))
    if not {"metadata", "spec"} <= top.keys():
        return Draft("", "")
    metadata = top["metadata"].mapping(None)
    name = metadata["name"].text() if "name" in metadata else ""
    draft = Draft(name, f"the ClusterImagePolicy {name}")
    spec = top["spec"].mapping(("images", "authorities", "mode", "match", "policy"), ("images", "authorities"))
    draft.mode = spec["mode"].choice(("enforce", "warn")) if "mode" in spec else "enforce"
    for item in spec["images"].sequence(empty=False) if "images" in spec else ():
        glob = item.mapping(("glob",), ("glob",)).get("glob")
        if glob is not None:
            draft.images.append(_pattern(glob.text(), draft))
    draft.images = list(dict.fromkeys(draft.images))
    if "match" in spec:
        draft.stricter("it is about all objects that run these images; `match` named some")
    if "policy" in spec:
        spec["policy"].fault(f"is a policy over all authorities, which an ImagePolicy does not have; {_ADVICE}")
    if "authorities" in spec:
        draft.require = _require(spec["authorities"], draft)
    return draft


def _pattern(glob: str, draft: Draft) -> str:
    """An image pattern for all that `glob` matches, and whatever tags and digests these have."""
    text = {"*": f"{_HUB}library/*", "*/*": f"{_HUB}*/*"}.get(glob, glob)
    name = text.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = any_spelling(head + slash + last.partition(":")[0])
    if name != text or "*" not in last:
        draft.stricter(f"{name or '**'} is about every tag and digest; the glob was {glob}")
    return name or "**"


def _require(field: Field, draft: Draft) -> list[dict[str, Any]]:
    found = [(item, one) for item in field.sequence(empty=False) if (one := _authority(item, draft)) is not None]
    if not found:
        return []
    demanded = [attestations for _, (_, attestations) in found]
    if any(attestations != demanded[0] for attestations in demanded):
        field.fault(f"its authorities demand different attestations, any of which would do; {_ADVICE}")
    if len(found) > 1 and len(demanded[0]) > 1:
        field.fault(f"several authorities each demand several attestations of one signer; {_ADVICE}")
    by: list[dict[str, Any]] = []
    for _, (signers, _) in found:
        by += [signer for signer in signers if signer not in by]
    if not demanded[0]:
        return [{"signature": {"by": by}}]
    return [{"attestation": {"type": one["type"], "by": by, **_where(one)}} for one in demanded[0]]


def _where(attestation: Mapping[str, Any]) -> dict[str, Any]:
    return {"where": attestation["where"]} if "where" in attestation else {}


def _authority(item: Field, draft: Draft) -> tuple[list[dict[str, Any]], list[dict[str, Any]]] | None:
    known = (
        "name",
        "key",
        "keyless",
        "static",
        "source",
        "ctlog",
        "rfc3161timestamp",
        "signatureFormat",
        "attestations",
    )
    parts = item.mapping(known)
    for name in ("static", "source", "rfc3161timestamp"):
        if name in parts:
            parts[name].fault(f"cannot be carried over; {_ADVICE}")
    log = parts["ctlog"].mapping(("url", "trustRootRef")) if "ctlog" in parts else {}
    if "trustRootRef" in log:
        log["trustRootRef"].fault(f"names a log of another instance; {_ADVICE}")
    if "url" in log:
        draft.remark("Left out: ctlog.url; the log is that of the trust domain.")
    if "key" in parts:
        signers = _key(parts["key"], draft, logged="ctlog" in parts)
    elif "keyless" in parts:
        signers = _keyless(parts["keyless"], draft)
    else:
        if "static" not in parts:
            item.fault("must have one of key and keyless")
        return None
    attestations = (
        [_attestation(one) for one in parts["attestations"].sequence(empty=False)] if "attestations" in parts else []
    )
    return signers, attestations


def _key(field: Field, draft: Draft, *, logged: bool) -> list[dict[str, Any]]:
    parts = field.mapping(("data", "secretRef", "kms", "hashAlgorithm"))
    for name in ("secretRef", "kms"):
        if name in parts:
            parts[name].fault("is known to a cluster only; put the public key into `data`")
    if "hashAlgorithm" in parts:
        parts["hashAlgorithm"].fault(f"an ImagePolicy's key has no hash of its own; {_ADVICE}")
    if "data" not in parts:
        return []
    if not logged:
        draft.remark("log: false: the key had no ctlog, and so needed no log entry. Remove the line to demand one.")
    return [{"key": {"pem": parts["data"].text(), **({} if logged else {"log": False})}}]


def _keyless(field: Field, draft: Draft) -> list[dict[str, Any]]:
    parts = field.mapping(("url", "ca-cert", "identities", "trustRootRef", "insecureIgnoreSCT"), ("identities",))
    if "ca-cert" in parts:
        parts["ca-cert"].fault("cannot be carried over; name a trust domain of the config")
    if "insecureIgnoreSCT" in parts and parts["insecureIgnoreSCT"].boolean():
        draft.stricter("the certificate needs an SCT, where its trust domain demands one")
    domain = parts["trustRootRef"].text() if "trustRootRef" in parts else ""
    if domain:
        draft.remark(f"domain: {domain} must be a trust domain of the config, or a TrustRoot beside this policy.")
    found = []
    for item in parts["identities"].sequence(empty=False) if "identities" in parts else ():
        said = item.mapping(("issuer", "issuerRegExp", "subject", "subjectRegExp"))
        if "issuerRegExp" in said:
            said["issuerRegExp"].fault("is an expression; an ImagePolicy names one issuer in each entry of `by`")
        if "issuer" not in said or ("subject" in said) == ("subjectRegExp" in said):
            item.fault("needs an issuer, and one of subject and subjectRegExp")
            continue
        if "subject" in said:
            subject = exact(said["subject"].text())
        else:
            try:
                subject = whole(said["subjectRegExp"].text(), draft)
            except BadPatternError as error:
                said["subjectRegExp"].fault(str(error))
                continue
        found.append(identity(said["issuer"].text(), subject, domain))
    return found


def _attestation(field: Field) -> dict[str, Any]:
    parts = field.mapping(("name", "predicateType", "policy"), ("name", "predicateType"))
    written = parts["predicateType"].text() if "predicateType" in parts else ""
    kind = predicate_type(written)
    if written and kind is None:
        parts["predicateType"].fault(f"is {written!r}, which is no URI")
    found: dict[str, Any] = {"type": kind or written}
    if "policy" in parts:
        inner = parts["policy"].mapping(("type", "data", "configMapRef", "remote"), ("type",))
        language = str(inner["type"].plain_values()) if "type" in inner else ""
        if language != "cel" or "data" not in inner:
            parts["policy"].fault(
                f"{language} cannot be carried over; write the rule in CEL, as `where`, or let the ClusterImagePolicy be read as it is"
            )
        else:
            found["where"] = inner["data"].text().strip()
    return found
