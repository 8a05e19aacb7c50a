"""``policy``: as it is typed in the repository of the policies."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("argocd-provenance")
RETIRED = """\
apiVersion: argocd-provenance.io/v1alpha1
kind: ImagePolicy
metadata: {name: shop}
spec:
  images: ["ghcr.io/acme/**"]
  require:
    - provenance:
        by: [{github: {repository: acme/shop}}]
        builder: https://github.com/actions/runner/github-hosted
"""
TAGGED = """\
apiVersion: argocd-provenance.io/v1alpha1
kind: ImagePolicy
metadata: {name: third-party}
spec:
  mode: pin
  images: ["quay.io/acme/app:dev"]
"""


def policy(*arguments: str, cwd: Path, stdin: str = "") -> tuple[int, str, str]:
    """Exit code, standard output and standard error of ``policy``."""
    done = subprocess.run(
        [PROGRAM, "policy", *arguments], cwd=cwd, input=stdin, capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd)},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


class TestCheck:
    def test_the_shipped_examples_are_clean(self) -> None:
        """Config and policies, as text."""
        code, out, err = policy("check", "argocd/examples/config.yaml", "--strict", cwd=ROOT)

        assert (code, out, err) == (0, "policy check: 1 policy, nothing to say\n", "")

    def test_an_error_is_exit_4_with_its_line_and_a_fix(self, tmp_path: Path) -> None:
        """In every form."""
        (tmp_path / "shop.yaml").write_text(RETIRED)

        code, out, _ = policy("check", "shop.yaml", cwd=tmp_path)
        assert code == 4
        assert "ERROR shop.yaml:9: spec.require[0].provenance.builder: [retired-value]" in out
        assert "runner: github-hosted" in out

        code, out, _ = policy("check", "shop.yaml", "--output", "json", cwd=tmp_path)
        said = json.loads(out)
        assert (code, said["exitCode"], said["policies"]) == (4, 4, 1)
        assert [(f["code"], f["severity"], f["line"]) for f in said["findings"]] == [("retired-value", "error", 9)]

        code, out, _ = policy("check", ".", "--output", "sarif", cwd=tmp_path)
        result = json.loads(out)["runs"][0]["results"][0]
        assert (code, result["ruleId"], result["level"]) == (4, "retired-value", "error")
        assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 9}

    def test_warnings_fail_when_strict(self, tmp_path: Path) -> None:
        """And are said either way."""
        (tmp_path / "p.yaml").write_text(TAGGED)

        lax, strict = policy("check", "p.yaml", cwd=tmp_path), policy("check", "p.yaml", "--strict", cwd=tmp_path)

        assert (lax[0], strict[0]) == (0, 4)
        assert lax[1] == strict[1]
        assert "WARNING p.yaml:6: spec.images[0]: [tag-decides]" in lax[1]

    def test_files_that_do_not_load_are_exit_2_with_all_faults(self, tmp_path: Path) -> None:
        """And nothing is said of the others."""
        (tmp_path / "a.yaml").write_text(RETIRED.replace("images", "imges"))
        (tmp_path / "b.yaml").write_text(TAGGED.replace("mode: pin", "mode: pni"))

        code, out, err = policy("check", ".", cwd=tmp_path)

        assert (code, out) == (2, "")
        assert "a.yaml:5" in err
        assert "b.yaml:5" in err
        assert policy("check", "none.yaml", cwd=tmp_path)[0] == 2

    def test_a_config_that_lets_the_rest_through_is_named(self, tmp_path: Path) -> None:
        """At the line that says so."""
        (tmp_path / "config.yaml").write_text(
            "apiVersion: argocd-provenance.io/v1alpha1\nkind: Config\npolicies: []\nunmatched: pin\n"
        )

        code, out, _ = policy("check", "config.yaml", cwd=tmp_path)

        assert code == 0
        assert "WARNING config.yaml:4: unmatched: [unmatched-open]" in out


class TestImport:
    LINE = ("cosign", "verify", "--certificate-identity", "release@acme.example", "--certificate-oidc-issuer", "https://accounts.google.com", "ghcr.io/acme/app:v1")  # fmt: skip

    def test_a_command_line_becomes_a_policy_that_loads_and_is_clean(self, tmp_path: Path) -> None:
        """And says where it is stricter."""
        code, out, err = policy("import", "--", *self.LINE, cwd=tmp_path)

        assert (code, err) == (0, "")
        assert "# Stricter: every image of ghcr.io/acme/app must pass, not only :v1" in out
        (tmp_path / "p.yaml").write_text(out)
        assert policy("check", "p.yaml", "--strict", cwd=tmp_path)[:2] == (
            0,
            "policy check: 1 policy, nothing to say\n",
        )

    def test_a_file_comes_from_standard_input_too(self, tmp_path: Path) -> None:
        """With the same answer."""
        text = (
            "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: c}\nspec:\n"
            "  images: [{glob: 'ghcr.io/acme/**'}]\n  authorities:\n    - keyless:\n        url: https://fulcio.sigstore.dev\n"
            "        identities: [{issuer: 'https://accounts.google.com', subject: release@acme.example}]\n"
        )
        (tmp_path / "c.yaml").write_text(text)

        file, piped = policy("import", "c.yaml", cwd=tmp_path), policy("import", "-", cwd=tmp_path, stdin=text)

        assert file == piped
        assert file[0] == 0
        assert "kind: ImagePolicy" in file[1]

    def test_what_cannot_be_carried_over_is_exit_2_and_all_of_it_is_named(self, tmp_path: Path) -> None:
        """Nothing is printed."""
        code, out, err = policy("import", "--", *self.LINE, "--policy", "p.cue", "--ca-roots", "r.pem", cwd=tmp_path)

        assert (code, out) == (2, "")
        assert "--policy" in err
        assert "--ca-roots" in err
        assert policy("import", "none.yaml", cwd=tmp_path)[0] == 2
        assert policy("import", cwd=tmp_path)[0] == 2
