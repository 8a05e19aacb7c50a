"""TrustRoot objects of the sigstore project, as trusted roots.

`sigstoreKeys` and `trustedRootJSON` hold all that is needed. What has to be fetched (`remote`), or is a whole TUF
repository (`repository`), is refused by name: the trusted root that it leads to is named in the config instead.

Schema: sigstore/policy-controller pkg/apis/policy/v1alpha1/trustroot_types.go and trustroot_validation.go.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from argocd_provenance.errors import OperatorError
from argocd_provenance.operatorfile import Field
from argocd_provenance.policy.fields import public_key
from argocd_provenance.records import dataclass
from argocd_provenance.regex import regex

API_VERSION = "policy.sigstore.dev/v1alpha1"

_FORMS = ("sigstoreKeys", "trustedRootJSON", "remote", "repository")
_MEDIA_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
_KEYS = ("certificateAuthorities", "tLogs", "ctLogs", "timestampAuthorities")
_CERTIFICATE = regex(rb"-----BEGIN CERTIFICATE-----\s([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")
# sigstoreKeys has no windows: what is listed is trusted for ever, as upstream.
_ALWAYS = {"start": "1970-01-01T00:00:00Z"}
_INSTEAD = "put the trusted_root.json that it leads to into a file, and name that under `trust` in the config"


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """A trust domain from a TrustRoot object: its name, where it stands, and its Sigstore TrustedRoot as JSON."""

    name: str
    origin: str
    root: bytes


def trust_root(root: Field, name: str) -> TrustRoot | None:
    """The trust domain `name` at `root`, or None and faults."""
    top = root.mapping(("apiVersion", "kind", "metadata", "spec", "status"), ("spec",))
    if "apiVersion" in top:
        top["apiVersion"].choice((API_VERSION,))
    if "spec" not in top:
        return None
    spec = top["spec"].mapping(_FORMS)
    forms = [form for form in _FORMS if form in spec]
    if len(forms) != 1:
        top["spec"].fault(f"must have one of {', '.join(_FORMS)}")
        return None
    form = spec[forms[0]]
    if forms[0] == "sigstoreKeys":
        import json  # noqa: PLC0415 - for who has such objects

        content = json.dumps(_sigstore_keys(form), sort_keys=True).encode()
    elif forms[0] == "trustedRootJSON":
        content = form.text().encode()
    else:
        form.fault(f"is not fetched here; {_INSTEAD}")
        return None
    return TrustRoot(name, f"{root.file}:{root.line}", content)


def _sigstore_keys(field: Field) -> Mapping[str, Any]:
    parts = field.mapping(_KEYS)
    if not {"certificateAuthorities", "timestampAuthorities"} & parts.keys():
        field.fault("must have certificateAuthorities or timestampAuthorities")
    listed = {name: parts[name].sequence() if name in parts else () for name in _KEYS}
    return {
        "mediaType": _MEDIA_TYPE,
        "certificateAuthorities": [_authority(item) for item in listed["certificateAuthorities"]],
        "timestampAuthorities": [_authority(item) for item in listed["timestampAuthorities"]],
        "tlogs": [_log(item) for item in listed["tLogs"]],
        "ctlogs": [_log(item) for item in listed["ctLogs"]],
    }


def _authority(field: Field) -> Mapping[str, Any]:
    parts = field.mapping(("subject", "uri", "certChain"), ("subject", "uri", "certChain"))
    if "subject" in parts:
        parts["subject"].mapping(("organization", "commonName"), ("organization", "commonName"))
    if "uri" in parts:
        parts["uri"].text()
    chain = _decoded(parts["certChain"]) if "certChain" in parts else b""
    certificates = [b"".join(found.split()).decode() for found in _CERTIFICATE.findall(chain)]
    if chain and (not certificates or _CERTIFICATE.sub(b"", chain).strip()):
        parts["certChain"].fault("must be the base64 of certificates in PEM, and nothing around them")
    return {
        "certChain": {"certificates": [{"rawBytes": certificate} for certificate in certificates]},
        "validFor": _ALWAYS,
    }


def _log(field: Field) -> Mapping[str, Any]:
    names = ("baseURL", "hashAlgorithm", "publicKey")
    parts = field.mapping(names, names)
    url = parts["baseURL"].text() if "baseURL" in parts else ""
    if "hashAlgorithm" in parts and parts["hashAlgorithm"].text().lower() not in {"sha-256", "sha256"}:
        parts["hashAlgorithm"].fault("must be sha-256: logs hash with nothing else")
    pem = _decoded(parts["publicKey"]) if "publicKey" in parts else b""
    spki = public_key(parts["publicKey"], pem) if pem else None
    if spki is None:
        return {}
    import hashlib  # noqa: PLC0415 - as above

    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": base64.b64encode(spki).decode(),
            "keyDetails": _details(parts["publicKey"], spki),
            "validFor": _ALWAYS,
        },
        "logId": {"keyId": base64.b64encode(hashlib.sha256(spki).digest()).decode()},
    }


def _details(field: Field, spki: bytes) -> str:
    """How protobuf-specs names the key; what sigstore has no name for is a fault."""
    from argocd_provenance.evidence.keys import details_of  # noqa: PLC0415 - 50 ms that a policy without roots saves

    try:
        return details_of(spki)
    except OperatorError as error:
        field.fault(str(error))
        return ""


def _decoded(field: Field) -> bytes:
    """The bytes that the base64 of a field spells; Kubernetes writes ``[]byte`` so."""
    try:
        return base64.b64decode("".join(field.text().split()), validate=True)
    except (binascii.Error, ValueError):
        field.fault("must be base64")
        return b""
