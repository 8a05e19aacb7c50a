"""sigstore's own verifier beside ours: what it accepts, we accept, and where it is laxer we know it.

The second half fails when sigstore closes a gap: then the check in `bridge` has become a second pair of eyes.
"""

from datetime import timedelta
from typing import Any

import pytest
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy
from sigstore_models.trustroot import v1 as models

from argocd_provenance.demo.sigstore import GITHUB, encode
from support.signing import SIGSTORE, WORKFLOW, Found, bundle_candidate, code, evidence, provenance, trusting, verify

IDENTITY = policy.Identity(identity=WORKFLOW, issuer=GITHUB)
PASSED = SIGSTORE.issued - timedelta(days=30)


def upstream(root: dict[str, Any], bundle: dict[str, Any]) -> bytes:
    """The payload that sigstore itself verifies; it raises otherwise."""
    verifier = Verifier(trusted_root=TrustedRoot(models.TrustedRoot.from_json(encode(root))))
    return verifier.verify_dsse(Bundle.from_json(encode(bundle)), IDENTITY)[1]


def ours(root: dict[str, Any], bundle: dict[str, Any]) -> Found:
    """What this project makes of the same."""
    return verify(bundle_candidate(bundle), verifier=trusting(root))


class TestAgreement:
    @pytest.mark.parametrize(
        "how",
        [
            pytest.param({}, id="Rekor v1"),
            pytest.param({"timestamp": True}, id="Rekor v1 and timestamp"),
            pytest.param({"log": "v2", "timestamp": True}, id="Rekor v2"),
        ],
    )
    def test_what_sigstore_accepts(self, how: dict[str, Any]) -> None:
        """N29: the virtual Sigstore is real enough for sigstore, and we read the same payload."""
        root, bundle = SIGSTORE.trusted_root(), SIGSTORE.bundle(SIGSTORE.issue(), provenance(), **how)

        assert upstream(root, bundle) == provenance()
        assert evidence(ours(root, bundle)).predicate_type == "https://slsa.dev/provenance/v1"


class TestGaps:
    @pytest.mark.parametrize(
        "root",
        [
            pytest.param(SIGSTORE.trusted_root(authorities=[SIGSTORE.authority.trust(end=PASSED)]), id="U1: authority"),
            pytest.param(SIGSTORE.trusted_root(log_end=PASSED), id="U2: transparency log"),
            pytest.param(SIGSTORE.trusted_root(ct_end=PASSED), id="U2: CT log"),
        ],
    )
    def test_windows_that_sigstore_ignores(self, root: dict[str, Any]) -> None:
        """U1, U2: sigstore 4.5 accepts what was signed after the trusted root's window had ended; we do not."""
        bundle = SIGSTORE.bundle(SIGSTORE.issue(), provenance())

        assert upstream(root, bundle)
        assert code(ours(root, bundle)) == "verification"

    def test_what_an_envelope_holds(self) -> None:
        """U6: sigstore hands over any payload type; we want a statement."""
        bundle = SIGSTORE.bundle(SIGSTORE.issue(), provenance(), payload_type="application/json")

        assert upstream(SIGSTORE.trusted_root(), bundle)
        assert code(ours(SIGSTORE.trusted_root(), bundle)) == "wrong-form"

    def test_two_identities(self) -> None:
        """U5: sigstore is content with any of several names; we want one."""
        from cryptography import x509

        names = [x509.UniformResourceIdentifier("https://evil.example/"), x509.UniformResourceIdentifier(WORKFLOW)]
        bundle = SIGSTORE.bundle(SIGSTORE.issue(names=names), provenance())

        assert upstream(SIGSTORE.trusted_root(), bundle)
        assert code(ours(SIGSTORE.trusted_root(), bundle)) == "verification"
