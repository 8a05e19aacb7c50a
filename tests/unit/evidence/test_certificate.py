"""Who a certificate names."""

from typing import Any

import pytest
from cryptography import x509

from argocd_provenance.demo.sigstore import GITHUB
from argocd_provenance.demo.sigstore.wire import der, utf8
from argocd_provenance.evidence import certificate
from argocd_provenance.evidence.rejections import Refused
from argocd_provenance.evidence.values import Certificate
from support.signing import SIGSTORE, WORKFLOW, bundle_candidate, code, provenance, verify

OID = "1.3.6.1.4.1.57264.1."
NEWER = dict.fromkeys(range(8, 25))
NAME = x509.UniformResourceIdentifier


def issued(**how: Any) -> x509.Certificate:
    """A certificate; `how` as in `VirtualSigstore.issue`."""
    made = SIGSTORE.issue(**how).certificate
    assert made is not None
    return made


def read(**how: Any) -> Certificate:
    """What such a certificate says."""
    return certificate.read(certificate.load(der(issued(**how))))


def refusal(**how: Any) -> str:
    """Why such a certificate names nobody."""
    with pytest.raises(Refused) as caught:
        read(**how)
    return caught.value.code


class TestRead:
    def test_a_certificate_of_today(self) -> None:
        """Identity, issuer and every claim, with the OID it was read from."""
        said = read(claims={23: "production", 24: "repo:acme/app"})

        assert (said.identity, said.issuer) == (WORKFLOW, GITHUB)
        assert said.claims["sourceRepositoryURI"] == "https://github.com/acme/app"
        assert said.read_from["sourceRepositoryURI"] == OID + "12"
        assert said.claims["deploymentEnvironment"] == "production"
        assert said.read_from["tokenSubject"] == OID + "24"

    def test_a_certificate_of_2022(self) -> None:
        """The oldest extensions fill the claims that the newer ones lack, the repository as a URL."""
        old = {1: GITHUB, 2: "push", 3: "b" * 40, 4: "Release", 5: "acme/app", 6: "refs/heads/main"}

        said = read(claims={**NEWER, **old})

        assert said.issuer == GITHUB
        assert said.claims == {
            "sourceRepositoryURI": "https://github.com/acme/app",
            "sourceRepositoryDigest": "b" * 40,
            "sourceRepositoryRef": "refs/heads/main",
            "buildTrigger": "push",
            "githubWorkflowName": "Release",
        }
        assert said.read_from["sourceRepositoryURI"] == OID + "5"

    def test_the_newer_claim_counts(self) -> None:
        """Where both speak, the newer extension is read."""
        said = read(claims={5: "evil/app", 3: "b" * 40})

        assert said.claims["sourceRepositoryURI"] == "https://github.com/acme/app"
        assert said.claims["sourceRepositoryDigest"] == "a" * 40

    def test_an_old_repository_of_another_issuer(self) -> None:
        """A bare repository name is one of github.com only where github.com's tokens say so."""
        said = read(issuer="https://git.example", claims={12: None, 5: "acme/app"})

        assert "sourceRepositoryURI" not in said.claims

    def test_github_releases_vouch_for_themselves(self) -> None:
        """Their certificate has no extension of Fulcio's at all; with any, it is somebody else's."""
        name = "https://dotcom.releases.github.com"

        assert read(identity=name, issuer=None).issuer == name
        assert refusal(identity=name, issuer=None, claims={20: "push"}) == "verification"
        assert refusal(identity="https://other.releases.github.com", issuer=None) == "verification"

    @pytest.mark.parametrize("issuer", [{1: None}, {8: None}])
    def test_one_issuer_extension_is_enough(self, issuer: dict[int, None]) -> None:
        """N9: older certificates have .1 only, and .1 is deprecated."""
        assert read(claims=issuer).issuer == GITHUB

    @pytest.mark.parametrize(
        ("name", "identity"),
        [
            pytest.param(x509.RFC822Name("release@acme.example"), "release@acme.example", id="mail"),
            pytest.param(NAME("spiffe://acme/release"), "spiffe://acme/release", id="URI"),
            pytest.param(
                x509.OtherName(x509.ObjectIdentifier(OID + "7"), utf8("release!acme.example")),
                "release!acme.example",
                id="user name",
            ),
        ],
    )
    def test_kinds_of_identity(self, name: x509.GeneralName, identity: str) -> None:
        """U5: mail, URI and user name, each without its encoding."""
        assert read(names=[name]).identity == identity


