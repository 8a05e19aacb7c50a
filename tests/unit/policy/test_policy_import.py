"""What other tools' policies become: the same decision or a stricter one, and a refusal by name for the rest."""

import pytest
import re2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st

from argocd_provenance.errors import FileFaults
from argocd_provenance.oci.reference import Reference
from argocd_provenance.policy.foreignglob import foreign_pattern
from argocd_provenance.policy.imagepatterns import Image, ImagePattern
from argocd_provenance.policy.importing import import_command, import_file
from argocd_provenance.policy.importing.draft import Draft, whole
from argocd_provenance.policy.importing.foreign import _pattern
from argocd_provenance.policy.patterns import BadPatternError
from support.imports import ACTIONS, DIGEST, SLSA, SPDX, SUBJECTS, allows, laxer, loaded, piece

PEM = (
    ec.derive_private_key(7, ec.SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
).decode()
MAIN, TAGGED, EVIL = SUBJECTS[:3]
BY = ("--certificate-identity", MAIN, "--certificate-oidc-issuer", ACTIONS)
DIGESTED = f"ghcr.io/acme/shop@{DIGEST.text}"


def files(name: str) -> bytes:
    """The one file that is there."""
    if name != "cosign.pub":
        raise FileNotFoundError(2, "No such file or directory", name)
    return PEM.encode()


def command(*words: str) -> str:
    """The import of a command line."""
    return import_command(words, files)


def faults(make: object, *arguments: object) -> tuple[str, ...]:
    """What is said where it is refused."""
    with pytest.raises(FileFaults) as caught:
        make(*arguments)  # type: ignore[operator]
    return caught.value.faults


def foreign(authorities: str, images: str = "[{glob: 'ghcr.io/acme/**'}]", rest: str = "") -> str:
    """A ClusterImagePolicy."""
    return (
        "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: c}\n"
        f"spec:\n  images: {images}\n{rest}  authorities: [{authorities}]\n"
    )


def keyless(rest: str = "", **identity: str) -> str:
    """An authority."""
    said = ", ".join(f"{field}: '{value}'" for field, value in identity.items())
    return f"{{keyless: {{url: 'https://fulcio.sigstore.dev', identities: [{{{said}}}]}}{rest}}}"


def kyverno(entry: str, spec: str = "validationFailureAction: Enforce") -> str:
    """A ClusterPolicy with one entry of verifyImages, as YAML flow."""
    return (
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: k}\n"
        f"spec: {{{spec}, rules: [{{name: r, match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}, verifyImages: [{entry}]}}]}}\n"
    )


def validating(expression: str, attestations: str = "") -> str:
    """An ImageValidatingPolicy."""
    return (
        "apiVersion: policies.kyverno.io/v1\nkind: ImageValidatingPolicy\nmetadata: {name: v}\nspec:\n"
        "  validationActions: [Deny]\n  matchImageReferences: [{glob: 'ghcr.io/acme/*'}]\n"
        f"  attestors: [{{name: ci, cosign: {{keyless: {{identities: [{{issuer: '{ACTIONS}', subject: '{MAIN}'}}]}}}}}}]\n"
        f"{attestations}  validations: [{{expression: '{expression}', message: no}}]\n"
    )


