"""ClusterImagePolicy: read as upstream reads it, or refused by name."""

from dataclasses import replace

import pytest

from argocd_provenance.errors import FileFaults
from argocd_provenance.evidence.values import Certificate, DomainAnchor, KeyAnchor
from argocd_provenance.oci.reference import Reference, Repository
from argocd_provenance.policy.foreignglob import foreign_pattern
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.judge import judge
from argocd_provenance.policy.load import load_policies
from argocd_provenance.policy.model import EvidenceSource, MixedDomain, Policy
from argocd_provenance.policy.objectmatch import ObjectMatch
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
        mine = load("keyless: {trustRootRef: github, identities: [{issuer: https://i, subject: s}]}")

        assert mine.anchors() == (DomainAnchor("github"),)
        assert not judge(image(), mine, [evidence(signer=Certificate("s", "https://i"))], today=TODAY).allowed

    @pytest.mark.parametrize(
        ("more", "keyless", "domain"),
        [
            ("", "", None),
            (", ctlog: {url: https://rekor}", "", None),
            (
                "",
                "insecureIgnoreSCT: true, ",
                MixedDomain("", "public-good", "public-good", "public-good", None, False),
            ),
            (
                ", rfc3161timestamp: {trustRootRef: github}, signatureFormat: bundle",
                "trustRootRef: github, insecureIgnoreSCT: true, ",
                MixedDomain("", "github", "github", "github", frozenset({"timestamp"}), False),
            ),
            (
                ", ctlog: {trustRootRef: logs}, rfc3161timestamp: {trustRootRef: stamps}",
                "trustRootRef: roots, ",
                MixedDomain("", "roots", "logs", "stamps", frozenset({"log", "timestamp"})),
            ),
            (
                ", ctlog: {url: https://rekor}",
                "trustRootRef: roots, ",
                MixedDomain("", "roots", "public-good", "roots", frozenset({"log"})),
            ),
        ],
    )
    def test_the_proof_of_time_is_what_the_authority_names(
        self, more: str, keyless: str, domain: MixedDomain | None
    ) -> None:
        """Certificates, log and timestamps may be of different trust roots; nothing said is what the root demands."""
        mine = load(f"keyless: {{{keyless}identities: [{{issuer: https://i, subject: s}}]}}{more}")

        assert [replace(found, name="") for found in mine.domains] == ([domain] if domain else [])
        assert [anchor.name for anchor in mine.anchors() if isinstance(anchor, DomainAnchor)] == (
            [found.name for found in mine.domains] or ["public-good"]
        )
        assert bool(mine.warnings) is ("insecureIgnoreSCT" in keyless)

    @pytest.mark.parametrize(
        ("more", "log", "stamped", "domain"),
        [
            ("", False, False, "public-good"),
            (", ctlog: {trustRootRef: mine}", True, False, "mine"),
            (", rfc3161timestamp: {trustRootRef: mine}", False, True, "mine"),
            (", ctlog: {trustRootRef: a}, rfc3161timestamp: {trustRootRef: b}", True, True, "a (timestamp of b)"),
        ],
    )
    def test_a_key_demands_the_log_and_the_timestamp_that_are_named(
        self, more: str, domain: str, *, log: bool, stamped: bool
    ) -> None:
        """Upstream forgets the log where a timestamp stands; here both hold."""
        (anchor,) = load(f"{KEY}{more}").anchors()

        assert isinstance(anchor, KeyAnchor)
        assert (anchor.log, anchor.stamped, anchor.domain) == (log, stamped, domain)

    def test_a_key_signs_with_the_hash_that_is_named(self) -> None:
        """Whatever its case."""
        (anchor,) = load(KEY.replace("}", ", hashAlgorithm: SHA512}")).anchors()

        assert isinstance(anchor, KeyAnchor)
        assert anchor.hash == "sha512"

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
    def test_match_makes_a_policy_narrow(self, version: str) -> None:
        """It says which objects the policy is about."""
        more = "  mode: warn\n  match: [{group: apps, version: v1, resource: deployments}]\n"
        mine = load(KEYLESS, more=more, version=version)

        assert mine.match == (ObjectMatch("apps", "v1", "deployments"),)
        assert (mine.narrow, mine.mode, mine.foreign) == (True, "warn", True)


