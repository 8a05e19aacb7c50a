"""Trusted roots as operators hand them over, and what each can prove."""

from collections.abc import Callable
from typing import Any

import pytest

from argocd_provenance.demo.sigstore import encode
from argocd_provenance.errors import OperatorError
from argocd_provenance.evidence.trust import TrustDomain, offered, parse, public_good, trust_domain
from support.signing import SIGSTORE, bundle_candidate, evidence, provenance, trusting, verify

Change = Callable[[dict[str, Any]], Any]


def changed(change: Change, **how: Any) -> bytes:
    """A good root with one change."""
    root = SIGSTORE.trusted_root(**how)
    change(root)
    return encode(root)


class TestDomains:
    def test_demands_an_sct_and_a_log_entry(self) -> None:
        """Unless said otherwise a domain demands what Sigstore's public instance proves."""
        assert trust_domain("x", encode(SIGSTORE.trusted_root())).requires == {"sct", "log"}

    @pytest.mark.parametrize(
        ("how", "requires", "said"),
        [
            pytest.param({"logs": False}, None, "log is required", id="log without logs"),
            pytest.param({"ct_logs": False}, None, "sct is required", id="SCT without CT logs"),
            pytest.param(
                {"timestamps": False}, {"timestamp"}, "timestamp is required", id="timestamp without authority"
            ),
            pytest.param({}, {"sct"}, "log or timestamp", id="nothing that proves a time"),
            pytest.param({}, set(), "log or timestamp", id="nothing"),
            pytest.param({}, {"logs"}, "not logs", id="a word that there is not"),
        ],
    )
    def test_demands_what_its_root_can_prove(self, how: dict[str, Any], requires: set[str] | None, said: str) -> None:
        """N3, N17: what nobody could fulfil, or would prove nothing, is the operator's fault, found at load time."""
        with pytest.raises(OperatorError, match=said):
            trust_domain("x", encode(SIGSTORE.trusted_root(**how)), requires)

    @pytest.mark.parametrize(
        ("how", "expected"),
        [
            pytest.param({}, {"log", "sct"}, id="all"),
            pytest.param({"ct_logs": False}, {"log"}, id="no CT log"),
            pytest.param({"logs": False}, {"timestamp", "sct"}, id="no log"),
            pytest.param({"logs": False, "ct_logs": False}, {"timestamp"}, id="GitHub's"),
            pytest.param({"timestamps": False}, {"log", "sct"}, id="no timestamps"),
        ],
    )
    def test_what_a_root_offers(self, how: dict[str, Any], expected: set[str]) -> None:
        """`--trusted-root` demands a log entry and an SCT where the root has such logs, else a timestamp."""
        assert offered(encode(SIGSTORE.trusted_root(**how))) == expected

    def test_the_public_good_root_ships_with_sigstore(self) -> None:
        """It is read as a file, with both logs, and never from a cache."""
        domain = public_good()
        root = parse(domain.root)

        assert isinstance(domain, TrustDomain)
        assert domain.name == "public-good"
        assert domain.requires == {"sct", "log"}
        assert len(root.logs) >= 2
        assert root.timestamp_authorities


class TestMalformed:
    @pytest.mark.parametrize(
        ("raw", "said"),
        [
            pytest.param(b"", "malformed", id="nothing"),
            pytest.param(b"[]", "not an object", id="an array"),
            pytest.param(b"{}", "media type 'None'", id="an object"),
            pytest.param(changed(lambda r: r.update(mediaType="x")), "media type 'x'", id="another media type"),
            pytest.param(
                changed(lambda r: r.update(mediaType="application/vnd.dev.sigstore.trustedroot.v0.2+json")),
                r"v0\.2.* is not supported",
                id="v0.2",
            ),
            pytest.param(changed(lambda _: None, logs=False, timestamps=False), "neither", id="no proof of time"),
            pytest.param(
                changed(lambda r: r["tlogs"][0]["publicKey"]["validFor"].pop("start")), "start", id="no start"
            ),
            pytest.param(
                changed(lambda r: r["tlogs"][0]["publicKey"]["validFor"].update(start="2020-01-01")),
                "time zone",
                id="date",
            ),
            pytest.param(
                changed(lambda r: r["tlogs"][0]["publicKey"]["validFor"].update(end="soon")), "the end", id="no time"
            ),
            pytest.param(changed(lambda r: r["tlogs"][0].pop("logId")), "no id", id="a log without id"),
            pytest.param(changed(lambda r: r["tlogs"][0]["publicKey"].update(rawBytes="AAAA")), "key", id="no key"),
            pytest.param(changed(lambda r: r["tlogs"][0]["publicKey"].pop("keyDetails")), "keyDetails", id="what key"),
            pytest.param(
                changed(lambda r: r["certificateAuthorities"][0].update(certChain={})), "no certificate", id="no chain"
            ),
            pytest.param(
                changed(
                    lambda r: r["certificateAuthorities"][0].update(certChain={"certificates": [{"rawBytes": "AAAA"}]})
                ),
                "certificate cannot be read",
                id="no certificate",
            ),
            pytest.param(changed(lambda r: r["certificateAuthorities"][0].pop("validFor")), "validFor", id="no window"),
            pytest.param(changed(lambda r: r.update(tlogs={})), "not an array", id="logs that are no list"),
        ],
    )
    def test_a_malformed_root(self, raw: bytes, said: str) -> None:
        """A root that cannot be read is the operator's fault, and says where."""
        with pytest.raises(OperatorError, match=said):
            trust_domain("x", raw)


class TestOptional:
    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda r: [log.pop("baseUrl") for log in r["tlogs"] + r["ctlogs"]], id="baseUrl"),
            pytest.param(lambda r: [log.pop("hashAlgorithm") for log in r["tlogs"]], id="hashAlgorithm"),
            pytest.param(lambda r: r["certificateAuthorities"][0].pop("subject"), id="subject of an authority"),
            pytest.param(lambda r: r["certificateAuthorities"][0]["subject"].pop("commonName"), id="commonName"),
            pytest.param(lambda r: r["certificateAuthorities"][0].pop("uri"), id="uri"),
            pytest.param(lambda r: r["tlogs"][0]["publicKey"].pop("validFor"), id="validFor of a log's key"),
            pytest.param(lambda r: r.pop("timestampAuthorities"), id="timestamp authorities"),
            pytest.param(lambda r: r["tlogs"][0].update(operator="acme"), id="a member of tomorrow"),
        ],
    )
    def test_what_the_schema_calls_optional_may_be_absent(self, change: Change) -> None:
        """Real roots leave out what nothing is checked against; sigstore's own models refuse them."""
        root = SIGSTORE.trusted_root()
        change(root)
        made = bundle_candidate(SIGSTORE.bundle(SIGSTORE.issue(), provenance()))

        assert evidence(verify(made, verifier=trusting(root))).logged

    def test_a_log_key_of_an_unknown_type_hurts_nobody_else(self) -> None:
        """A log of tomorrow may stand in the root; only entries of it cannot be checked."""
        root = SIGSTORE.trusted_root()
        root["tlogs"][1]["publicKey"]["keyDetails"] = "ML_DSA_99"
        old = bundle_candidate(SIGSTORE.bundle(SIGSTORE.issue(), provenance()))
        new = bundle_candidate(SIGSTORE.bundle(SIGSTORE.issue(), provenance(), log="v2", timestamp=True))

        assert evidence(verify(old, verifier=trusting(root))).logged
        assert "ML_DSA_99" in getattr(verify(new, verifier=trusting(root)), "reason", "")