class TestCommands:
    def test_cosign_verify_demands_the_signature_of_that_identity(self) -> None:
        """And of nobody else."""
        made = loaded(command("cosign", "verify", *BY, "ghcr.io/acme/shop:v1"))

        assert allows(made, [piece(MAIN, ACTIONS, "signature")])
        assert not any(allows(made, [piece(who, ACTIONS, "signature")]) for who in SUBJECTS[1:])
        assert not allows(made, [piece(MAIN, "https://accounts.google.com", "signature")])
        assert not allows(made, [piece(MAIN, ACTIONS, SPDX)])
        assert [pattern.written for pattern in made.images] == ["ghcr.io/acme/shop"]

    def test_cosign_verify_attestation_demands_that_type(self) -> None:
        """By cosign's short name."""
        made = loaded(command("cosign", "verify-attestation", "--type", "spdxjson", *BY, DIGESTED))

        assert allows(made, [piece(MAIN, ACTIONS, SPDX)])
        assert not allows(made, [piece(MAIN, ACTIONS, SLSA)])
        assert not allows(made, [piece(MAIN, ACTIONS, "signature")])

    def test_a_key_is_carried_in_the_policy(self) -> None:
        """With the log that cosign demands, unless it was told not to."""
        logged = loaded(command("cosign", "verify", "--key=cosign.pub", "ghcr.io/acme/shop"))
        bare = loaded(command("cosign", "verify", "--key", "cosign.pub", "--insecure-ignore-tlog", "ghcr.io/acme/shop"))

        assert [anchor.log for policy in (logged, bare) for anchor in policy.anchors()] == [True, False]  # type: ignore[union-attr]

    def test_gh_demands_provenance_of_the_repository(self) -> None:
        """Signed by a workflow of it, and on GitHub's runners where that was asked."""
        text = command(
            "gh", "attestation", "verify", "oci://ghcr.io/acme/shop:v1", "-R", "acme/shop", "--deny-self-hosted-runners"
        )
        (demand,) = loaded(text).require

        assert demand.predicate_types == {SLSA}
        assert demand.runner == "github-hosted"
        assert str(demand.by[0]) == "github.com/acme/shop"

    def test_gh_takes_the_workflow_that_signs(self) -> None:
        """A reusable one at any ref; an own one as the workflow of the source."""
        line = ("gh", "attestation", "verify", "oci://ghcr.io/acme/shop", "--owner", "acme")
        (other,) = loaded(command(*line, "--signer-workflow", "acme/ci/.github/workflows/b.yml")).require
        (own,) = loaded(
            command(*line[:4], "-R", "acme/shop", "--signer-workflow", "acme/shop/.github/workflows/b.yml")
        ).require

        assert str(other.by[0]) == "github.com/acme/* signed by acme/ci/.github/workflows/b.yml@refs/**"
        assert str(own.by[0]) == "github.com/acme/shop/.github/workflows/b.yml"

    def test_slsa_verifier_demands_the_generator_at_a_release_for_that_source(self) -> None:
        """Level 3 is reached at releases only."""
        line = (
            "slsa-verifier",
            "verify-image",
            DIGESTED,
            "--source-uri",
            "github.com/acme/shop",
            "--source-tag",
            "v1.2.3",
        )
        (demand,) = loaded(command(*line)).require

        assert (demand.kind, demand.level) == ("provenance", 3)
        assert demand.source.ref is not None
        assert demand.source.ref.text == "refs/tags/v1.2.3"
        assert "generator_container_slsa3.yml@refs/tags/v*" in str(demand.by[0])

    def test_everything_that_cannot_be_carried_over_is_named_at_once(self) -> None:
        """And nothing is written."""
        said = faults(
            import_command,
            (
                "cosign",
                "verify",
                "--key",
                "awskms://k",
                "--certificate-chain",
                "c.pem",
                "--policy",
                "p.cue",
                "Bad/Image",
            ),
            files,
        )

        assert [
            word
            for word in ("awskms://k", "--certificate-chain", "--policy", "lower case")
            if not any(word in one for one in said)
        ] == []

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("cosign verify ghcr.io/a/b", "--certificate-oidc-issuer: is missing"),
            ("cosign verify --certificate-oidc-issuer x ghcr.io/a/b", "--certificate-identity"),
            ("cosign verify --certificate-oidc-issuer-regexp .* --certificate-identity x ghcr.io/a/b", "--certificate-oidc-issuer-regexp"),
            ("cosign verify --key none.pub ghcr.io/a/b", "cannot be read"),
            ("cosign verify --key cosign.pub --check-claims=false ghcr.io/a/b", "--check-claims=false"),
            ("cosign verify --key cosign.pub", "no image is named"),
            ("cosign verify-attestation --key cosign.pub --type nonsense ghcr.io/a/b", "--type nonsense"),
            ("cosign sign ghcr.io/a/b", "is no command that can be imported"),
            ("gh attestation verify artifact.bin -R a/b", "is a file"),
            ("gh attestation verify oci://ghcr.io/a/b", "--repo: give it"),
            ("gh attestation verify oci://ghcr.io/a/b -R a/b --signer-digest x", "--signer-digest"),
            ("slsa-verifier verify-image ghcr.io/a/b", "--source-uri"),
            ("slsa-verifier verify-image ghcr.io/a/b --source-uri github.com/a/b --source-versioned-tag v1", "--source-versioned-tag"),
            ("slsa-verifier verify-image ghcr.io/a/b --source-uri github.com/a/b --builder-id https://github.com/a/b/.github/workflows/x.yml", "--builder-id"),
        ],
    )  # fmt: skip
    def test_a_command_line_that_cannot_be_carried_over(self, line: str, said: str) -> None:
        """By the name of its option."""
        assert any(said in one for one in faults(import_command, line.split(), files))


