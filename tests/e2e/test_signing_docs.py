"""Every command of ours in docs/signing.md, on images that are signed as its steps say."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from argocd_provenance.demo.sigstore.signer import Signer
from support.scenario import Scenario
from support.shop import BUILT, SIGNED, shop

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "signing.md").read_text()
COMMANDS = re.findall(r"^(argocd-provenance .*)$", TEXT, re.MULTILINE)
GENERATOR = (
    "https://github.com/slsa-framework/slsa-github-generator"
    "/.github/workflows/generator_container_slsa3.yml@refs/tags/v2.1.0"
)
NO_CONFIG: Any = {"ARGOCD_PROVENANCE_CONFIG": None}
SOURCE = "https://github.com/acme/shop"
BY_GENERATOR = {
    "what": "https://slsa.dev/provenance/v0.2",
    "form": "att",
    "identity": GENERATOR,
    "claims": {5: "acme/shop", 12: SOURCE, 6: "refs/heads/main", 14: "refs/heads/main"},
    "predicate": {
        "builder": {"id": GENERATOR},
        "buildType": "https://github.com/slsa-framework/slsa-github-generator/container@v1",
        "invocation": {"configSource": {"uri": f"git+{SOURCE}@refs/heads/main", "digest": {"sha1": "a" * 40}}},
    },
}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """What the steps leave behind: three images with their evidence, a bundle, a public key and the policy of step 6."""
    images = [
        {"image": "acme/shop:v1", "attach": [BUILT, SIGNED]},
        {"image": "acme/tool:v1", "attach": [BY_GENERATOR]},
        {"image": "acme/keyed:v1"},
        {"image": "acme/unsigned:v1"},
    ]
    with shop(tmp_path_factory.mktemp("shop"), images=images) as scenario:
        digest = scenario.registry.contents.tags["acme/keyed", "v1"]
        key = Signer.by_key()
        layer = scenario.sigstore.sign_layer(digest, key)
        scenario.registry.attach_layer("acme/keyed", digest, "sig", layer.descriptor, layer.content)
        (scenario.folder / "cosign.pub").write_bytes(key.public_pem)
        (scenario.folder / "bundle.json").write_bytes(scenario._bundles["acme/shop:v1"])
        (policy,) = re.findall(r"```yaml\n(apiVersion: argocd-provenance.*?)```", TEXT, re.DOTALL)
        (scenario.folder / "shop.yaml").write_text(here(scenario, policy))
        yield scenario


@pytest.fixture
def signed(published: Scenario, monkeypatch: pytest.MonkeyPatch) -> Scenario:
    """The same, seen from its folder."""
    monkeypatch.chdir(published.folder)
    return published


def here(scenario: Scenario, text: str) -> str:
    """What the text names on the Internet, as it is in the scenario."""
    digest = scenario.registry.contents.tags["acme/shop", "v1"]
    return text.replace("ghcr.io", scenario.registry.host).replace("sha256:DIGEST", digest)


def run(scenario: Scenario, command: str) -> tuple[int, str, str]:
    """A command of the text, with the test's own root of trust in place of the public one."""
    _, *words = shlex.split(here(scenario, command))
    return scenario.run(*words, "--trusted-root", "trusted_root.json", environment=NO_CONFIG)


@pytest.mark.parametrize("command", COMMANDS, ids=range(1, len(COMMANDS) + 1))
def test_a_command_answers_as_the_text_promises(signed: Scenario, command: str) -> None:
    """The image is verified, exit code 0."""
    code, said, complaints = run(signed, command)

    assert (code, complaints) == (0, "")
    assert said.startswith("image policy: 1 image verified")


@pytest.mark.parametrize("command", [c for c in COMMANDS if "ghcr.io" in c and "shop.yaml" not in c])
def test_it_refuses_an_image_that_did_not_take_the_step(signed: Scenario, command: str) -> None:
    """The same command denies an image without that evidence."""
    code, _, _ = run(signed, re.sub(r"acme/(shop|tool|keyed):v1", "acme/unsigned:v1", command))

    assert code == 4


def test_the_generators_name_alone_is_not_your_repository(signed: Scenario) -> None:
    """With another repository in the demand, the generator's provenance is refused."""
    (command,) = [c for c in COMMANDS if "generator_container" in c]

    code, _, _ = run(signed, command.replace("github.com/acme/shop", "github.com/acme/other"))

    assert code == 4


def test_every_fragment_is_yaml() -> None:
    """People copy them."""
    fragments = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)

    assert len(fragments) == 4
    assert all(yaml.safe_load(fragment) for fragment in fragments)
