"""Kyverno's rules about images as drafts: `verifyImages` of a ClusterPolicy, and ImageValidatingPolicy.

kyverno: api/kyverno/v1/image_verification_types.go, api/policies.kyverno.io. A `*` of Kyverno's crosses every character.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from argocd_provenance.operatorfile import Field
from argocd_provenance.policy.importing.draft import Draft, any_spelling, exact, identity, whole
from argocd_provenance.policy.patterns import BadPatternError
from argocd_provenance.policy.predicates import predicate_type

_IGNORED = ("mutateDigest", "verifyDigest", "required", "useCache", "imageRegistryCredentials", "failureAction")
_KNOWN = ("type", "imageReferences", "skipImageReferences", "attestors", "attestations", *_IGNORED)
_CALL = re.compile(
    r"images\.(?:containers|initContainers|ephemeralContainers)\.map\(image,(?P<call>.+?)\)\.all\(e,e>0\)"
)
_SIGNATURES = re.compile(r"verifyImageSignatures\(image,\[(?P<by>attestors\.\w+(?:,attestors\.\w+)*)\]\)")
_ATTESTATIONS = re.compile(
    r"verifyAttestationSignatures\(image,attestations\.(?P<what>\w+),\[(?P<by>attestors\.\w+(?:,attestors\.\w+)*)\]\)"
)


def from_cluster_policy(root: Field) -> list[Draft]:
    """A draft for each entry of `verifyImages`; faults for what cannot be carried over."""
    top = root.mapping(None)
    name = _name(top)
    spec = top["spec"].mapping(None) if "spec" in top else {}
    rules = spec["rules"].sequence(empty=False) if "rules" in spec else ()
    if not rules:
        root.fault("has no spec.rules")
    drafts: list[Draft] = []
    for rule in rules:
        parts = rule.mapping(None)
        if "verifyImages" not in parts:
            rule.fault("verifies no image; only verifyImages can be carried over")
            continue
        for entry in parts["verifyImages"].sequence(empty=False):
            draft = Draft(name if not drafts else f"{name}-{len(drafts) + 1}", f"the Kyverno ClusterPolicy {name}")
            draft.mode = _mode(spec, entry, draft)
            for dropped in ("match", "exclude", "preconditions"):
                if dropped in parts:
                    draft.stricter(f"it is about all objects that run these images; `{dropped}` chose some")
            _entry(entry, draft)
            drafts.append(draft)
    return drafts


def _name(top: Mapping[str, Field]) -> str:
    metadata = top["metadata"].mapping(None) if "metadata" in top else {}
    return metadata["name"].text() if "name" in metadata else "imported"


def _mode(spec: Mapping[str, Field], entry: Field, draft: Draft) -> str:
    inner = entry.mapping(None)
    said = inner.get("failureAction") or spec.get("validationFailureAction")
    if said is None:
        draft.stricter("mode: enforce, since no failure action was written; Kyverno then only audits")
        return "enforce"
    return "warn" if said.text().lower() == "audit" else "enforce"


def _entry(entry: Field, draft: Draft) -> None:
    parts = entry.mapping(
        (
            *_KNOWN,
            "repository",
            "cosignOCI11",
            "image",
            "key",
            "issuer",
            "subject",
            "roots",
            "annotations",
            "additionalExtensions",
            "validate",
        )
    )
    if "type" in parts:
        parts["type"].choice(("Cosign", "SigstoreBundle"))
    for name in parts:
        if name not in _KNOWN:
            parts[name].fault("cannot be carried over; write the ImagePolicy by hand")
    if "imageReferences" not in parts:
        entry.fault("imageReferences is missing")
        return
    draft.images = [_wider(item.text(), draft) for item in parts["imageReferences"].sequence(empty=False)]
    for item in parts["skipImageReferences"].sequence() if "skipImageReferences" in parts else ():
        draft.exclude += _skipped(item)
    demands = (
        [_demand(item, draft) for item in parts["attestors"].sequence(empty=False)] if "attestors" in parts else []
    )
    draft.require = [{"signature": one} for one in demands]
    for item in parts["attestations"].sequence(empty=False) if "attestations" in parts else ():
        draft.require += _attestation(item, demands, draft)
    if not draft.require and not any(name == "attestors" for name in parts):
        entry.fault("names no attestors, so that it proves nothing")


def _wider(written: str, draft: Draft) -> str:
    """A pattern for all that `written` matches, whatever its tag."""
    name = written.partition("@")[0].replace("?", "*")
    head, slash, last = name.rpartition("/")
    name = any_spelling(re.sub(r"\*+", "**", head + slash + last.partition(":")[0]))
    if name != re.sub(r"\*+", "**", written):
        draft.stricter(f"{name} is about every tag and digest; the pattern was {written}")
    return name


def _skipped(item: Field) -> list[str]:
    """Only what skips all tags can be left out alike: beside a digest, a tag is nobody's proof."""
    written = item.text()
    head, slash, last = written.rpartition("/")
    name, colon, tag = last.partition(":")
    if "@" in written or "?" in written or (colon and tag != "*") or (not colon and not last.endswith("*")):
        item.fault(f"{written} skips some tags or digests only; exclude takes whole repositories (NAME:* or NAME*)")
        return []
    return [re.sub(r"\*+", "**", head + slash + name)]


