"""A ClusterImagePolicy brought along as it is: `generate` and `verify` by it."""

from pathlib import Path

from support.scenario import Scenario
from support.shop import WEB, pod, shop

KEYLESS = r"""
    - keyless:
        trustRootRef: test
        identities:
          - issuer: https://token.actions.githubusercontent.com
            subjectRegExp: ^https://github\.com/acme/shop/\.github/workflows/build\.yml@refs/heads/main$
      attestations:
        - name: provenance
          predicateType: https://slsa.dev/provenance/v1
          policy:
            type: cue
"""
COPIED = 'predicate: runDetails: builder: id: "https://github.com/actions/runner/github-hosted"'
TODAYS = 'predicate: runDetails: builder: id: =~"^https://github.com/acme/shop/"'
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {tier: front}}
spec: {template: {spec: {containers: [{name: c, image: "REGISTRY/acme/web:v1"}]}}}
"""


def cip(source: str, match: str = "") -> str:
    """A policy about provenance, whose CUE is `source`, for some objects."""
    return (
        "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: cip}\n"
        f'spec:\n  images: [{{glob: "REGISTRY/acme/**"}}]\n{match}  authorities:{KEYLESS}            {source}\n'
    )


def run(here: Scenario, *arguments: str) -> tuple[int, str]:
    """Exit code and report of `generate`."""
    code, _, report = here.generate(*arguments)
    return code, report


class TestLanguages:
    def test_cue_of_todays_provenance_lets_it_through(self, tmp_path: Path) -> None:
        """The builder is the workflow that signed."""
        with shop(
            tmp_path, images=[WEB], source={"p.yaml": pod("acme/web:v1")}, rules=cip(f"data: '{TODAYS}'")
        ) as here:
            assert run(here)[0] == 0

    def test_the_copied_example_denies_and_says_what_to_write(self, tmp_path: Path) -> None:
        """One refusal leads to the rule that works."""
        with shop(
            tmp_path, images=[WEB], source={"p.yaml": pod("acme/web:v1")}, rules=cip(f"data: '{COPIED}'")
        ) as here:
            code, report = run(here)

        assert code == 4
        assert "[where-failed]" in report
        assert "the workflow that signed" in report

    def test_a_config_map_is_a_file_that_the_config_names(self, tmp_path: Path) -> None:
        """Without the name it is a fault of the policy, exit 2."""
        rules = cip("configMapRef: {name: rules, key: builder.cue}")
        config = "clusterImagePolicy:\n  configMaps: {rules/builder.cue: builder.cue}\n"
        with shop(tmp_path, images=[WEB], source={"p.yaml": pod("acme/web:v1")}, rules=rules, config=config) as here:
            (here.folder / "builder.cue").write_text(TODAYS)
            assert run(here)[0] == 0
            (here.folder / "builder.cue").unlink()
            code, report = run(here)

        assert code == 2
        assert "builder.cue cannot be read" in report


class TestMatch:
    def test_a_policy_holds_for_the_objects_that_it_matches(self, tmp_path: Path) -> None:
        """Others are as if there were no policy: denied by default."""
        match = "  match: [{group: apps, version: v1, resource: deployments, selector: {matchLabels: {tier: front}}}]\n"
        rules = cip(f"data: '{TODAYS}'", match)
        with shop(tmp_path / "a", images=[WEB], source={"p.yaml": DEPLOYMENT}, rules=rules) as here:
            assert run(here)[0] == 0
        with shop(tmp_path / "b", images=[WEB], source={"p.yaml": pod("acme/web:v1")}, rules=rules) as here:
            code, report = run(here)
            host = here.registry.host
            verified = here.run("verify", f"{host}/acme/web:v1")

        assert code == 4
        assert "[unmatched]" in report
        assert "policies cip are about other objects" in report
        assert verified[0] == 0
        assert "taken as matching" in verified[1] + verified[2]