EXPRESSION = st.text(alphabet="ab.^$*+?()|[]\\Qi:m", min_size=1, max_size=8)


class TestExpressions:
    @given(EXPRESSION, st.text(alphabet="ab.Qi:m$", max_size=6))
    def test_what_the_new_expression_takes_the_old_one_finds(self, written: str, text: str) -> None:
        """For every expression and every subject."""
        try:
            found = whole(written, Draft("d", "x"))["subjectPattern"]
        except BadPatternError:
            return
        options = re2.Options()
        options.log_errors = False
        if re2.compile(found, options).fullmatch(text):
            assert re2.compile(written, options).search(text)

    @pytest.mark.parametrize(
        ("written", "made"),
        [
            ("^https://github\\.com/acme/shop/", "https://github\\.com/acme/shop/.*"),
            ("^a@refs/heads/main$", "a@refs/heads/main"),
            ("a.*", "a.*"),
            ("^(?i)a$", "(?:^(?i)a$).*"),
        ],
    )
    def test_usual_expressions_stay_readable(self, written: str, made: str) -> None:
        """Anchored at both ends."""
        assert whole(written, Draft("d", "x")) == {"subjectPattern": made}


CARRIED = [
    pytest.param(foreign(keyless(issuer=ACTIONS, subject=MAIN)), id="one identity"),
    pytest.param(foreign(keyless(issuer=ACTIONS, subjectRegExp="https://github.com/acme/shop/.*")), id="unanchored"),
    pytest.param(foreign(keyless(issuer=ACTIONS, subjectRegExp="^https://github\\.com/acme/.*@refs/heads/main$")), id="anchored"),
    pytest.param(foreign(keyless(issuer=ACTIONS, subjectRegExp="^https://github.com/acme|acme.example$")), id="alternatives"),
    pytest.param(foreign(keyless(issuer=ACTIONS, subject="https://github.com/acme/*")), id="a star that is none"),
    pytest.param(foreign(keyless(issuer=ACTIONS, subject=MAIN) + ", " + keyless(issuer="https://accounts.google.com", subject="release@acme.example")), id="two authorities"),
    pytest.param(foreign(keyless(f", attestations: [{{name: p, predicateType: '{SLSA}'}}, {{name: s, predicateType: spdxjson}}]", issuer=ACTIONS, subject=MAIN)), id="attestations"),
    pytest.param(foreign(keyless(", attestations: [{name: s, predicateType: spdxjson, policy: {type: cel, data: 'size(predicate.packages) > 0'}}]", issuer=ACTIONS, subject=MAIN)), id="CEL"),
    pytest.param(foreign(f"{{key: {{data: {PEM!r}}}}}".replace("'", '"')), id="key"),
    pytest.param(foreign(f"{{key: {{data: {PEM!r}}}, ctlog: {{url: 'https://rekor.sigstore.dev'}}}}".replace("'", '"')), id="key with a log"),
]  # fmt: skip


