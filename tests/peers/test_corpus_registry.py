"""Real images with their real signatures, in a real registry, by our own command line."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner

from argocd_provenance.cli.group import group
from support.corpus import CORPUS
from support.registries import DockerRegistry

pytestmark = pytest.mark.corpus

GENERATOR = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml"
ACTIONS = "https://token.actions.githubusercontent.com"
EXAMPLE = "slsa-framework/example-package.verifier-e2e.all.tag.main.default.slsa3"


@dataclass(frozen=True)
class Seeded:
    """A docker-registry with every image of the corpus, and the repository that each went to."""

    host: str
    repositories: dict[str, str]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    """The registry of this module."""
    folder = tmp_path_factory.mktemp("seeded")
    rows = folder / "rows.json"
    with DockerRegistry(folder) as registry:
        where = [f"http://{registry.host}", "--storage", str(folder / "data"), "--map", str(rows)]
        seed = [sys.executable, "-B", str(CORPUS / "seed_registry.py"), *where]
        done = subprocess.run(seed, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        yield Seeded(registry.host, {row["id"]: row["repository"] for row in json.loads(rows.read_text())})


def verify(reference: str, *demands: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON report of ``verify``."""
    done = CliRunner().invoke(group, ["verify", reference, *demands, "--output", "json"])
    return done.exit_code, json.loads(done.stdout)


class TestGeneratorImages:
    @pytest.mark.parametrize("version", ["v1.5.0", "v1.9.0", "v2.1.0"])
    def test_provenance_of_every_era_is_verified_for_its_source(self, seeded: Seeded, version: str) -> None:
        """slsa-github-generator: identity, predicate type and source repository all hold."""
        who = ["--certificate-identity", f"{GENERATOR}@refs/tags/{version}", "--certificate-oidc-issuer", ACTIONS]
        source = ["--source-repository", "https://github.com/slsa-framework/example-package"]

        code, report = verify(f"{seeded.host}/{EXAMPLE}:{version}", *who, *source, "--type", "slsaprovenance")

        assert (code, report["verdict"]) == (0, "allowed")
        assert report["images"][0]["evidence"][0]["source"]["repository"] == source[1]

    @pytest.mark.parametrize(
        ("demands", "finding"),
        [
            pytest.param(["--type", "signature"], "no-signature", id="provenance is no signature"),
            pytest.param(["--type", "slsaprovenance1"], "no-provenance", id="v0.2 is not v1"),
            pytest.param(
                ["--type", "slsaprovenance", "--source-repository", "https://github.com/slsa-framework/other"],
                "wrong-source",
                id="another user of the same generator",
            ),
        ],
    )
    def test_what_was_not_asked_for_is_denied(self, seeded: Seeded, demands: list[str], finding: str) -> None:
        """The generator signs for everybody: its identity alone proves nothing (N18)."""
        who = ["--certificate-identity", f"{GENERATOR}@refs/tags/v2.1.0", "--certificate-oidc-issuer", ACTIONS]

        code, report = verify(f"{seeded.host}/{EXAMPLE}:v2.1.0", *who, *demands)

        assert (code, report["images"][0]["findings"][0]["code"]) == (4, finding)


def cases() -> list[Any]:
    listed = json.loads((CORPUS / "cosign-images" / "index.json").read_text())["cases"] if CORPUS.exists() else []
    return [pytest.param(case, id=case["id"]) for case in listed if not case["id"].startswith("slsa-verifier/")]


class TestOtherImages:
    @pytest.mark.parametrize("case", cases())
    def test_each_image_is_judged_as_its_origin_judges_it(self, seeded: Seeded, case: dict[str, Any]) -> None:
        """Keyless and key signatures of containers/image, connaisseur and cosign, and one that must fail."""
        name = f"{seeded.host}/{seeded.repositories[case['id']]}@{case['digest']}"
        key = case.get("key") or next(
            (s.get("key") for s in case["signatures"] if isinstance(s, dict) and s.get("key")), None
        )
        if key:
            demands = ["--key", str(CORPUS / key), *([] if case["trusted_root"] else ["--no-log"])]
        else:
            demands = [
                "--certificate-identity",
                case["expected_identity"],
                "--certificate-oidc-issuer",
                case["expected_issuer"],
            ]
        if case["id"].startswith("bundle/"):
            demands += ["--type", "https://cosign.sigstore.dev/attestation/v1"]

        code, report = verify(name, *demands)

        assert (code == 0) == (case["expected"] == "pass"), report
