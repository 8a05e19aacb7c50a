"""Who signed: the certificate says it, to the letter, or evidence says nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from argocd_provenance.demo.sigstore.wire import der, utf8
from argocd_provenance.evidence import certificate
from argocd_provenance.evidence.rejections import Refused
from support.signing import SIGSTORE, WORKFLOW

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60)
ARCS = {arcs[0]: name for name, arcs in certificate.CLAIM_NAMES.items() if arcs[0] >= 8}
KEY = SIGSTORE.issue().key


class TestClaims:
    """fulcio: docs/oid-info.md. "The value is a DER-encoded UTF8String"."""

    @settings(max_examples=12, deadline=None)
    @given(st.sampled_from(sorted(ARCS)), TEXT)
    def test_a_claim_is_read_as_it_was_issued(self, arc: int, value: str) -> None:
        """N26: one character more or less in the certificate is one character more or less in the evidence."""
        issued = SIGSTORE.issue(key=KEY, claims={arc: value}, sct=False).certificate
        assert issued is not None

        said = certificate.read(certificate.load(der(issued)))

        assert said.claims[ARCS[arc]] == value
        assert said.read_from[ARCS[arc]].endswith(f".{arc}")

    @settings(max_examples=12, deadline=None)
    @given(st.sampled_from(sorted(ARCS)))
    def test_a_claim_that_is_missing_is_missing(self, arc: int) -> None:
        """N26: nothing is filled in for a claim that the certificate lacks."""
        issued = SIGSTORE.issue(key=KEY, claims={arc: None}, sct=False).certificate
        assert issued is not None

        assert ARCS[arc] not in certificate.read(certificate.load(der(issued))).claims

    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 40), st.integers(0, 255))
    def test_other_encodings_are_refused(self, position: int, value: int) -> None:
        """N26: a byte of the encoding changed is another text of the same length, or no text."""
        issued = SIGSTORE.issue(key=KEY, sct=False).certificate
        assert issued is not None
        encoded = utf8("https://github.com/acme/app/actions/runs/1/attempts/1")[: position + 1]
        old = utf8("https://github.com/acme/app/actions/runs/1/attempts/1")
        changed = old[:position] + bytes([value]) + old[position + 1 :]
        assert old.startswith(encoded)

        try:
            said = certificate.read(certificate.load(der(issued).replace(old, changed)))
        except Refused:
            return

        assert utf8(said.claims["runInvocationURI"]) == changed
        assert said.identity == WORKFLOW
