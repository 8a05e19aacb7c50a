"""TrustRoot objects beside the policies that name them."""

import base64
import json
from typing import Any

import pytest
import yaml

from argocd_provenance.demo.sigstore import encode
from argocd_provenance.errors import FileFaults
from argocd_provenance.evidence.trust import mixed, offered, parse, trust_domain
from argocd_provenance.evidence.values import Evidence
from argocd_provenance.evidence.verify import Verifier
from argocd_provenance.policy.load import load_files
from argocd_provenance.policy.trust_root import TrustRoot
from support.signing import IMAGE, SIGSTORE, layer_candidate, verify
from unit.policy.builders import no_files

ROOT = SIGSTORE.trusted_root()


def pem(der: str, label: str) -> str:
    """Base64 of PEM, as Kubernetes writes bytes."""
    return base64.b64encode(f"-----BEGIN {label}-----\n{der}\n-----END {label}-----\n".encode()).decode()


def authorities(name: str) -> list[dict[str, Any]]:
    """Certificate or timestamp authorities in the object's spelling."""
    chains = [
        "".join(base64.b64decode(pem(c["rawBytes"], "CERTIFICATE")).decode() for c in a["certChain"]["certificates"])
        for a in ROOT[name]
    ]
    return [
        {
            "subject": {"organization": "o", "commonName": "c"},
            "uri": "https://ca",
            "certChain": base64.b64encode(chain.encode()).decode(),
        }
        for chain in chains
    ]


def logs(name: str) -> list[dict[str, Any]]:
    """Logs in the object's spelling."""
    return [
        {
            "baseURL": "https://log",
            "hashAlgorithm": "sha-256",
            "publicKey": pem(log["publicKey"]["rawBytes"], "PUBLIC KEY"),
        }
        for log in ROOT[name]
    ]


KEYS = {
    "certificateAuthorities": authorities("certificateAuthorities"),
    "timestampAuthorities": authorities("timestampAuthorities"),
    "tLogs": logs("tlogs"),
    "ctLogs": logs("ctlogs"),
}


def load(spec: object) -> TrustRoot:
    """The trust root of that spec."""
    written = yaml.safe_dump({
        "apiVersion": "policy.sigstore.dev/v1alpha1", "kind": "TrustRoot", "metadata": {"name": "mine"}, "spec": spec,
    })  # fmt: skip
    return load_files([("r.yaml", written)], no_files).trust_roots[0]


def faults(spec: object) -> str:
    """Its faults."""
    with pytest.raises(FileFaults) as caught:
        load(spec)
    return str(caught.value)


class TestSigstoreKeys:
    def test_its_keys_and_certificates_are_a_trust_domain(self) -> None:
        """What the same Sigstore signed verifies by it."""
        root = load({"sigstoreKeys": KEYS})
        domain = trust_domain("test", root.root, offered(root.root))
        candidate = layer_candidate(SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue()))

        assert domain.requires == {"sct", "log"}
        found = verify(candidate, verifier=Verifier({"test": domain}))
        assert isinstance(found, Evidence), found
        assert found.certificate is not None

    def test_without_logs_a_timestamp_is_demanded(self) -> None:
        """There is always a proof of time."""
        root = load({"sigstoreKeys": {k: v for k, v in KEYS.items() if k not in {"tLogs", "ctLogs"}}})

        assert offered(root.root) == {"timestamp"}

    def test_a_trusted_root_may_stand_in_it(self) -> None:
        """`trustedRootJSON`."""
        assert parse(load({"trustedRootJSON": json.dumps(ROOT)}).root) == parse(encode(ROOT))

    @pytest.mark.parametrize(
        ("spec", "said"),
        [
            ({}, "must have one of sigstoreKeys, trustedRootJSON, remote, repository"),
            ({"sigstoreKeys": KEYS, "trustedRootJSON": "{}"}, "must have one of"),
            ({"remote": {"mirror": "https://tuf", "root": "e30="}}, "remote: is not fetched here; put the trusted_root.json"),
            ({"repository": {"mirrorFS": "e30=", "root": "e30="}}, "repository: is not fetched here"),
            ({"sigstoreKeys": {"tLogs": KEYS["tLogs"]}}, "must have certificateAuthorities or timestampAuthorities"),
            ({"sigstoreKeys": {"certificateAuthorities": [{**KEYS["certificateAuthorities"][0], "certChain": "!"}]}}, "must be base64"),
            ({"sigstoreKeys": {"certificateAuthorities": [{**KEYS["certificateAuthorities"][0], "certChain": "aGVsbG8="}]}}, "certificates in PEM"),
            ({"sigstoreKeys": {**KEYS, "tLogs": [{**KEYS["tLogs"][0], "hashAlgorithm": "sha-512"}]}}, "must be sha-256"),
            ({"sigstoreKeys": {**KEYS, "tLogs": [{**KEYS["tLogs"][0], "publicKey": "aGVsbG8="}]}}, "no public key"),
            ({"sigstoreKeys": {**KEYS, "tlogs": []}}, "did you mean tLogs?"),
        ],
    )  # fmt: skip
    def test_what_holds_no_keys_is_refused(self, spec: object, said: str) -> None:
        """By name, with what to do instead."""
        assert said in faults(spec)


class TestMixed:
    def test_a_domain_may_be_put_together_from_several(self) -> None:
        """Certificates of one, the log of another, timestamps of a third."""
        base, log, stamps = (encode({**ROOT, "mediaType": ROOT["mediaType"]}) for _ in range(3))
        bare = encode({k: v for k, v in ROOT.items() if k not in {"tlogs", "timestampAuthorities"}})
        whole = parse(mixed("m", bare, log, stamps))

        assert whole.authorities == parse(base).authorities
        assert whole.logs == parse(log).logs
        assert whole.timestamp_authorities == parse(stamps).timestamp_authorities
