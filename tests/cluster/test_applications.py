"""Applications with our plugin in a whole Argo CD: what is applied, what is shown, and what stays as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.argocd import Cluster, Repository
from support.scenario import Scenario
from support.shop import API, WEB, shop

pytestmark = pytest.mark.cluster

PUBLIC_LOG = bytes.fromhex("c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d")
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: "REGISTRY/acme/web:v1"}
"""
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: blue}\n"
CASCADE = "resources-finalizer.argocd.argoproj.io"
APPLICATION = "argoproj.io/v1alpha1"
HOOK = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: last-words, annotations: {argocd.argoproj.io/hook: WHEN}}
"""


@contextmanager
def published(cluster: Cluster, folder: Path, name: str, **source: str) -> Iterator[tuple[Scenario, Repository]]:
    """A shop whose source (file: text) is in a repository, and a namespace of that name."""
    files = {f"web/{file}.yaml": text for file, text in source.items()}
    with shop(folder, images=[WEB, API], source=files, log_id=PUBLIC_LOG) as scenario:
        cluster.operator(scenario.folder)
        repository = cluster.repository(folder / "git")
        repository.commit_folder(scenario.folder / "source")
        cluster.namespace(name)
        yield scenario, repository


def image(cluster: Cluster, namespace: str) -> str:
    """The image of the Deployment there."""
    deployment = cluster.get("apps/v1", "Deployment", "web", namespace)
    assert deployment is not None
    found: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    return found


class TestAllowed:
    def test_it_syncs_and_the_live_object_runs_the_pinned_image(self, cluster: Cluster, tmp_path: Path) -> None:
        """What was proved is what stands in the cluster; nothing is OutOfSync afterwards, however often it is compared."""
        with published(cluster, tmp_path, "pinned", web=DEPLOYMENT, settings=SETTINGS) as (scenario, repository):
            cluster.application("pinned", repository, "web", namespace="pinned")

            state = cluster.sync("pinned")

            digest = scenario.registry.contents.tags["acme/web", "v1"]
            assert (state["phase"], state["message"]) == ("Succeeded", "successfully synced (all tasks run)")
            assert image(cluster, "pinned") == f"{scenario.registry.host}/acme/web:v1@{digest}"
            for hard in (False, True):
                status = cluster.refresh("pinned", hard=hard)
                assert status["sync"]["status"] == "Synced"
                assert {row["name"]: row["status"] for row in status["resources"]} == {
                    "web": "Synced",
                    "settings": "Synced",
                }
                assert "conditions" not in status
            assert status["sourceType"] == "Plugin"

    def test_the_log_entry_is_a_link_in_the_user_interface(self, cluster: Cluster, tmp_path: Path) -> None:
        """Argo CD takes it from the object's annotation."""
        with published(cluster, tmp_path, "linked", web=DEPLOYMENT) as (_, repository):
            cluster.application("linked", repository, "web", namespace="linked")
            cluster.sync("linked")

            urls = cluster.wait_for("the link", lambda: cluster.status("linked").get("summary", {}).get("externalURLs"))

            assert urls == ["Sigstore log|https://search.sigstore.dev/?logIndex=5"]


