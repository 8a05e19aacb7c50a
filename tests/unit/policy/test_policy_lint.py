"""What the lint says of policies: each code for what it names, and nothing of sound policies."""

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argocd_provenance.lints import CODES, Lint, exit_code
from argocd_provenance.policy.lint import lint
from argocd_provenance.policy.lint.meeting import meet
from argocd_provenance.policy.load import load_policies
from argocd_provenance.policy.patterns import Glob

ROOT = Path(__file__).resolve().parents[3]
TODAY = date(2026, 6, 1)
ACTIONS = "https://token.actions.githubusercontent.com"
GOOD = "{github: {repository: acme/shop, workflow: .github/workflows/build.yml, ref: refs/heads/main}}"
DIGEST = "sha256:" + "a" * 64


def own(
    require: str = f"[{{provenance: {{by: [{GOOD}]}}}}]",
    images: str = '["ghcr.io/acme/**"]',
    name: str = "p",
    **spec: str,
) -> str:
    """An ImagePolicy."""
    more = "".join(f"  {field}: {value}\n" for field, value in spec.items())
    demands = f"  require: {require}\n" if require else ""
    return f"apiVersion: argocd-provenance.io/v1alpha1\nkind: ImagePolicy\nmetadata: {{name: {name}}}\nspec:\n  images: {images}\n{more}{demands}"


def signed(issuer: str = ACTIONS, rest: str = "", **subject: str) -> str:
    """An ImagePolicy that trusts one identity."""
    said = ", ".join(f"{field}: '{value}'" for field, value in subject.items())
    return own(f"[{{provenance: {{by: [{{identity: {{issuer: '{issuer}', {said}}}}}]{rest}}}}}]")


def foreign(authority: str) -> str:
    """A ClusterImagePolicy with one authority."""
    return (
        "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: c}\n"
        f"spec:\n  images: [{{glob: 'ghcr.io/acme/**'}}]\n  authorities: [{authority}]\n"
    )


def keyless(**identity: str) -> str:
    """A ClusterImagePolicy that trusts one identity."""
    said = ", ".join(f"{field}: '{value}'" for field, value in identity.items())
    return foreign(f"{{keyless: {{url: 'https://fulcio.sigstore.dev', identities: [{{{said}}}]}}}}")


def said(text: str, **files: str) -> list[Lint]:
    """What is said of the policies in `text`."""
    written = [("p.yaml", text)]
    return list(lint(load_policies(written, lambda name: files[name].encode()), written, TODAY))


def exception(image: str = f"ghcr.io/acme/old@{DIGEST}", expires: str = "2027-01-01") -> str:
    """The field `exceptions` with one entry."""
    return f"[{{images: ['{image}'], owner: shop, reason: INC-1, expires: {expires}}}]"