class TestRefusals:
    @pytest.mark.parametrize(
        ("authority", "said"),
        [
            ("key: {kms: 'gcpkms://k'}", "key.kms: gcpkms://k is not asked here: only a cluster could"),
            ("key: {kms: 'awskms:///k'}", "spec.authorities[0].key.kms: must be awskms://[HOST:PORT]/ARN"),
            ("key: {kms: whatever}", "key.kms: is no reference to a KMS"),
            (
                "key: {secretRef: {name: s}}",
                "put its content into a file, and name that in the config under clusterImagePolicy.secrets",
            ),
            ("key: {secretRef: {name: s, namespace: default}}", "namespace: must be cosign-system"),
            ("key: {}", "key: must have one of data, secretRef, kms"),
            ("key: {data: x, kms: 'gcpkms://k'}", "key: must have one of data, secretRef, kms"),
            ("key: {data: x}", "key.data: this is no public key"),
            (KEY.replace("}", ", hashAlgorithm: sha1}"), "hashAlgorithm: is 'sha1'"),
            (f"{KEY}, rfc3161timestamp: {{}}", "rfc3161timestamp: trustRootRef is missing"),
            ("keyless: {url: https://f}", "keyless: identities is missing"),
            ("keyless: {identities: []}", "identities: is an empty list"),
            ("keyless: {identities: [{issuer: https://i}]}", "needs one of subject and subjectRegExp"),
            (
                "keyless: {identities: [{issuer: i, issuerRegExp: i, subject: s}]}",
                "needs one of issuer and issuerRegExp",
            ),
            ("keyless: {identities: [{issuer: '', subject: s}]}", "issuer: is an empty text"),
            ("keyless: {ca-cert: {data: x}, identities: [{issuer: i, subject: s}]}", "ca-cert: is not read here"),
            (f"{KEYLESS}, ctlog: {{}}", "ctlog: is empty"),
            (f"{KEYLESS}, signatureFormat: legcy", "it must be legacy or bundle; did you mean legacy?"),
            (f"{KEYLESS}, {KEY}", "must have one of key, keyless and static"),
            (f"{KEYLESS}, sources: []", "sources: there is no such field; did you mean source?"),
            (f"{KEYLESS}, source: [{{oci: a}}, {{oci: b}}]", "only a single source is read"),
            ("name: a", "must have one of key, keyless and static"),
            ("static: {action: pass}, ctlog: {url: https://r}", "ctlog: means nothing beside static"),
        ],
    )
    def test_what_is_not_understood_is_refused_by_name(self, authority: str, said: str) -> None:
        """Nothing is skipped, and nothing falls back to a weaker reading."""
        assert said in faults(authority)

    def test_misplaced_fields_are_refused(self) -> None:
        """A field that upstream would drop weakens nothing here."""
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
            ("acme/*", "acme/shop:v1", True),
            ("acme/*", "docker.io/acme/shop:v1", True),
            ("acme/*", "ghcr.io/acme/shop:v1", False),
            ("nginx*", "index.docker.io/library/nginx:1", True),
            ("library/nginx*", "nginx:1", True),
            ("docker.io/nginx*", "nginx:1", True),
            ("index.docker.io/nginx*", "library/nginx:1", True),
        ],
    )
    def test_a_glob_sees_the_whole_reference(self, glob: str, reference: str, *, fits: bool) -> None:
        """An exact name matches no tag; Docker Hub is spelt both ways."""
        assert foreign_pattern(glob).matches(Image(Reference.parse(reference), DIGEST)) is fits
