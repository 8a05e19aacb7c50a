"""Predicate types by the short names that people know from cosign.

cosign: cmd/cosign/cli/options/predicate.go. ``slsaprovenance`` means v0.2 there, and here. The last three are ours: in-toto's
test results, what GitHub says of an immutable release, and SLSA's verification summaries.
"""

from argocd_provenance.evidence.values import PROVENANCE_V01, PROVENANCE_V02, PROVENANCE_V1

VERIFICATION_SUMMARY = "https://slsa.dev/verification_summary/v1"
RELEASE = "https://in-toto.io/attestation/release/v0.2"
# What GitHub wrote before, and means the same.
_EARLIER = {RELEASE: ("https://in-toto.io/attestation/release/v0.1",)}

SHORT_NAMES = {
    "custom": "https://cosign.sigstore.dev/attestation/v1",
    "slsaprovenance": PROVENANCE_V02,
    "slsaprovenance02": PROVENANCE_V02,
    "slsaprovenance1": PROVENANCE_V1,
    "spdx": "https://spdx.dev/Document",
    "spdxjson": "https://spdx.dev/Document",
    "cyclonedx": "https://cyclonedx.org/bom",
    "link": "https://in-toto.io/Link/v1",
    "vuln": "https://cosign.sigstore.dev/attestation/vuln/v1",
    "openvex": "https://openvex.dev/ns",
    "vsa": VERIFICATION_SUMMARY,
    "test-result": "https://in-toto.io/attestation/test-result/v0.1",
    "release": RELEASE,
}

PROVENANCE_TYPES = frozenset({PROVENANCE_V1, PROVENANCE_V02, PROVENANCE_V01})


def predicate_type(written: str) -> str | None:
    """The predicate type that `written` names: a URI as it stands, or a short name; None for anything else."""
    if written in SHORT_NAMES:
        return SHORT_NAMES[written]
    return written if "://" in written and " " not in written else None


def predicate_types(written: str) -> frozenset[str]:
    """All predicate types that `written` stands for: a URI for itself, ``release`` for its earlier version too."""
    found = predicate_type(written)
    earlier = _EARLIER.get(found, ()) if found is not None and written in SHORT_NAMES else ()
    return frozenset({found, *earlier}) if found is not None else frozenset()