BAD = [
    pytest.param(own(images='["ghcr.io/Acme/app"]'), {"image-never"}, id="upper case"),
    pytest.param(own(images='["ghcr.io/acme/app@sha256:abc"]'), {"image-never"}, id="digest"),
    pytest.param(own(images='["https://ghcr.io/acme/app"]'), {"image-never"}, id="scheme"),
    pytest.param(own(exclude='["ghcr.io/acme/**"]'), {"image-never"}, id="all excluded"),
    pytest.param(signed(subject="https://github.com/acme/shop/.github/workflows/b.yml"), {"signer-never"}, id="no ref"),
    pytest.param(signed(subject="release@acme.example"), {"signer-never"}, id="a person by a workflow"),
    pytest.param(signed("https://accounts.google.com", subject="https://github.com/acme/x"), {"signer-never"}, id="a workflow by Google"),
    pytest.param(signed(f"{ACTIONS}/", subject="https://github.com/a/b/.github/workflows/c.yml@refs/heads/m"), {"signer-never"}, id="issuer with a slash"),
    pytest.param(signed(subjectPattern="https://gitlab\\.com/acme/.*"), {"signer-never"}, id="expression for another host"),
    pytest.param(own(f"[{{provenance: {{by: [{GOOD}], source: {{ref: main}}}}}}]"), {"demand-never"}, id="short ref"),
    pytest.param(own(f"[{{provenance: {{by: [{GOOD}], source: {{repository: https://github.com/acme/other}}}}}}]"), {"demand-never"}, id="other source"),
    pytest.param(own(f"[{{provenance: {{by: [{GOOD}], source: {{ref: refs/heads/dev}}}}}}]"), {"demand-never"}, id="other ref"),
    pytest.param(own(f"[{{provenance: {{by: [{GOOD}], level: 3}}}}]"), {"demand-never"}, id="level"),
    pytest.param(own(f"[{{provenance: {{by: [{GOOD}], builder: https://github.com/actions/runner}}}}]"), {"retired-value"}, id="builder"),
    pytest.param(own(f"[{{provenance: {{by: [{GOOD}], buildType: https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1}}}}]"), {"retired-value"}, id="build type"),
    pytest.param(signed(subject="https://github.com/**"), {"anyone"}, id="all of GitHub"),
    pytest.param(signed(subjectPattern="https://github\\.com/.+"), {"anyone"}, id="all of GitHub, as an expression"),
    pytest.param(signed("https://accounts.google.com", subject="*@*"), {"anyone"}, id="all of Google"),
    pytest.param(signed(rest=", source: {repository: 'https://github.com/**'}", subject="https://github.com/**"), {"anyone"}, id="any source"),
    pytest.param(keyless(issuerRegExp=".*", subject="https://github.com/a/b/.github/workflows/c.yml@refs/heads/m"), {"missing-issuer", "unanchored"}, id="any issuer"),
    pytest.param(signed(subject="https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v*"), {"public-builder"}, id="generator alone"),
    pytest.param(keyless(issuer=ACTIONS, subjectRegExp="https://github\\.com/acme/shop/.*@refs/heads/main"), {"unanchored"}, id="unanchored"),
    pytest.param(signed(subjectPattern="https://github.com/acme/shop/.*"), {"dot-in-regex"}, id="dot"),
    pytest.param(signed(subject="https://github.com/acme*/**"), {"open-name"}, id="open owner"),
    pytest.param(own("", images='["ghcr.io/acme*/**"]', mode="pin"), {"open-name"}, id="open namespace"),
    pytest.param(signed(subjectPattern="https://github\\.com/acme/*/x@*"), {"glob-in-regex"}, id="glob in an expression"),
    pytest.param(own(f"[{{provenance: {{by: [{GOOD}], where: 'predicate.x.all(y, y == 1)'}}}}]"), {"vacuous-expression"}, id="all of nothing"),
    pytest.param(own(f"[{{provenance: {{by: [{GOOD}], where: '1 == 1'}}}}]"), {"vacuous-expression"}, id="always true"),
    pytest.param(foreign("{static: {action: pass}}"), {"static-pass"}, id="static"),
    pytest.param(own("", images='["ghcr.io/acme/app:dev-*"]', mode="pin"), {"tag-decides"}, id="tag"),
    pytest.param(own() + "---\n" + own(name="q"), {"overlap"}, id="overlap"),
    pytest.param(own(exceptions=exception(expires="2026-05-31")), {"expired-exception"}, id="expired"),
    pytest.param(own(exceptions=exception(expires="2026-06-10")), {"expiring-exception"}, id="expires soon"),
    pytest.param(own(exceptions=exception(f"quay.io/acme/old@{DIGEST}")), {"exception-idle"}, id="idle exception"),
]  # fmt: skip