def _demand(attestor: Field, draft: Draft) -> dict[str, Any]:
    parts = attestor.mapping(("count", "entries"), ("entries",))
    entries = parts["entries"].sequence(empty=False) if "entries" in parts else ()
    by = [signer for entry in entries if (signer := _signer(entry, draft)) is not None]
    count = parts["count"].integer(1, max(1, len(entries))) if "count" in parts else len(entries)
    return {"by": by, **({"atLeast": count} if count > 1 else {})}


def _signer(entry: Field, draft: Draft) -> dict[str, Any] | None:
    parts = entry.mapping(("keys", "keyless", "certificates", "attestor", "annotations", "repository"))
    for name in ("certificates", "attestor", "annotations", "repository"):
        if name in parts:
            parts[name].fault("cannot be carried over; write the ImagePolicy by hand")
    if "keys" in parts:
        return _keys(parts["keys"])
    if "keyless" in parts:
        return _keyless(parts["keyless"], draft)
    entry.fault("has neither keys nor keyless")
    return None


def _keys(field: Field) -> dict[str, Any]:
    parts = field.mapping(("publicKeys", "signatureAlgorithm", "kms", "secret", "rekor", "ctlog"))
    for name in ("kms", "secret"):
        if name in parts:
            parts[name].fault("is known to a cluster only; write the public key into publicKeys")
    if "signatureAlgorithm" in parts:
        parts["signatureAlgorithm"].choice(("sha256",))
    pem = parts["publicKeys"].text() if "publicKeys" in parts else ""
    if "{{" in pem or "://" in pem:
        parts["publicKeys"].fault(f"{pem.strip()[:80]} is known to a cluster only; write the public key itself")
    elif pem.count("BEGIN PUBLIC KEY") > 1:
        parts["publicKeys"].fault("holds several keys; write an entry for each")
    rekor = parts["rekor"].mapping(None) if "rekor" in parts else {}
    ignored = "ignoreTlog" in rekor and rekor["ignoreTlog"].boolean()
    if "pubkey" in rekor:
        rekor["pubkey"].fault("names a log of another instance; name a trust domain of the config")
    return {"key": {"pem": pem, **({"log": False} if ignored else {})}}


def _keyless(field: Field, draft: Draft) -> dict[str, Any] | None:
    parts = field.mapping(
        ("issuer", "issuerRegExp", "subject", "subjectRegExp", "rekor", "ctlog", "roots", "additionalExtensions")
    )
    for name in ("roots", "additionalExtensions", "issuerRegExp"):
        if name in parts:
            parts[name].fault("cannot be carried over; write the ImagePolicy by hand")
    for name in ("rekor", "ctlog"):
        inner = parts[name].mapping(None) if name in parts else {}
        if "pubkey" in inner:
            inner["pubkey"].fault("names a log of another instance; name a trust domain of the config")
        if any(switch in inner for switch in ("ignoreTlog", "ignoreSCT")):
            draft.stricter("a certificate needs its SCT and a proof of time")
    return _who(field, parts, draft, wildcards=True)


def _who(field: Field, parts: Mapping[str, Field], draft: Draft, *, wildcards: bool) -> dict[str, Any] | None:
    """The signer; with `wildcards` a `*` of the subject stands for anything."""
    issuer = parts["issuer"].text() if "issuer" in parts else ""
    if not issuer or "*" in issuer or "?" in issuer:
        field.fault("must name one issuer, without a wildcard; anyone's provider could vouch otherwise")
        return None
    if ("subject" in parts) == ("subjectRegExp" in parts):
        field.fault("must have one of subject and subjectRegExp")
        return None
    if "subjectRegExp" in parts:
        try:
            return identity(issuer, whole(parts["subjectRegExp"].text(), draft))
        except BadPatternError as error:
            parts["subjectRegExp"].fault(str(error))
            return None
    subject = parts["subject"].text()
    if not wildcards:
        return identity(issuer, exact(subject))
    if "?" in subject:
        parts["subject"].fault("? is no wildcard here; write the subject out")
    return identity(issuer, {"subject": re.sub(r"\*+", "**", subject)})


def _attestation(item: Field, outer: list[dict[str, Any]], draft: Draft) -> Iterator[dict[str, Any]]:
    parts = item.mapping(("name", "type", "predicateType", "attestors", "conditions"))
    if "conditions" in parts:
        parts["conditions"].fault("is JMESPath, which is not read here; write the rule in CEL, as `where`")
    kind = parts.get("type") or parts.get("predicateType")
    if kind is None or predicate_type(kind.text()) is None:
        item.fault("must have a type that is a URI")
        return
    demands = (
        [_demand(one, draft) for one in parts["attestors"].sequence(empty=False)] if "attestors" in parts else outer
    )
    if not demands:
        item.fault("names no attestors, so that it proves nothing")
    for demand in demands:
        yield {"attestation": {"type": predicate_type(kind.text()), **demand}}


