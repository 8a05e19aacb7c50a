"""Signed things, and who to trust for them.

    found = verify(layer_candidate(SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue())))
    assert isinstance(found, Evidence)

One virtual Sigstore serves all tests of a module run; whoever needs a broken one makes another.
"""

import base64
import copy
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from argocd_provenance.demo.sigstore import Layer, Signer, VirtualSigstore, encode, statement
from argocd_provenance.evidence.candidate import Candidate, parse_bundle, parse_layer
from argocd_provenance.evidence.trust import trust_domain
from argocd_provenance.evidence.values import SIGN_PREDICATE, Anchor, DomainAnchor, Evidence, KeyAnchor, Rejected
from argocd_provenance.evidence.verify import Artifact, Verifier
from argocd_provenance.oci.reference import Digest

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
WORKFLOW = "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main"
IMAGE, OTHER = Digest.of(b"image"), Digest.of(b"another image")
SLSA = "https://slsa.dev/provenance/v1"
STATEMENT_V01 = "https://in-toto.io/Statement/v0.1"
ENTRY_NOTE, CERTIFICATE_NOTE = "dev.sigstore.cosign/bundle", "dev.sigstore.cosign/certificate"

SIGSTORE = VirtualSigstore(NOW)
DOMAIN = trust_domain("test", encode(SIGSTORE.trusted_root()))
BARE = trust_domain("bare", encode(SIGSTORE.trusted_root(logs=False, ct_logs=False)), {"timestamp"})
"""The same authorities without logs: GitHub's internal instance."""
VERIFIER = Verifier({"test": DOMAIN, "bare": BARE})

Found = Evidence | Rejected


def trusting(root: Mapping[str, Any], requires: set[str] | None = None) -> Verifier:
    """A verifier whose domain ``test`` has that trusted root."""
    return Verifier({"test": trust_domain("test", encode(root), requires)})


def verify(
    candidate: Candidate | Rejected,
    anchor: Anchor | None = None,
    artifact: Artifact | None = None,
    verifier: Verifier = VERIFIER,
) -> Found:
    """What becomes of `candidate`; by default the image is asked for, of the domain ``test``."""
    if isinstance(candidate, Rejected):
        return candidate
    return verifier.verify(candidate, anchor or DomainAnchor("test"), artifact or Artifact((IMAGE,)))


def evidence(found: Found) -> Evidence:
    """`found`, which must be evidence."""
    assert isinstance(found, Evidence), found
    return found


def code(found: Found | Candidate) -> str:
    """Why `found` was rejected, which it must be."""
    assert isinstance(found, Rejected), found
    return found.code


def layer_candidate(layer: Layer) -> Candidate | Rejected:
    """The layer as it comes from a registry."""
    return parse_layer(layer.descriptor, layer.content, "sha256-….sig")


def annotated(layer: Layer, notes: Mapping[str, str]) -> Layer:
    """`layer` with annotations exchanged."""
    descriptor = copy.deepcopy(layer.descriptor)
    descriptor["annotations"].update(notes)
    return Layer(descriptor, layer.content)


def bundle_candidate(bundle: Mapping[str, Any]) -> Candidate | Rejected:
    """The bundle as it comes from a registry."""
    return parse_bundle(encode(bundle), "referrers")


def by_key(signer: Signer, *, log: bool = True) -> KeyAnchor:
    """Trust in the key of `signer`."""
    return KeyAnchor(signer.spki, log=log, domain="test")


def provenance(digest: Digest = IMAGE, **more: Any) -> bytes:
    """A statement of provenance about `digest`."""
    return statement(digest.text, SLSA, {"buildDefinition": {}}, **more)


def signature(digest: Digest = IMAGE, **more: Any) -> bytes:
    """What cosign 3 signs."""
    return statement(digest.text, SIGN_PREDICATE, name=None, **more)


def entry_of(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """The log entry of a bundle, to be read or changed."""
    entry: dict[str, Any] = bundle["verificationMaterial"]["tlogEntries"][0]
    return entry


def entry_note(layer: Layer) -> dict[str, Any]:
    """The log entry that a layer carries in an annotation, to be changed and written back by `with_entry`."""
    entry: dict[str, Any] = json.loads(layer.descriptor["annotations"][ENTRY_NOTE])
    return entry


def with_entry(layer: Layer, entry: Mapping[str, Any]) -> Layer:
    """`layer` with another log entry."""
    return annotated(layer, {ENTRY_NOTE: json.dumps(entry)})


def with_token(bundle: Mapping[str, Any], *tokens: bytes) -> dict[str, Any]:
    """`bundle` with other timestamps."""
    changed = copy.deepcopy(dict(bundle))
    listed = [{"signedTimestamp": base64.b64encode(token).decode()} for token in tokens]
    changed["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": listed}
    return changed


def signature_of(bundle: Mapping[str, Any]) -> bytes:
    """The raw signature in the envelope of `bundle`."""
    return base64.b64decode(bundle["dsseEnvelope"]["signatures"][0]["sig"])


Maker = Callable[[Signer, Digest], Candidate | Rejected]

FORMS: Mapping[str, Maker] = {
    "cosign 2 signature": lambda s, d: layer_candidate(SIGSTORE.sign_layer(d.text, s)),
    "cosign 2 signature, timestamped": lambda s, d: layer_candidate(SIGSTORE.sign_layer(d.text, s, timestamp=True)),
    "cosign 2 attestation": lambda s, d: layer_candidate(
        SIGSTORE.attest_layer(provenance(d, statement_type=STATEMENT_V01), s)
    ),
    "slsa-github-generator until 1.9": lambda s, d: layer_candidate(
        SIGSTORE.attest_layer(provenance(d, statement_type=STATEMENT_V01), s, kind="intoto/0.0.1")
    ),
    "attestation logged as intoto 0.0.2": lambda s, d: layer_candidate(
        SIGSTORE.attest_layer(provenance(d), s, kind="intoto/0.0.2")
    ),
    "cosign 3 signature": lambda s, d: bundle_candidate(SIGSTORE.bundle(s, signature(d), timestamp=True)),
    "actions/attest, public": lambda s, d: bundle_candidate(SIGSTORE.bundle(s, provenance(d))),
    "npm": lambda s, d: bundle_candidate(SIGSTORE.bundle(s, provenance(d), kind="intoto/0.0.2")),
    "Rekor v2": lambda s, d: bundle_candidate(SIGSTORE.bundle(s, provenance(d), log="v2", timestamp=True)),
}
"""Every form that an image may carry, made by a signer for a digest; all verify in the domain ``test``."""

BARE_FORMS: Mapping[str, Maker] = {
    "GitHub internal": lambda s, d: bundle_candidate(SIGSTORE.bundle(s, provenance(d), log=None, timestamp=True)),
    "cosign 2 signature, timestamp only": lambda s, d: layer_candidate(
        SIGSTORE.sign_layer(d.text, s, log=False, timestamp=True)
    ),
    "cosign 2 attestation, envelope timestamped": lambda s, d: layer_candidate(
        SIGSTORE.attest_layer(provenance(d), s, log=False, timestamp="envelope")
    ),
    "cosign 3 attestation layer, signature timestamped": lambda s, d: layer_candidate(
        SIGSTORE.attest_layer(provenance(d), s, log=False, timestamp="signature")
    ),
}
"""Forms without a log; they verify in the domain ``bare``."""