class TestSaid:
    @pytest.mark.parametrize(("text", "codes"), BAD)
    def test_each_fault_is_said_once_with_its_line_and_a_fix(self, text: str, codes: set[str]) -> None:
        """Under its code, and nothing else is said."""
        found = said(text)

        assert {one.code for one in found} == codes
        assert len(found) == len(codes)
        assert all(one.file == "p.yaml" and one.line > 1 and one.fix and one.path for one in found)

    def test_a_line_is_that_of_the_field(self) -> None:
        """Not that of the document."""
        text = own(images="\n    - ghcr.io/acme/app\n    - ghcr.io/Acme/app")

        assert [(one.line, one.path) for one in said(text)] == [(7, "spec.images[1]")]

    def test_a_key_without_a_log_is_named(self) -> None:
        """In both kinds of policy."""
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        pem = (
            ec.generate_private_key(ec.SECP256R1())
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        text = own("[{signature: {by: [{key: {file: k.pub, log: false}}]}}]")

        assert [one.code for one in said(text, **{"k.pub": pem.decode()})] == ["key-without-log"]

    def test_the_well_known_builder_is_answered_with_what_to_write(self) -> None:
        """In CUE as people have copied it."""
        cue = 'predicate: runDetails: builder: id: "https://github.com/actions/runner/github-hosted"'
        policy = f"{{type: cue, data: '{cue}'}}"
        authority = (
            "{keyless: {url: 'https://fulcio.sigstore.dev', identities: [{issuer: '"
            + ACTIONS
            + "', subject: 'https://github.com/a/b/.github/workflows/c.yml@refs/heads/m'}]}, "
            f"attestations: [{{name: p, predicateType: 'https://slsa.dev/provenance/v1', policy: {policy}}}]}}"
        )

        found = said(foreign(authority))

        assert [one.code for one in found] == ["retired-value"]
        assert "runner: github-hosted" in found[0].fix

    def test_a_pair_of_policies_that_exclude_each_other_does_not_overlap(self) -> None:
        """What one excludes only the other is about."""
        assert said(own(exclude='["ghcr.io/acme/x"]') + "---\n" + own(name="q", images='["ghcr.io/acme/x"]')) == []

    def test_the_generator_for_a_named_source_is_sound(self) -> None:
        """The source says whose build it was."""
        subject = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v*"

        assert (
            said(signed(rest=", source: {repository: 'https://github.com/acme/shop'}, level: 3", subject=subject)) == []
        )


class TestSound:
    @pytest.mark.parametrize(
        "path",
        [
            *sorted((ROOT / "argocd").rglob("policies/*.yaml")),
            *sorted((ROOT / "tests" / "golden").glob("*/policy.yaml")),
        ],
        ids=lambda path: f"{path.parent.name}-{path.name}",
    )
    def test_no_error_is_said_of_a_shipped_policy(self, path: Path) -> None:
        """They do what they say; warnings are for what they show on purpose."""
        text = path.read_text().replace("REGISTRY", "localhost:5000")
        written = [(str(path), text)]
        policies = load_policies(written, lambda name: Path(name).read_bytes())

        found = lint(policies, written, TODAY)

        assert [one for one in found if one.severity == "error"] == []
        if ROOT / "argocd" in path.parents:
            assert found == ()

    def test_nothing_is_said_of_the_policies_in_the_docs(self) -> None:
        """Each ImagePolicy of the documentation that is whole, but for the key that it shows."""
        seen = 0
        for path in sorted((ROOT / "docs").glob("*.md")):
            for block in re.findall(r"```yaml\n(.*?)```", path.read_text(), re.DOTALL):
                if "kind: ImagePolicy" not in block or "…" in block or "cosign.pub" in block:
                    continue
                found = said(block)
                seen += 1
                assert [one for one in found if one.severity == "error"] == [], path
        assert seen >= 1


TEXT = st.text(alphabet="ab/", max_size=6)
PATTERN = st.text(alphabet="ab/*", min_size=1, max_size=6).filter(lambda text: "***" not in text)


class TestMeeting:
    @given(PATTERN, PATTERN, TEXT)
    def test_globs_that_share_a_text_meet(self, one: str, other: str, text: str) -> None:
        """So that nothing that can match is ever called impossible."""
        if Glob(one).matches(text) and Glob(other).matches(text):
            assert meet(one, other)

    @pytest.mark.parametrize(
        ("one", "other"), [("a*", "b*"), ("a/*", "a/b/c"), ("*", "a/b"), ("a**x", "a*y"), ("*/*", "a")]
    )
    def test_globs_without_a_common_text_do_not(self, one: str, other: str) -> None:
        """A `*` does not cross a slash."""
        assert not meet(one, other)
        assert not meet(other, one)


class TestDocs:
    def test_every_code_has_a_section_and_every_section_a_code(self) -> None:
        """In the order of the list, with its severity, and what to do."""
        sections = re.findall(
            r"^### ([a-z-]+)\n\*\*(\w+)\.\*\*(.*?)(?=^### |\Z)",
            (ROOT / "docs" / "lint.md").read_text(),
            re.MULTILINE | re.DOTALL,
        )

        assert [(code, severity.lower()) for code, severity, _ in sections] == [(c, s) for c, (s, _) in CODES.items()]
        assert [code for code, _, text in sections if "**Do.**" not in text] == []

    def test_only_errors_fail_unless_strict(self) -> None:
        """And notes never do."""
        error, warning, note = (Lint(code, "f", 1, "m", "x") for code in ("anyone", "unanchored", "overlap"))

        assert [exit_code([one], strict=False) for one in (error, warning, note)] == [4, 0, 0]
        assert [exit_code([one], strict=True) for one in (error, warning, note)] == [4, 4, 0]
