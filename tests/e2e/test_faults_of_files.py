"""What is wrong with the operator's files: config and policies, told in one run."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("argocd-provenance")

HEAD = "apiVersion: argocd-provenance.io/v1alpha1\nkind: Config\npolicies: [p.yaml]\n"
POLICY = "apiVersion: argocd-provenance.io/v1alpha1\nkind: ImagePolicy\nmetadata: {name: a}\nspec: {imagess: [x]}\n"
FOREIGN = """\
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: a}
spec: {images: [{glob: "**"}], authorities: [{key: {secretRef: {name: cosign}}}]}
"""


def said(folder: Path, body: str, policy: str | None) -> list[str]:
    """The lines of `policy check` with that config and that policy (None: no file), without the folder's path."""
    (folder / "c.yaml").write_text(HEAD + body)
    if policy is not None:
        (folder / "p.yaml").write_text(policy)
    done = subprocess.run(
        [PROGRAM, "policy", "check", "--config", folder / "c.yaml"], capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    return done.stderr.replace(f"{folder}/", "").removeprefix("error [config]: ").splitlines()


class TestBothFiles:
    def test_faults_of_config_and_policies_are_told_in_one_run(self, tmp_path: Path) -> None:
        """Each with its file, line and path; the config's first."""
        lines = said(tmp_path, "unmatched: alow\ndeadline: 2h\n", POLICY)

        assert [line.split(": ")[:2] for line in lines] == [
            ["c.yaml:4", "unmatched"],
            ["c.yaml:5", "deadline"],
            ["p.yaml:4", "spec.imagess"],
            ["p.yaml:4", "spec"],
            ["p.yaml:4", "spec"],
        ]

    def test_a_policy_file_that_is_not_there_is_told_too(self, tmp_path: Path) -> None:
        """Beside the faults of the config that names it."""
        lines = said(tmp_path, "unmatched: alow\n", None)

        assert len(lines) == 2
        assert "p.yaml" in lines[1]

    @pytest.mark.parametrize("body", ["clusterImagePolicy: {secrets: [cosign]}\n", "clusterImagePolicies: {}\n"])
    def test_faults_of_policies_that_are_the_echo_of_the_configs_are_not_told(self, tmp_path: Path, body: str) -> None:
        """A policy that leans on a field of the config which is itself at fault may be right."""
        lines = said(tmp_path, body, FOREIGN)

        assert [line.partition(" ")[0] for line in lines] == ["c.yaml:4:"]

    def test_a_config_that_is_no_yaml_is_told_alone(self, tmp_path: Path) -> None:
        """Nobody knows which policies it names."""
        lines = said(tmp_path, "a: [\n", POLICY)

        assert [line.partition(" ")[0] for line in lines] == ["c.yaml:5:"]