class TestBlocked:
    def test_it_says_why_and_its_objects_stay_as_they_were(self, cluster: Cluster, tmp_path: Path) -> None:
        """A commit with an unsigned image changes nothing in the cluster; the report stands in the Application's condition."""
        with published(cluster, tmp_path, "blocked", web=DEPLOYMENT, settings=SETTINGS) as (scenario, repository):
            cluster.application("blocked", repository, "web", namespace="blocked")
            cluster.sync("blocked")
            before = image(cluster, "blocked")
            unsigned = DEPLOYMENT.replace("REGISTRY/acme/web", f"{scenario.registry.host}/acme/api")
            repository.commit({"web/web.yaml": unsigned, "web/settings.yaml": SETTINGS.replace("blue", "red")})

            status = cluster.refresh("blocked")
            states = [cluster.sync("blocked", by=by) for by in ("api", "operation")]

            cached = "Manifest generation error (cached): "  # after the third refusal
            said = cluster.conditions("blocked")["ComparisonError"].replace(cached, "")
            assert status["sync"]["status"] == "Unknown"
            assert said.startswith(
                "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: "
            )
            assert "image policy: 1 of 1 image refused (app blocked, policy shop)\n DENY " in said
            for state in states:
                assert (state["phase"], state["message"].replace(cached, "")) == ("Error", f"ComparisonError: {said}")
            settings = cluster.get("v1", "ConfigMap", "settings", "blocked")
            assert settings is not None
            assert (image(cluster, "blocked"), settings["data"]) == (before, {"colour": "blue"})

    def test_it_heals_when_the_cause_is_gone(self, cluster: Cluster, tmp_path: Path) -> None:
        """Auto-sync applies the next commit that passes, without anybody's help: a refusal leaves nothing behind."""
        automated = {"syncPolicy": {"automated": {"enabled": True}}}
        with published(cluster, tmp_path, "healed", web=DEPLOYMENT) as (scenario, repository):
            signed = (scenario.folder / "source" / "web" / "web.yaml").read_text()
            repository.commit({"web/web.yaml": signed.replace("acme/web:v1", "acme/api:v1")})
            cluster.application("healed", repository, "web", namespace="healed", spec=automated)
            cluster.sync_status("healed", "Unknown")
            assert cluster.list("apps/v1", "Deployment", "healed") == []

            repository.commit({"web/web.yaml": signed})
            cluster.refresh("healed")
            cluster.operation("healed")

            assert "@sha256:" in image(cluster, "healed")
            cluster.refresh("healed")
            assert cluster.conditions("healed") == {}


class TestRollback:
    def test_what_was_deployed_before_is_decided_again_unless_argo_cd_remembers_it(
        self, cluster: Cluster, tmp_path: Path
    ) -> None:
        """A rollback takes the manifests of that commit from the cache; where they are gone, we are asked anew."""
        with published(cluster, tmp_path, "back", web=DEPLOYMENT, settings=SETTINGS) as (scenario, repository):
            cluster.application("back", repository, "web", namespace="back")
            cluster.sync("back")
            repository.commit({"web/settings.yaml": SETTINGS.replace("blue", "red")})
            cluster.refresh("back")
            cluster.sync("back")
            first = cluster.status("back")["history"][0]["id"]
            policy = scenario.folder / "policy.yaml"
            policy.write_text(policy.read_text().replace("acme/shop", "acme/other"))

            cluster.ask("POST", "/api/v1/applications/back/rollback", {"name": "back", "id": first})
            remembered = cluster.operation("back")
            cluster.forget()
            cluster.ask("POST", "/api/v1/applications/back/rollback", {"name": "back", "id": first})
            asked = cluster.operation("back")

            assert remembered["phase"] == "Succeeded"
            assert asked["phase"] == "Error"
            assert "[wrong-signer]" in asked["message"]
            settings = cluster.get("v1", "ConfigMap", "settings", "back")
            assert settings is not None
            assert settings["data"] == {"colour": "blue"}


class TestOptingOut:
    def test_without_the_plugin_an_application_is_as_it_was_before(self, cluster: Cluster, tmp_path: Path) -> None:
        """The section `plugin` is all: without it Argo CD renders the tag itself, and nothing of ours stays."""
        with published(cluster, tmp_path, "leaving", web=DEPLOYMENT) as (scenario, repository):
            cluster.application("leaving", repository, "web", namespace="leaving")
            cluster.sync("leaving")

            cluster.application("leaving", repository, "web", namespace="leaving", plugin=None)
            assert cluster.refresh("leaving")["sync"]["status"] == "OutOfSync"
            cluster.sync("leaving")

            deployment = cluster.get("apps/v1", "Deployment", "web", "leaving") or {}
            assert image(cluster, "leaving") == f"{scenario.registry.host}/acme/web:v1"
            assert not [name for name in deployment["metadata"]["annotations"] if "provenance" in name]
            assert cluster.status("leaving")["sourceType"] == "Directory"


