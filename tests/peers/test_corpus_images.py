"""Real images with what hangs on them, from OCI layouts: signatures by key and keyless, provenance, a referrer."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance.evidence.candidate import Candidate, parse_bundle, parse_layer
from argocd_provenance.evidence.keys import load_public_key
from argocd_provenance.evidence.trust import public_good
from argocd_provenance.evidence.values import Anchor, DomainAnchor, Evidence, KeyAnchor, Rejected
from argocd_provenance.evidence.verify import Artifact, Verifier
from argocd_provenance.oci.reference import Digest

pytestmark = pytest.mark.corpus

BUNDLE = "application/vnd.dev.sigstore.bundle"


def corpus() -> Path:
    """The folder of real data; it must be named."""
    return Path(os.environ["CORPUS"])


def cases() -> list[Any]:
    """Every image of the index."""
    if "CORPUS" not in os.environ:
        return [pytest.param({}, id="CORPUS is not set")]
    index = json.loads((corpus() / "cosign-images/index.json").read_text())
    return [pytest.param(case, id=case["id"]) for case in index["cases"]]


def attached(layout: Path) -> Iterator[Candidate | Rejected]:
    """What hangs on the image of `layout`, parsed."""

    def blob(digest: str) -> bytes:
        return (layout / "blobs" / digest.replace(":", "/")).read_bytes()

    for entry in json.loads((layout / "index.json").read_text())["manifests"]:
        notes = entry.get("annotations", {})
        name = notes.get("org.opencontainers.image.ref.name", "")
        if not (name.endswith((".sig", ".att")) or notes.get("kind") in {"referrer", *_KINDS}):
            continue
        for layer in json.loads(blob(entry["digest"]))["layers"]:
            content = blob(layer["digest"])
            if layer["mediaType"].startswith(BUNDLE):
                yield parse_bundle(content, name or "referrers")
            else:
                yield parse_layer(layer, content, name)


_KINDS = {"dev.cosignproject.cosign/sigs", "dev.cosignproject.cosign/atts"}


def anchor_of(case: dict[str, Any]) -> Anchor:
    """Whom the case trusts: a key with or without log, or sigstore.dev."""
    key = case.get("key") or next((s["key"] for s in case["signatures"] if s.get("key")), None)
    if key is None:
        return DomainAnchor("public-good")
    return KeyAnchor(load_public_key((corpus() / key).read_bytes()), log=case["trusted_root"] is not None)


@pytest.mark.parametrize("case", cases())
def test_a_real_image_is_judged_as_its_authors_say(case: dict[str, Any]) -> None:
    """Whatever hangs on a real image verifies, and names its signer, exactly where its authors say so."""
    candidates = list(attached(corpus() / case["layout"]))
    verifier = Verifier({"public-good": public_good()})
    image = Artifact((Digest(case["digest"]),))

    results = [verifier.verify(c, anchor_of(case), image) for c in candidates if isinstance(c, Candidate)]

    assert candidates
    proved = [found for found in results if isinstance(found, Evidence)]
    assert bool(proved) == (case["expected"] == "pass"), results
    for found in proved:
        assert (found.log_url or "").startswith("https://search.sigstore.dev/?logIndex=") == found.logged
    if "expected_identity" in case:
        assert {e.certificate.identity for e in proved if e.certificate} == {case["expected_identity"]}
        assert {e.certificate.issuer for e in proved if e.certificate} == {case["expected_issuer"]}


def derived() -> list[Any]:
    """The layers of the images once more, as bundles, with what they say."""
    if "CORPUS" not in os.environ:
        return [pytest.param({}, {}, id="CORPUS is not set")]
    index = json.loads((corpus() / "cosign-images/index.json").read_text())
    pairs = [(case, signature) for case in index["cases"] for signature in case["signatures"]]
    return [pytest.param(c, s, id=s["name"]) for c, s in pairs if s.get("derived_bundle") or s.get("bundle")]


def payload_of(case: dict[str, Any]) -> bytes:
    """The simple signing payload that hangs on the image: to a bundle made of the layer it is just a file."""
    (candidate,) = (c for c in attached(corpus() / case["layout"]) if isinstance(c, Candidate))
    return candidate.content


@pytest.mark.parametrize(("case", "signature"), derived())
def test_a_bundle_made_of_a_layer(case: dict[str, Any], signature: dict[str, Any]) -> None:
    """The layers once more as bundles (`cosign bundle create`): envelopes are about the image, signatures about a file."""
    path = signature.get("derived_bundle") or signature["bundle"]
    candidate = parse_bundle((corpus() / path).read_bytes(), path)
    verifier = Verifier({"public-good": public_good()})
    image = Artifact((Digest(case["digest"]),))
    assert isinstance(candidate, Candidate), candidate
    artifact = image if candidate.envelope else Artifact.file(payload_of(case))

    found = verifier.verify(candidate, anchor_of(case), artifact)

    assert isinstance(found, Evidence), found
    if candidate.envelope is None:
        assert isinstance(verifier.verify(candidate, anchor_of(case), image), Rejected)
