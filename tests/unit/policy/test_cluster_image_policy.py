"""ClusterImagePolicy: read as upstream reads it, or refused by name."""

import pytest

from argocd_provenance.errors import FileFaults
from argocd_provenance.evidence.values import Certificate, DomainAnchor, KeyAnchor
from argocd_provenance.oci.reference import Reference, Repository
from argocd_provenance.policy.foreignglob import foreign_pattern
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.judge import judge
from argocd_provenance.policy.load import load_policies
from argocd_provenance.policy.model import EvidenceSource, Policy
from unit.policy.builders import DIGEST, TODAY, codes, evidence, image, no_files

HEX = "1a" * 32
PEM = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaEOVJCFtduYr3xqTxeRWSW32CY/s
TBNZj4oIUPl8JvhVPJ1TKDPlNcuT4YphSt6t3yOmMvkdQbCj8broX6vijw==
-----END PUBLIC KEY-----
"""
KEYLESS = "keyless: {identities: [{issuer: https://i, subject: a@b}]}"
KEY = "key: {data: " + repr(PEM).replace("'", '"') + "}"


def text(
    *authorities: str, images: str = "[{glob: 'ghcr.io/acme/**'}]", more: str = "", version: str = "v1beta1"
) -> str:
    """A ClusterImagePolicy with those authorities."""
    listed = ", ".join(f"{{{authority}}}" for authority in authorities)
    return (
        f"apiVersion: policy.sigstore.dev/{version}\nkind: ClusterImagePolicy\nmetadata: {{name: cip, labels: {{a: b}}}}\n"
        f"spec:\n  images: {images}\n  authorities: [{listed}]\n{more}"
    )


def load(*authorities: str, **changes: str) -> Policy:
    """It, loaded."""
    return load_policies([("p.yaml", text(*authorities, **changes))], no_files)[0]


def faults(*authorities: str, **changes: str) -> str:
    """Its faults."""
    with pytest.raises(FileFaults) as caught:
        load(*authorities, **changes)
    return str(caught.value)


class TestAuthorities:
    def test_keyless_is_a_signature_by_an_identity(self) -> None:
        """Issuer and subject; authorities are alternatives, and so are identities."""
        mine = load(
            KEYLESS, "keyless: {identities: [{issuer: https://j, subject: x}, {issuer: https://j, subject: z}]}"
        )

        for issuer, subject, allowed in [
            ("https://i", "a@b", True),
            ("https://j", "z", True),
            ("https://j", "a@b", False),
        ]:
            piece = evidence(signer=Certificate(subject, issuer))
            assert judge(image(), mine, [piece], today=TODAY).allowed is allowed

    def test_expressions_match_anywhere_and_the_lint_says_so(self) -> None:
        """RE2 and unanchored, as upstream."""
        mine = load("keyless: {identities: [{issuerRegExp: 'https://i', subjectRegExp: 'acme/'}]}")

        assert judge(image(), mine, [evidence(signer=Certificate("x/acme/y", "https://i.evil"))], today=TODAY).allowed
        assert len(mine.warnings) == 2

    def test_a_trust_root_is_a_trust_domain_of_that_name(self) -> None:
        """Evidence of another domain proves nothing."""
        mine = load("keyless: {trustRootRef: github, insecureIgnoreSCT: true, identities: [{issuer: https://i, subject: s}]}, "
                    "rfc3161timestamp: {trustRootRef: github}, signatureFormat: bundle")  # fmt: skip

        assert mine.anchors() == (DomainAnchor("github"),)
        assert not judge(image(), mine, [evidence(signer=Certificate("s", "https://i"))], today=TODAY).allowed

    def test_a_key_without_ctlog_needs_no_log_and_the_lint_says_so(self) -> None:
        """With it, it does."""
        without, with_log = load(KEY), load(f"{KEY}, ctlog: {{url: https://rekor.sigstore.dev}}")

        assert [a.log for a in (*without.anchors(), *with_log.anchors()) if isinstance(a, KeyAnchor)] == [False, True]
        assert "needs no log" in without.warnings[0]
        assert not with_log.warnings

    def test_static_authorities_answer_without_evidence(self) -> None:
        """A pass proves nothing, a fail is final."""
        free = judge(image(), load("static: {action: pass}"), [], today=TODAY)
        never = judge(image(), load("static: {action: fail, message: never}"), [evidence()], today=TODAY)

        assert (free.allowed, free.weak) == (True, True)
        assert codes(never) == ["static-fail"]

    def test_attestations_are_all_demanded_instead_of_a_signature(self) -> None:
        """By predicate type or short name; the image signature is not looked at then."""
        mine = load(
            f"{KEYLESS}, attestations: [{{name: s, predicateType: spdx}}, {{name: v, predicateType: 'https://x/v1'}}]"
        )
        signer = Certificate("a@b", "https://i")
        sbom = evidence("attestation", signer=signer, predicate_type="https://spdx.dev/Document", predicate={})
        other = evidence("attestation", signer=signer, predicate_type="https://x/v1", predicate={})

        assert judge(image(), mine, [sbom, other], today=TODAY).allowed
        assert not judge(image(), mine, [sbom, evidence(signer=signer)], today=TODAY).allowed

    def test_signatures_may_lie_elsewhere(self) -> None:
        """`source.oci`, one, with a prefix that is glued on; its host may be asked."""
        mine = load(f"{KEYLESS}, source: [{{oci: ghcr.io/acme/signatures, tagPrefix: prod}}]")

        assert mine.sources() == (EvidenceSource(Repository("ghcr.io", "acme/signatures"), "prod"),)
        assert load(KEYLESS, images="[{glob: '**'}]").hosts() == frozenset()

    @pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
    def test_match_is_carried_and_not_applied(self, version: str) -> None:
        """The policy holds for every object, which is stricter, and it says that it is narrow."""
        more = "  mode: warn\n  match: [{group: apps, version: v1, resource: deployments}]\n"
        mine = load(KEYLESS, more=more, version=version)

        assert mine.match == ({"group": "apps", "version": "v1", "resource": "deployments"},)
        assert (mine.narrow, mine.mode, mine.foreign) == (True, "warn", True)


class TestRefusals:
    @pytest.mark.parametrize(
        ("authority", "said"),
        [
            ("key: {kms: 'awskms:///k'}", "spec.authorities[0].key.kms: is a key of a cloud"),
            ("key: {secretRef: {name: s}}", "key.secretRef: is a Secret of a cluster"),
            ("key: {}", "key: data is missing"),
            ("key: {data: x}", "key.data: this is no public key"),
            (KEY.replace("}", ", hashAlgorithm: sha1}"), "hashAlgorithm: is 'sha1'"),
            (f"{KEY}, rfc3161timestamp: {{trustRootRef: t}}", "rfc3161timestamp: is not read beside a key"),
            ("keyless: {url: https://f}", "keyless: identities is missing"),
            ("keyless: {identities: []}", "identities: is an empty list"),
            ("keyless: {identities: [{issuer: https://i}]}", "needs one of subject and subjectRegExp"),
            (
                "keyless: {identities: [{issuer: i, issuerRegExp: i, subject: s}]}",
                "needs one of issuer and issuerRegExp",
            ),
            ("keyless: {identities: [{issuer: '', subject: s}]}", "issuer: is an empty text"),
            ("keyless: {insecureIgnoreSCT: true, identities: [{issuer: i, subject: s}]}", "would drop a proof"),
            ("keyless: {ca-cert: {data: x}, identities: [{issuer: i, subject: s}]}", "ca-cert: is not read here"),
            (f"{KEYLESS}, ctlog: {{}}", "ctlog: is empty"),
            (f"{KEYLESS}, ctlog: {{trustRootRef: t}}", "one domain proves both"),
            (f"{KEYLESS}, signatureFormat: legcy", "it must be legacy or bundle; did you mean legacy?"),
            (f"{KEYLESS}, {KEY}", "must have one of key, keyless and static"),
            (f"{KEYLESS}, sources: []", "sources: there is no such field; did you mean source?"),
            (f"{KEYLESS}, source: [{{oci: a}}, {{oci: b}}]", "only a single source is read"),
            ("name: a", "must have one of key, keyless and static"),
            ("static: {action: pass}, ctlog: {url: https://r}", "ctlog: means nothing beside static"),
            (
                f"{KEYLESS}, attestations: [{{name: a, predicateType: spdx, policy: {{type: rego, data: x}}}}]",
                "type: rego is not read",
            ),
        ],
    )
    def test_what_is_not_understood_is_refused_by_name(self, authority: str, said: str) -> None:
        """Nothing is skipped, and nothing falls back to a weaker reading."""
        assert said in faults(authority)

    def test_a_policy_over_all_authorities_is_refused(self) -> None:
        """And so are misspelt and misplaced fields."""
        assert "spec.policy: a policy over all authorities" in faults(KEYLESS, more="  policy: {type: cue, data: x}\n")
        assert "spec.signatureFormat: there is no such field" in faults(KEYLESS, more="  signatureFormat: bundle\n")
        assert "spec.authorities: is an empty list" in faults()
        assert "glob: holds characters" in faults(KEYLESS, images="[{glob: 'a[b]'}]")


class TestGlobs:
    @pytest.mark.parametrize(
        ("glob", "reference", "fits"),
        [
            ("ghcr.io/acme/shop", "ghcr.io/acme/shop:v1", False),
            ("ghcr.io/acme/shop*", "ghcr.io/acme/shop:v1", True),
            ("ghcr.io/acme/shop@*", "ghcr.io/acme/shop:v1", True),
            ("ghcr.io/acme/shop:v1", f"ghcr.io/acme/shop:v1@sha256:{HEX}", False),
            ("ghcr.io/*", "ghcr.io/acme/shop:v1", False),
            ("ghcr.io/**", "ghcr.io/acme/shop:v1", True),
            ("*", "nginx", True),
            ("*", "ghcr.io/nginx", False),
            ("*/*", "acme/shop", True),
            ("docker.io/**", "nginx", True),
            ("index.docker.io/library/nginx*", "nginx:1", True),
        ],
    )
    def test_a_glob_sees_the_whole_reference(self, glob: str, reference: str, *, fits: bool) -> None:
        """An exact name matches no tag; Docker Hub is spelt both ways."""
        assert foreign_pattern(glob).matches(Image(Reference.parse(reference), DIGEST)) is fits
