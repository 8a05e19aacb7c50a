"""Upstream's own policies and tables: what policy-controller rejects we reject, and its globs match here too.

What it accepts is accepted, or refused by the name of what only a cluster, CUE or Rego could decide.
"""

import base64
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from argocd_provenance.errors import FileFaults, InvalidReference
from argocd_provenance.evidence import certificate
from argocd_provenance.evidence.values import PROVENANCE_V02, PROVENANCE_V1, DomainAnchor, Evidence
from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.policy.claims import Claims
from argocd_provenance.policy.foreignglob import foreign_pattern
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.load import load_policies

pytestmark = pytest.mark.corpus

# What is refused by name although upstream takes it (interface: ClusterImagePolicy, fine print).
STRICTER = re.compile(
    r"key\.(kms|secretRef): .* only a cluster could|signaturePullSecrets: is a Secret|ca-cert: is not read"
    r"|policy\.(includeSpec|includeTypeMeta|includeObjectMeta|fetchConfigFile): asks for"
    r"|type: rego needs an extra|source\[0\]: names neither"
)
# Go's names of fields, where lower case alone does not make them the file's.
_NAMES = {
    "CTLog": "ctlog", "KMS": "kms", "OCI": "oci", "URL": "url", "CACert": "ca-cert", "Sources": "source",
    "RFC3161Timestamp": "rfc3161timestamp", "ResourceSelector": "selector",
}  # fmt: skip


def corpus() -> Path:
    """The folder of real data; a missing variable is a failure."""
    return Path(os.environ["CORPUS"])


def faults(text: str) -> tuple[str, ...]:
    """The faults of a policy file; none when it loads."""
    try:
        load_policies([("p.yaml", text)], lambda name: name.encode())
    except FileFaults as error:
        return error.faults
    return ()


def as_written(value: Any) -> Any:
    """A Go value of the table as the YAML that decodes to it."""
    if isinstance(value, list):
        return [as_written(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "Host" in value or "$call" in value:
        return "https://" + str(value.get("Host", "call.example"))
    found: dict[str, Any] = {}
    for name, item in value.items():
        if name == "GroupVersionResource":
            found |= as_written(item)
        else:
            found[_NAMES.get(name, name[0].lower() + name[1:])] = as_written(item)
    return found


def files() -> list[dict[str, Any]]:
    """The ClusterImagePolicy files of the corpus, with what upstream says of them."""
    listed = json.loads((corpus() / "policies/index.json").read_text())["files"]
    kind = re.compile(r"^kind: ClusterImagePolicy", re.MULTILINE)
    return [f for f in listed if f["file"].endswith(".yaml") and kind.search((corpus() / f["file"]).read_text())]


class TestCorpus:
    def test_what_upstream_rejects_we_reject(self) -> None:
        """Each file that kubectl apply refuses."""
        invalid = [f for f in files() if (f["class"] or "").startswith("invalid")]

        assert len(invalid) >= 10
        assert [f["file"] for f in invalid if not faults((corpus() / f["file"]).read_text())] == []

    def test_what_upstream_accepts_loads_or_is_refused_by_name(self) -> None:
        """No fault of a valid file is a misunderstanding."""
        valid = [f for f in files() if not (f["class"] or "").startswith("invalid")]
        found = [fault for f in valid for fault in faults((corpus() / f["file"]).read_text())]

        assert len(valid) >= 15
        assert [fault for fault in found if not STRICTER.search(fault)] == []
        assert sum(not faults((corpus() / f["file"]).read_text()) for f in valid) >= 2

    def test_the_validation_table_agrees(self) -> None:
        """Rows of upstream's own unit tests; TrustRoot is another kind, and import only."""
        rows = json.loads((corpus() / "tables/policy_validation.json").read_text())["cases"]
        rows = [row for row in rows if row["func"] != "TestTrustRootValidation"]

        for row in rows:
            said = faults(yaml.safe_dump({
                "apiVersion": f"policy.sigstore.dev/{row['api']}",
                "kind": "ClusterImagePolicy",
                "metadata": {"name": "row"},
                **as_written(row["object"]),
            }))  # fmt: skip
            if row["expected"] == "invalid":
                assert said, row["name"]
            else:
                assert [
                    fault for fault in said if not STRICTER.search(fault) and "resource: is 'supported'" not in fault
                ] == [], row
        assert len(rows) >= 30

    def test_globs_match_as_upstreams(self) -> None:
        """The table of pkg/apis/glob."""
        rows = json.loads((corpus() / "tables/image_matching.json").read_text())["cases"]
        rows = [row for row in rows if row["engine"] == "policy-controller glob"]

        for row in rows:
            if row["error"]:
                with pytest.raises(InvalidReference):
                    Reference.parse(row["image"])
            else:
                fits = foreign_pattern(row["pattern"]).matches(Image(Reference.parse(row["image"]), None))
                assert fits is row["match"], row
        assert len(rows) >= 14


class TestRealProvenance:
    def test_certificate_and_predicate_of_real_provenance_agree(self) -> None:
        """The consistency that we demand holds for what GitHub's action and slsa-github-generator really write."""
        seen = 0
        for folder in ("gh-attestation", "slsa-verifier", "cosign-images", "peer-bundles"):
            for path in sorted(path for path in (corpus() / folder).rglob("*") if path.is_file()):
                for envelope, pem_or_der in _envelopes(path):
                    piece = _provenance(envelope, pem_or_der)
                    if piece is not None:
                        assert list(Claims.of(piece).disagreements()) == [], path
                        seen += 1
        assert seen >= 3


def _envelopes(path: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The DSSE envelopes of a bundle, or of a manifest's layers that lie beside it, with their certificates."""
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, UnicodeDecodeError):
        return
    if not isinstance(value, dict):
        return
    if "dsseEnvelope" in value and "verificationMaterial" in value:
        material = value["verificationMaterial"]
        chain = material.get("x509CertificateChain", {}).get("certificates", [{}])
        der = material.get("certificate", chain[0]).get("rawBytes")
        if der:
            yield value["dsseEnvelope"], base64.b64decode(der)
    for layer in value.get("layers") or ():
        pem = (layer.get("annotations") or {}).get("dev.sigstore.cosign/certificate")
        blob = path.parent / layer["digest"].removeprefix("sha256:")
        if pem and "dsse" in layer["mediaType"] and blob.is_file():
            yield json.loads(blob.read_bytes()), x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)


def _provenance(envelope: dict[str, Any], der: bytes) -> Evidence | None:
    """The provenance in an envelope, as if it had been verified."""
    statement = json.loads(base64.b64decode(envelope["payload"]))
    kind = statement.get("predicateType")
    if kind not in {PROVENANCE_V1, PROVENANCE_V02}:
        return None
    nobody = Digest("sha256:" + "0" * 64)
    said = certificate.read(certificate.load(der))
    return Evidence(
        nobody, "provenance", "bundle", DomainAnchor("x"), said, kind, statement, {}, (), "corpus", nobody, logged=True
    )  # fmt: skip