def from_image_validating_policy(root: Field) -> list[Draft]:
    """The draft for an ImageValidatingPolicy whose validations are calls of Kyverno's own functions."""
    top = root.mapping(None)
    name = _name(top)
    draft = Draft(name, f"the Kyverno ImageValidatingPolicy {name}")
    known = ("matchImageReferences", "attestors", "attestations", "validations", "validationActions", "matchConstraints",
             "matchConditions", "failurePolicy", "webhookConfiguration", "evaluation", "validationConfigurations", "credentials")  # fmt: skip
    spec = top["spec"].mapping(known, ("attestors", "validations")) if "spec" in top else {}
    if "matchImageReferences" not in spec:
        draft.images = ["**"]
    for item in spec["matchImageReferences"].sequence(empty=False) if "matchImageReferences" in spec else ():
        one = item.mapping(("glob", "expression"))
        if "expression" in one or "glob" not in one:
            item.fault("must be a glob; a CEL expression over images cannot be carried over")
        else:
            draft.images.append(_wider(one["glob"].text(), draft))
    for dropped in ("matchConstraints", "matchConditions"):
        if dropped in spec:
            draft.stricter(f"it is about all objects that run these images; `{dropped}` chose some")
    actions = spec["validationActions"].texts() if "validationActions" in spec else ("Deny",)
    draft.mode = "enforce" if "Deny" in actions else "warn"
    attestors = dict(_named(item, draft) for item in spec["attestors"].sequence()) if "attestors" in spec else {}
    kinds = dict(_kind(item) for item in spec["attestations"].sequence()) if "attestations" in spec else {}
    for item in spec["validations"].sequence(empty=False) if "validations" in spec else ():
        for demand in _validation(item, attestors, kinds):
            if demand not in draft.require:
                draft.require.append(demand)
    return [draft]


def _named(item: Field, draft: Draft) -> tuple[str, list[dict[str, Any]]]:
    parts = item.mapping(("name", "cosign"), ("name", "cosign"))
    cosign = parts["cosign"].mapping(("key", "keyless", "ctlog")) if "cosign" in parts else {}
    name = parts["name"].text() if "name" in parts else ""
    log = cosign["ctlog"].mapping(("url", "insecureIgnoreTlog", "insecureIgnoreSCT")) if "ctlog" in cosign else {}
    unlogged = "insecureIgnoreTlog" in log and log["insecureIgnoreTlog"].boolean()
    if "key" in cosign:
        key = cosign["key"].mapping(("data",), ("data",))
        pem = key["data"].text() if "data" in key else ""
        return name, [{"key": {"pem": pem, **({"log": False} if unlogged else {})}}]
    if unlogged or "insecureIgnoreSCT" in log:
        draft.stricter("a certificate needs its SCT and a proof of time")
    keyless = cosign["keyless"].mapping(("identities",), ("identities",)) if "keyless" in cosign else {}
    if "identities" not in keyless:
        item.fault("must have cosign.key or cosign.keyless.identities")
        return name, []
    who = (
        _who(one, one.mapping(("issuer", "subject", "subjectRegExp")), draft, wildcards=False)
        for one in keyless["identities"].sequence(empty=False)
    )
    return name, [one for one in who if one is not None]


def _kind(item: Field) -> tuple[str, str]:
    parts = item.mapping(("name", "intoto"), ("name", "intoto"))
    intoto = parts["intoto"].mapping(("type",), ("type",)) if "intoto" in parts else {}
    written = intoto["type"].text() if "type" in intoto else ""
    if written and predicate_type(written) is None:
        intoto["type"].fault(f"is {written!r}, which is no URI")
    return (parts["name"].text() if "name" in parts else ""), predicate_type(written) or written


def _validation(
    item: Field, attestors: Mapping[str, list[dict[str, Any]]], kinds: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    parts = item.mapping(("expression", "message", "messageExpression", "reason"), ("expression",))
    written = re.sub(r"\s+", "", parts["expression"].text()) if "expression" in parts else ""
    found = []
    for call in written.split("&&"):
        whole_call = _CALL.fullmatch(call)
        inner = whole_call["call"] if whole_call else ""
        signed, attested = _SIGNATURES.fullmatch(inner), _ATTESTATIONS.fullmatch(inner)
        match = signed or attested
        names = [name.removeprefix("attestors.") for name in match["by"].split(",")] if match else []
        if (
            match is None
            or any(name not in attestors for name in names)
            or (attested and attested["what"] not in kinds)
        ):
            parts["expression"].fault(
                "is no call of verifyImageSignatures or verifyAttestationSignatures over all containers with known attestors; "
                "write it as `require` of an ImagePolicy"
            ) if "expression" in parts else None
            return
        by = [signer for name in names for signer in attestors[name]]
        found.append(
            {"attestation": {"type": kinds[attested["what"]], "by": by}} if attested else {"signature": {"by": by}}
        )
    yield from found