class TestClusterImagePolicy:
    @pytest.mark.parametrize("text", CARRIED)
    def test_what_the_original_refuses_the_import_never_takes(self, text: str) -> None:
        """By evidence of whom it names, of whom it nearly names, and of strangers."""
        original, imported = loaded(text), loaded(import_file("c.yaml", text))

        assert laxer(original, imported) == []

    def test_what_it_is_for_still_passes(self) -> None:
        """Stricter is not blind."""
        imported = loaded(import_file("c.yaml", CARRIED[1].values[0]))  # type: ignore[arg-type]

        assert allows(imported, [piece(MAIN, ACTIONS, "signature")])

    @example(parts=["*", "nginx*"], end="", written="nginx:1")
    @example(parts=["*", "acme", "web*"], end="", written="acme/web:1")
    @given(
        st.lists(st.sampled_from(["ghcr.io", "acme", "shop", "*", "**", "docker.io", "index.docker.io", "nginx", "ac*"]), min_size=1, max_size=4),
        st.sampled_from(["", ":*", ":v1", "@*", "*", "**"]),
        st.sampled_from(["ghcr.io/acme/shop:v1", DIGESTED, "nginx", "nginx:1", "acme/shop", "docker.io/nginx", "index.docker.io/acme/shop:v1", "acme/team/shop", "ghcr.io/acme/team/shop:v2", "docker.io/library/nginx:1"]),
    )  # fmt: skip
    def test_every_image_that_a_glob_is_about_the_pattern_is_about(
        self, parts: list[str], end: str, written: str
    ) -> None:
        """Fewer images would be let off."""
        glob = "/".join(parts) + end
        try:
            original, made = foreign_pattern(glob), ImagePattern.parse(_pattern(glob, Draft("d", "x")))
        except BadPatternError:
            return
        image = Image(Reference.parse(written), DIGEST)

        assert made.matches(image) or not original.matches(image)

    def test_what_was_no_policy_becomes_none(self) -> None:
        """Upstream refuses that glob."""
        (said,) = faults(import_file, "c.yaml", foreign(keyless(issuer=ACTIONS, subject=MAIN), "[{glob: 'a[b]'}]"))

        assert "spec.images[0].glob: holds characters" in said

    @pytest.mark.parametrize(
        ("authority", "said"),
        [
            ("{static: {action: pass}}", "spec.authorities[0].static"),
            (keyless(issuerRegExp=".*", subject=MAIN), "issuerRegExp"),
            (keyless(", rfc3161timestamp: {trustRootRef: t}", issuer=ACTIONS, subject=MAIN), "rfc3161timestamp"),
            (keyless(", source: [{oci: ghcr.io/a/b}]", issuer=ACTIONS, subject=MAIN), "source"),
            (keyless(", attestations: [{name: p, predicateType: spdxjson, policy: {type: cue, data: 'x: 1'}}]", issuer=ACTIONS, subject=MAIN), "cue cannot be carried over"),
            ("{key: {kms: 'awskms://x'}}", "key.kms"),
            (keyless(issuer=ACTIONS, subject=MAIN) + ", " + keyless(", attestations: [{name: s, predicateType: spdxjson}]", issuer=ACTIONS, subject=MAIN), "different attestations"),
        ],
    )  # fmt: skip
    def test_what_an_image_policy_cannot_say_is_refused_by_name(self, authority: str, said: str) -> None:
        """With its line."""
        found = faults(import_file, "c.yaml", foreign(authority))

        assert any(said in one for one in found)
        assert all(one.startswith("c.yaml:") for one in found)


KEYLESS = f"{{entries: [{{keyless: {{issuer: '{ACTIONS}', subject: 'https://github.com/acme/*'}}}}]}}"


