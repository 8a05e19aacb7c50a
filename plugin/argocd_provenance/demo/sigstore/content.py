"""What is signed: simple signing payloads, in-toto statements, DSSE envelopes; and what cosign puts into a layer."""

from collections.abc import Mapping
from typing import Any

from argocd_provenance.demo.sigstore.wire import b64, encode, sha256_text
from argocd_provenance.records import dataclass

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
STATEMENT_V1 = "https://in-toto.io/Statement/v1"
REFERENCE = "registry.example/acme/app"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of ``sha256-….sig`` or ``sha256-….att``: its descriptor with annotations, and its content."""

    descriptor: dict[str, Any]
    content: bytes

    @classmethod
    def of(cls, media_type: str, content: bytes, annotations: Mapping[str, str]) -> "Layer":
        """The layer with that content; digest and size follow from it."""
        descriptor = {"mediaType": media_type, "size": len(content), "digest": sha256_text(content)}
        return cls({**descriptor, "annotations": dict(annotations)}, content)


def simple_signing(
    digest: str,
    reference: str = REFERENCE,
    optional: Mapping[str, Any] | None = None,
    kind: str = "cosign container image signature",
) -> bytes:
    """What cosign 2 signs. cosign: specs/SIGNATURE_SPEC.md."""
    critical = {"identity": {"docker-reference": reference}, "image": {"docker-manifest-digest": digest}, "type": kind}
    return encode({"critical": critical, "optional": optional})


def statement(
    digest: str,
    predicate_type: str,
    predicate: Any = None,
    *,
    name: str | None = REFERENCE,
    annotations: Mapping[str, str] | None = None,
    statement_type: str = STATEMENT_V1,
) -> bytes:
    """An in-toto statement about one subject. cosign 3 writes signatures without `name`, and notes as `annotations`."""
    algorithm, _, value = digest.rpartition(":")
    subject: dict[str, Any] = {"digest": {algorithm or "sha256": value}}
    if name is not None:
        subject["name"] = name
    if annotations:
        subject["annotations"] = dict(annotations)
    return encode(
        {
            "_type": statement_type,
            "subject": [subject],
            "predicateType": predicate_type,
            "predicate": {} if predicate is None else predicate,
        }
    )


def pae(payload_type: str, payload: bytes) -> bytes:
    """What a DSSE signature covers. DSSE: protocol.md, "Pre-Authentication Encoding"."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def envelope(payload: bytes, payload_type: str, signature: bytes, *, keyid: bool = False) -> dict[str, Any]:
    """A DSSE envelope; cosign 2 writes an empty ``keyid``."""
    entry = {"keyid": "", "sig": b64(signature)} if keyid else {"sig": b64(signature)}
    return {"payloadType": payload_type, "payload": b64(payload), "signatures": [entry]}
