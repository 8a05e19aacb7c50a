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