@contextmanager
def blocked(
    cluster: Cluster, folder: Path, name: str, *, when: str = "", finalizers: tuple[str, ...] = ()
) -> Iterator[Scenario]:
    """An Application that was synced and whose next commit, which Argo CD has not seen yet, is refused."""
    hook = {"hook": HOOK.replace("WHEN", when)} if when else {}
    with published(cluster, folder, name, web=DEPLOYMENT, **hook) as (scenario, repository):
        cluster.application(name, repository, "web", namespace=name, metadata={"finalizers": list(finalizers)})
        cluster.sync(name)
        cluster.refresh(name, hard=True)
        repository.commit(
            {"web/web.yaml": DEPLOYMENT.replace("REGISTRY/acme/web", f"{scenario.registry.host}/acme/api")}
        )
        yield scenario


def runs(cluster: Cluster, namespace: str) -> bool:
    """Whether the Deployment is there."""
    return cluster.get("apps/v1", "Deployment", "web", namespace) is not None


class TestDeletion:
    """What Argo CD allows of a blocked Application; ``docs/argocd.md`` says the same."""

    @pytest.mark.parametrize("finalizers", [(), (CASCADE,)])
    def test_a_blocked_application_goes_with_or_without_its_objects(
        self, cluster: Cluster, tmp_path: Path, finalizers: tuple[str, ...]
    ) -> None:
        """Argo CD deletes what it finds in the cluster and asks no plugin."""
        name = f"gone-{len(finalizers)}"
        with blocked(cluster, tmp_path, name, finalizers=finalizers):
            assert cluster.refresh(name)["sync"]["status"] == "Unknown"

            cluster.delete(APPLICATION, "Application", name, "argocd")

            cluster.wait_for("the Application's end", lambda: not cluster.app(name))
            assert runs(cluster, name) is (finalizers == ())

    @pytest.mark.parametrize("when", ["PreDelete", "PostDelete"])
    def test_its_deletion_hooks_do_not_run(self, cluster: Cluster, tmp_path: Path, when: str) -> None:
        """As soon as Argo CD cannot render it, it takes the hooks' finalizers off: everything goes, no hook runs."""
        name = f"silent-{when}".lower()
        with blocked(cluster, tmp_path, name, when=when, finalizers=(CASCADE,)):
            assert len(cluster.app(name)["metadata"]["finalizers"]) == 3
            cluster.refresh(name)
            assert cluster.app(name)["metadata"]["finalizers"] == [CASCADE]

            cluster.delete(APPLICATION, "Application", name, "argocd")

            cluster.wait_for("the Application's end", lambda: not cluster.app(name))
            assert not runs(cluster, name)
            assert cluster.get("v1", "ConfigMap", "last-words", name) is None

    def test_with_hooks_that_argo_cd_still_expects_it_waits_for_a_render(
        self, cluster: Cluster, tmp_path: Path
    ) -> None:
        """Deleted before the refusal was noticed, it stays and says why; without its finalizers it goes."""
        with blocked(cluster, tmp_path, "stays", when="PreDelete", finalizers=(CASCADE,)):
            cluster.forget()

            cluster.delete(APPLICATION, "Application", "stays", "argocd")

            said = cluster.wait_for("the reason", lambda: cluster.conditions("stays").get("DeletionError"))
            assert said.startswith("error executing pre-delete hooks: failed to generate manifest for source 1 of 1: ")
            assert "[unsigned]" in said
            assert runs(cluster, "stays")
            cluster.merge(APPLICATION, "Application", "stays", "argocd", {"metadata": {"finalizers": None}})
            cluster.wait_for("the Application's end", lambda: not cluster.app("stays"))
            assert runs(cluster, "stays")