class TestKyverno:
    def test_a_keyless_rule_demands_that_identity(self) -> None:
        """A star of Kyverno's crosses slashes, and its image patterns see the tag."""
        text = kyverno(f"{{imageReferences: ['ghcr.io/acme/sh*'], attestors: [{KEYLESS}]}}")
        made = loaded(import_file("k.yaml", text))

        assert made.mode == "enforce"
        assert allows(made, [piece(MAIN, ACTIONS, "signature")])
        assert not allows(made, [piece(EVIL, ACTIONS, "signature")])
        assert made.images[0].matches(Image(Reference.parse("ghcr.io/acme/shop/sub:v1"), DIGEST))

    def test_all_entries_must_sign_unless_a_count_says_otherwise(self) -> None:
        """And each attestor is a demand of its own."""
        two = f"{{keyless: {{issuer: '{ACTIONS}', subject: '{MAIN}'}}}}, {{keyless: {{issuer: '{ACTIONS}', subject: '{TAGGED}'}}}}"
        every = loaded(
            import_file(
                "k.yaml", kyverno(f"{{imageReferences: ['ghcr.io/acme/*'], attestors: [{{entries: [{two}]}}]}}")
            )
        )
        one = loaded(
            import_file(
                "k.yaml",
                kyverno(f"{{imageReferences: ['ghcr.io/acme/*'], attestors: [{{count: 1, entries: [{two}]}}]}}"),
            )
        )
        pieces = [piece(MAIN, ACTIONS, "signature"), piece(TAGGED, ACTIONS, "signature")]

        assert [allows(every, pieces[:1]), allows(every, pieces), allows(one, pieces[:1])] == [False, True, True]

    def test_attestations_are_demanded_by_the_attestors_around_them(self) -> None:
        """Beside the signature."""
        text = kyverno(
            f"{{imageReferences: ['ghcr.io/acme/*'], attestors: [{KEYLESS}], attestations: [{{type: '{SLSA}'}}]}}"
        )

        assert [demand.kind for demand in loaded(import_file("k.yaml", text)).require] == ["signature", "attestation"]

    @pytest.mark.parametrize("written", ["docker.io/ng*", "*nginx*", "nginx", "docker.io/*"])
    def test_docker_hubs_images_are_met_in_any_spelling(self, written: str) -> None:
        """Kyverno knows no library."""
        text = kyverno(f"{{imageReferences: ['{written}'], attestors: [{KEYLESS}]}}")

        assert loaded(import_file("k.yaml", text)).images[0].matches(Image(Reference.parse("nginx:1"), DIGEST))

    def test_audit_warns_and_silence_enforces(self) -> None:
        """The stricter reading of a default that only audits."""
        entry = f"{{imageReferences: ['ghcr.io/acme/*'], attestors: [{KEYLESS}]}}"

        assert loaded(import_file("k.yaml", kyverno(entry, "validationFailureAction: Audit"))).mode == "warn"
        text = import_file("k.yaml", kyverno(entry, "background: false"))
        assert loaded(text).mode == "enforce"
        assert "# Stricter: mode: enforce" in text

    @pytest.mark.parametrize(
        ("entry", "said"),
        [
            ("{imageReferences: ['a/*'], attestors: [{entries: [{keys: {publicKeys: '{{ keys.data.x }}'}}]}]}", "publicKeys"),
            ("{imageReferences: ['a/*'], attestors: [{entries: [{keyless: {subject: x}}]}]}", "must name one issuer"),
            ("{imageReferences: ['a/*'], attestors: [{entries: [{certificates: {cert: x}}]}]}", "certificates"),
            ("{imageReferences: ['a/*'], type: Notary, attestors: [" + KEYLESS + "]}", "type"),
            ("{imageReferences: ['a/*'], attestors: [" + KEYLESS + "], attestations: [{type: 'https://x.example/y', conditions: [{all: []}]}]}", "conditions"),
            ("{imageReferences: ['a/*'], skipImageReferences: ['a/b:v1'], attestors: [" + KEYLESS + "]}", "skips some tags"),
            ("{imageReferences: ['a/*']}", "names no attestors"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_carried_over_is_refused_by_name(self, entry: str, said: str) -> None:
        """With its line."""
        assert any(said in one for one in faults(import_file, "k.yaml", kyverno(entry)))

    def test_validations_by_kyvernos_own_functions_become_demands(self) -> None:
        """Signatures and attestations."""
        kinds = f"  attestations: [{{name: slsa, intoto: {{type: '{SLSA}'}}}}]\n"
        signed = loaded(
            import_file(
                "v.yaml",
                validating("images.containers.map(image, verifyImageSignatures(image, [attestors.ci])).all(e, e > 0)"),
            )
        )
        built = loaded(
            import_file(
                "v.yaml",
                validating(
                    "images.containers.map(image, verifyAttestationSignatures(image, attestations.slsa, [attestors.ci])).all(e, e > 0)",
                    kinds,
                ),
            )
        )

        assert allows(signed, [piece(MAIN, ACTIONS, "signature")])
        assert not allows(signed, [piece(EVIL, ACTIONS, "signature")])
        assert allows(built, [piece(MAIN, ACTIONS, SLSA)])

    @pytest.mark.parametrize(
        "expression",
        [
            "images.containers.map(image, verifyImageSignatures(image, [attestors.ci])).all(e, e >= 0)",
            "images.containers.map(image, verifyImageSignatures(image, [attestors.other])).all(e, e > 0)",
            "images.containers.map(image, verifyImageSignatures(image, [attestors.ci])).exists(e, e > 0)",
            "true || images.containers.map(image, verifyImageSignatures(image, [attestors.ci])).all(e, e > 0)",
        ],
    )
    def test_any_other_expression_is_refused(self, expression: str) -> None:
        """However near it comes."""
        assert any("expression" in one for one in faults(import_file, "v.yaml", validating(expression)))


class TestFiles:
    @pytest.mark.parametrize(
        "text",
        ["kind: Secret\napiVersion: v1\n", "", "a: [", "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nspec: {}\n"],
    )
    def test_a_file_that_holds_no_policy_is_refused(self, text: str) -> None:
        """With its line, and nothing is written."""
        assert all(one.startswith("x.yaml:") for one in faults(import_file, "x.yaml", text))

    def test_a_name_that_ends_a_comment_writes_none(self) -> None:
        """What stands in remarks is one line."""
        text = foreign(keyless(issuer=ACTIONS, subject=MAIN)).replace("{name: c}", '{name: "c\\nkind: Evil"}')

        assert "\nkind: Evil" not in import_file("c.yaml", text)
