"""DSSE envelopes, read strictly: one signature, no more and no less. DSSE: envelope.md."""

from typing import Any

from argocd_provenance.evidence import strict_json
from argocd_provenance.evidence.parts import Envelope
from argocd_provenance.evidence.rejections import Refused


def read(value: Any) -> Envelope:
    """The envelope that `value`, as parsed from JSON, spells; raises `Refused`."""
    members = strict_json.mapping(value, "the envelope")
    if members.keys() - {"payloadType", "payload", "signatures"}:
        raise Refused("malformed", "the envelope has unknown members")
    signatures = strict_json.sequence(members.get("signatures"), "the envelope's signatures")
    if len(signatures) != 1:
        raise Refused("malformed", f"an envelope has exactly one signature, this one has {len(signatures)}")
    signature = strict_json.mapping(signatures[0], "the envelope's signature")
    if signature.keys() - {"sig", "keyid", "cert"}:
        raise Refused("malformed", "the envelope's signature has unknown members")
    raw = strict_json.decoded(signature.get("sig"), "the envelope's signature")
    if not raw:
        raise Refused("malformed", "the envelope's signature is empty")
    kind = strict_json.text(members.get("payloadType"), "the payload type")
    return Envelope(kind, strict_json.decoded(members.get("payload"), "the payload"), raw)
