"""What only Argo CD's own repo-server can show: its caches, what it does with other plugins, kills."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.argocd import ArgoCD, Reply, Repository
from support.registries import silent
from support.scenario import Scenario
from support.shop import API, WEB, attach, pod, shop

pytestmark = pytest.mark.peers


@contextmanager
def published(
    servers: ArgoCD, folder: Path, image: str = "acme/web:v1", **files: str
) -> Iterator[tuple[Scenario, Repository]]:
    """A shop whose repository runs `image`; `files` are further files of the Application's folder."""
    source = {"web/pod.yaml": pod(image)} | {f"web/{name}": text for name, text in files.items()}
    with shop(folder, images=[WEB, API], source=source) as scenario:
        servers.operator(scenario.folder)
        repository = servers.repository(folder / "git")
        repository.commit_folder(scenario.folder / "source")
        yield scenario, repository


class TestCaches:
    def test_manifests_of_a_commit_are_kept_until_a_hard_refresh(self, servers: ArgoCD, tmp_path: Path) -> None:
        """A normal refresh does not run us, so a tag that moves meanwhile changes nothing; a hard one does."""
        with published(servers, tmp_path) as (scenario, repository):
            first = servers.manifests(repository, "web")
            runs = servers.runs()
            moved = scenario.registry.push_image("acme/web", "v1", [b"other content"])

            cached = servers.manifests(repository, "web")
            assert (cached.objects, servers.runs()) == (first.objects, runs)

            asked = servers.manifests(repository, "web", hard=True)
            assert (asked.objects, servers.runs()) == ([], runs + 1)
            assert moved["digest"].removeprefix("sha256:")[:12] in asked.error

    def test_the_project_is_not_part_of_what_is_cached(self, servers: ArgoCD, tmp_path: Path) -> None:
        """An Application that moves to another project keeps its manifests until a hard refresh; the docs say so."""
        with published(servers, tmp_path) as (_, repository):
            servers.manifests(repository, "web", project="one")
            runs = servers.runs()

            moved = servers.manifests(repository, "web", project="two")
            assert (moved.code, servers.runs()) == ("OK", runs)

            servers.manifests(repository, "web", project="two", hard=True)
            assert servers.runs() == runs + 1

    def test_after_three_refusals_the_text_is_cached_and_a_new_commit_clears_it(
        self, servers: ArgoCD, tmp_path: Path
    ) -> None:
        """The fourth answer says so in front of the same report; we are not run again for it."""
        with published(servers, tmp_path, "acme/api:v1") as (scenario, repository):
            errors = [servers.manifests(repository, "web").error for _ in range(3)]
            runs = servers.runs()

            cached = servers.manifests(repository, "web")

            assert servers.runs() == runs
            assert len(set(errors)) == 1
            assert cached.error == f"Manifest generation error (cached): {errors[0]}"
            repository.commit({"web/pod.yaml": pod("acme/web:v1").replace("REGISTRY", scenario.registry.host)})
            assert servers.manifests(repository, "web").code == "OK"

    def test_a_signature_that_arrives_later_counts_after_a_hard_refresh(self, servers: ArgoCD, tmp_path: Path) -> None:
        """What the report tells people to do works, with the error cached as without."""
        with published(servers, tmp_path, "acme/api:v1") as (scenario, repository):
            for _ in range(4):
                assert servers.manifests(repository, "web").objects == []
            image = scenario.registry.push_image("acme/api", "v1", [b"acme/api:v1"])  # what is there already
            attach(scenario, image, "acme/api")

            assert servers.manifests(repository, "web").error.startswith("Manifest generation error (cached)")
            assert servers.manifests(repository, "web", hard=True).code == "OK"


class TestOtherWays:
    """Ways round us that only the operator can close; ``docs/argocd.md`` lists them."""

    def test_an_application_without_the_plugin_is_rendered_by_argo_cd(self, servers: ArgoCD, tmp_path: Path) -> None:
        """We have no discovery, so nobody is opted in by accident, and nobody who must be is."""
        with published(servers, tmp_path, "acme/api:v1") as (scenario, repository):
            reply = servers.manifests(repository, "web", plugin=None)

            assert (reply.source_type, reply.images()) == ("Directory", [f"{scenario.registry.host}/acme/api:v1"])

    def test_a_source_file_can_choose_another_plugin(self, servers: ArgoCD, tmp_path: Path) -> None:
        """Whoever writes to the repository can name any plugin of this repo-server: ours must be the only one."""
        override = {".argocd-source.yaml": "plugin: {name: probe}"}
        with published(servers, tmp_path, "acme/api:v1", **override) as (_, repository):
            reply = servers.manifests(repository, "web")

            assert [one["kind"] for one in reply.objects] == ["ConfigMap"]

    @pytest.mark.parametrize("name", ["", "argocd-provenance-v1", "../argocd-provenance", "none"])
    def test_a_source_file_that_names_no_plugin_is_an_error(self, servers: ArgoCD, tmp_path: Path, name: str) -> None:
        """Argo CD does not fall back to rendering the source itself once a plugin is asked for."""
        override = {".argocd-source.yaml": f'plugin: {{name: "{name}"}}'}
        with published(servers, tmp_path, "acme/api:v1", **override) as (_, repository):
            reply = servers.manifests(repository, "web")

            assert reply.objects == []
            assert re.search("plugin", reply.error)


class TestLoad:
    def test_who_is_killed_gives_its_turn_back(self, servers: ArgoCD, tmp_path: Path) -> None:
        """More requests than turns end by the caller's deadline; the next one does not wait for any of them."""
        with silent() as host, published(servers, tmp_path) as (scenario, repository):
            config, policy = scenario.folder / "config.yaml", scenario.folder / "policy.yaml"
            config.write_text(f"{config.read_text()}cache: {{path: {tmp_path / 'cache'}}}\n")
            good = policy.read_text()
            policy.write_text(good.replace(scenario.registry.host, host))
            repository.commit({"hangs/pod.yaml": pod("acme/web:v1").replace("REGISTRY", host)})

            def ask(number: int) -> Reply:
                return servers.manifests(repository, "hangs", app=f"hangs-{number}", deadline=4)

            with ThreadPoolExecutor(20) as pool:
                assert [reply for reply in pool.map(ask, range(20)) if reply.objects] == []

            policy.write_text(good)
            assert servers.manifests(repository, "web").code == "OK"