class TestNobody:
    @pytest.mark.parametrize(
        "how",
        [
            pytest.param({"issuer": None}, id="no issuer"),
            pytest.param({"claims": {1: "", 8: ""}}, id="an empty issuer"),
            pytest.param({"claims": {1: "https://evil.example"}}, id="two issuers"),
            pytest.param({"claims": {8: "https://evil.example"}}, id="two issuers, the other way"),
            pytest.param({"names": [NAME("https://evil.example/"), NAME(WORKFLOW)]}, id="two identities"),
            pytest.param({"names": [NAME(WORKFLOW), x509.DNSName("x")]}, id="an identity and something else"),
            pytest.param({"names": [x509.DNSName("github.com")]}, id="a host"),
            pytest.param(
                {"names": [x509.OtherName(x509.ObjectIdentifier("1.2.3"), utf8("x"))]}, id="a name of another kind"
            ),
        ],
    )
    def test_certificates_that_name_nobody(self, how: dict[str, Any]) -> None:
        """N9: exactly one identity, one issuer, and no contradiction (.1 and .8)."""
        assert refusal(**how) == "verification"

    @pytest.mark.parametrize(
        "identity",
        [WORKFLOW + "\x00", WORKFLOW + "\nhttps://github.com/acme/app", "https://a/\x1b[2J", "https://a/\x7f"],
    )
    def test_control_characters(self, identity: str) -> None:
        """N8, N25: no NUL, no newline, no escape sequence in an identity."""
        assert refusal(names=[NAME(identity)], claims={9: None, 18: None}) == "malformed"

    @pytest.mark.parametrize("issuer", ["https://token\u202emoc.evil", "https://a\u200bb", "https://a\u2028b"])
    def test_invisible_characters(self, issuer: str) -> None:
        """N8: an identity or issuer that people cannot see as it is compared names nobody."""
        assert refusal(issuer=issuer) == "malformed"

    def test_control_characters_in_a_claim(self) -> None:
        """N25: nor in a claim, which people will read."""
        assert refusal(claims={4: "Release\n"}) == "malformed"

    def test_long_identities(self) -> None:
        """N31: 1,024 characters at most are matched against anything."""
        assert len(read(names=[NAME("https://a/" + "x" * 1014)]).identity) == 1024
        assert refusal(names=[NAME("https://a/" + "x" * 1015)]) == "too-large"

    def test_a_claim_that_is_no_text(self) -> None:
        """N26: an extension in another encoding is not guessed at."""
        good = issued()
        raw = der(good).replace(utf8("github-hosted"), b"\x13" + utf8("github-hosted")[1:])

        with pytest.raises(Refused) as caught:
            certificate.read(certificate.load(raw))

        assert caught.value.code == "malformed"

    @pytest.mark.parametrize("raw", [b"", b"x", der(issued())[:-1], b"\x30" * 70_000])
    def test_bytes_that_are_no_certificate(self, raw: bytes) -> None:
        """N23: rubbish is refused, and large rubbish is not read."""
        with pytest.raises(Refused):
            certificate.load(raw)

        assert certificate.claimed_identity(raw) == ""

    @pytest.mark.parametrize("claims", [{1: None, 8: None}, {1: "https://evil.example"}])
    def test_the_verifier_asks(self, claims: dict[int, str | None]) -> None:
        """N9: a perfect signature by nobody is a rejection."""
        candidate = bundle_candidate(SIGSTORE.bundle(SIGSTORE.issue(claims=claims), provenance()))

        assert code(verify(candidate)) == "verification"
