"""What is wrong with the operator's files: config and policies, told in one run."""

from pathlib import Path

import pytest

from argocd_provenance.cli import operator
from argocd_provenance.errors import FileFaults

HEAD = "apiVersion: argocd-provenance.io/v1alpha1\nkind: Config\npolicies: [p.yaml]\n"
POLICY = "apiVersion: argocd-provenance.io/v1alpha1\nkind: ImagePolicy\nmetadata: {name: a}\nspec: {imagess: [x]}\n"
FOREIGN = """\
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: a}
spec: {images: [{glob: "**"}], authorities: [{key: {secretRef: {name: cosign}}}]}
"""
DOMAIN = """\
apiVersion: argocd-provenance.io/v1alpha1
kind: ImagePolicy
metadata: {name: a}
spec:
  images: ["ghcr.io/acme/*"]
  require: [{signature: {by: [{domain: other, identity: {subject: a@example.com, issuer: "https://i.example"}}]}}]
"""


def said(folder: Path, body: str, policy: str | None) -> list[str]:
    """The faults of that config and that policy (None: no file), without the folder's path."""
    (folder / "c.yaml").write_text(HEAD + body)
    if policy is not None:
        (folder / "p.yaml").write_text(policy)
    with pytest.raises(FileFaults) as caught:
        operator.load(folder / "c.yaml")
    return [fault.replace(f"{folder}/", "") for fault in caught.value.faults]


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


TRUST = "trust: [{name: acme, trustedRoot: %s/root.json}]\n"


class TestTrustedRoots:
    @pytest.mark.parametrize(
        ("body", "policy", "first"),
        [
            pytest.param("", None, "c.yaml: policies: there is no", id="missing"),
            pytest.param("", POLICY, "p.yaml:4: spec.imagess", id="wrong"),
            pytest.param("unmatched: alow\n", POLICY, "c.yaml:5: unmatched", id="beside the config's"),
        ],
    )
    def test_their_faults_are_told_beside_those_of_policies(
        self, tmp_path: Path, body: str, policy: str | None, first: str
    ) -> None:
        """A policy that is missing or wrong hides nothing of what the config names else."""
        (tmp_path / "root.json").write_text("{}")
        lines = said(tmp_path, TRUST % tmp_path + body, policy)

        assert lines[0].startswith(first)
        assert [line for line in lines if line.startswith("root.json: ")] == lines[-1:]

    def test_they_are_told_beside_a_domain_that_nobody_knows(self, tmp_path: Path) -> None:
        """The policies can be read then, and one of them names another domain."""
        (tmp_path / "c.yaml").write_text(HEAD + TRUST % tmp_path)
        (tmp_path / "p.yaml").write_text(DOMAIN)
        with pytest.raises(FileFaults) as caught:
            operator.check_domains(operator.load(tmp_path / "c.yaml"))

        assert "there is no trust domain 'other'" in caught.value.faults[0]
        assert "cannot read" in caught.value.faults[1]
        assert len(caught.value.faults) == 2

    def test_those_of_a_field_at_fault_are_its_echo(self, tmp_path: Path) -> None:
        """What cannot be read as a trust domain names no file that could be looked for."""
        lines = said(tmp_path, "trust: [{name: acme}]\n", None)

        assert [line.partition(" ")[0] for line in lines] == ["c.yaml:4:", "c.yaml:"]
