"""The real kustomize and helm render what Argo CD would, and fetch nothing.

They are found by the environment variables KUSTOMIZE and HELM (paths of the programs), or by PATH.
"""

import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest
import yaml

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.render import Settings, render, renderer
from argocd_provenance.render.kustomize import PROGRAM
from support.gitserver import git_server
from support.web import web

pytestmark = pytest.mark.peers

FOLDER = Path(__file__).resolve().parents[2] / "argocd"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: argocd-repo-server}
spec:
  selector: {matchLabels: {app: repo-server}}
  template:
    metadata: {labels: {app: repo-server}}
    spec:
      containers: [{name: argocd-repo-server, image: "quay.io/argoproj/argocd:v3.5.1"}]
      volumes: [{name: var-files, emptyDir: {}}, {name: plugins, emptyDir: {}}]
"""
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: nginx}]}\n"


def program(name: str) -> str:
    found = os.environ.get(name.upper()) or shutil.which(name)
    assert found, f"set {name.upper()} to the path of {name}, or put it on PATH"
    return found


@pytest.fixture(scope="module")
def search_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("bin")
    for name in ("kustomize", "helm"):
        (folder / name).symlink_to(Path(program(name)).resolve())
    return str(folder)


def output(source: Path, settings: Settings) -> list[dict[str, object]]:
    return [
        document
        for _, text in render(source, settings, Deadline(60))
        for document in yaml.safe_load_all(text)
        if document
    ]


class TestKustomize:
    def test_builds_an_overlay_on_a_base_beside_it(self, tmp_path: Path, search_path: str) -> None:
        """The base lies in the source, but not in the Application's folder."""
        (tmp_path / "base").mkdir()
        (tmp_path / "prod").mkdir()
        (tmp_path / "base" / "pod.yaml").write_text(POD)
        (tmp_path / "base" / "kustomization.yaml").write_text("resources: [pod.yaml]\n")
        (tmp_path / "prod" / "kustomization.yaml").write_text(
            "resources: [../base]\nimages: [{name: nginx, newTag: '1.29'}]\n"
        )

        (pod,) = output(tmp_path / "prod", Settings(root=tmp_path, search_path=search_path))

        assert pod["spec"] == {"containers": [{"image": "nginx:1.29", "name": "c"}]}

    def test_says_what_is_wrong_without_our_paths(self, tmp_path: Path, search_path: str) -> None:
        """The reason is kustomize's own."""
        (tmp_path / "kustomization.yaml").write_text("unknownField: 1\n")

        with pytest.raises(RenderError, match="kustomize failed") as caught:
            output(tmp_path, Settings(search_path=search_path))

        assert "unknownField" in str(caught.value)
        assert str(tmp_path) not in str(caught.value)

    def test_hands_no_variable_of_ours_to_a_generator(
        self, tmp_path: Path, search_path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A generator may ask for a variable by its name; older programs answered from the environment."""
        monkeypatch.setenv("REGISTRY_PASSWORD", "hunter2")
        (tmp_path / "kustomization.yaml").write_text("configMapGenerator: [{name: a, envs: [wanted.env]}]\n")
        (tmp_path / "wanted.env").write_text("REGISTRY_PASSWORD\n")

        (config,) = output(tmp_path, Settings(search_path=search_path))

        assert config["data"] == {"REGISTRY_PASSWORD": ""}

    def test_is_the_version_that_the_image_has(self, tmp_path: Path, search_path: str) -> None:
        """As the report gives it."""
        (tmp_path / "kustomization.yaml").write_text("{}\n")

        assert renderer(tmp_path, Settings(search_path=search_path), Deadline(60)) == ("kustomize", PROGRAM.version)

    def test_builds_on_remote_bases(self, tmp_path: Path, search_path: str) -> None:
        """With names, patches and images as if they were local, and bases of their own."""
        base = {
            "app/kustomization.yaml": "resources: [../common, pod.yaml]\nnamePrefix: base-\n",
            "app/pod.yaml": POD,
            "common/kustomization.yaml": "resources: ['ADDRESS/acme/config?ref=v1']\n",
        }
        config = {"kustomization.yaml": "configMapGenerator: [{name: c, literals: [a=1]}]\n"}
        with git_server({"acme/base": [base], "acme/config": [config]}) as served:
            (tmp_path / "kustomization.yaml").write_text(
                f"resources: ['{served.address}/acme/base//app?ref=v1']\nimages: [{{name: nginx, newTag: '1.29'}}]\n"
            )

            generated, pod = output(tmp_path, Settings(search_path=search_path, remotes=Fetching()))

        assert str(generated["metadata"]["name"]).startswith("base-c-")  # type: ignore[index]
        assert (pod["metadata"], pod["spec"]) == (
            {"name": "base-a"},
            {"containers": [{"image": "nginx:1.29", "name": "c"}]},
        )
        assert sorted(path.name for path in tmp_path.iterdir()) == ["kustomization.yaml"]


class TestHelm:
    @pytest.fixture
    def chart(self, tmp_path: Path) -> Path:
        tmp_path = tmp_path / "chart"
        (tmp_path / "templates").mkdir(parents=True)
        (tmp_path / "crds").mkdir()
        (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: c\nversion: 0.1.0\n")
        (tmp_path / "crds" / "crd.yaml").write_text(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\n"
        )
        (tmp_path / "templates" / "a.yaml").write_text(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}'}\n"
            "data: {namespace: '{{ .Release.Namespace }}', version: '{{ .Capabilities.KubeVersion }}', has: '{{ .Capabilities.APIVersions.Has \"acme/v1\" }}'}\n"
        )
        return tmp_path

    def test_renders_for_the_application(self, chart: Path, search_path: str) -> None:
        """Release name, namespace and what the cluster can do are Argo CD's; CRDs are there."""
        settings = Settings(
            name="ns_shop", namespace="prod", kube_version="1.33.0", api_versions=("acme/v1",), search_path=search_path
        )

        crd, config = output(chart, settings)

        assert crd["kind"] == "CustomResourceDefinition"
        assert config["metadata"] == {"name": "shop"}
        assert config["data"] == {"namespace": "prod", "version": "v1.33.0", "has": "true"}

    def test_brings_the_charts_that_helms_own_lock_names(self, chart: Path, search_path: str, tmp_path: Path) -> None:
        """Helm writes the lock of a range; we read it, fetch that version, and helm renders it."""
        library = tmp_path / "library"
        (library / "templates").mkdir(parents=True)
        (library / "templates" / "b.yaml").write_text(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 'd-{{ .Chart.Version }}'}\n"
        )
        for version in ("1.0.0", "1.2.0"):
            (library / "Chart.yaml").write_text(f"apiVersion: v2\nname: d\nversion: {version}\n")
            self.helm(tmp_path, "package", str(library))
        self.helm(tmp_path, "repo", "index", ".")
        files = {f"/{path.name}": path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
        with web(files) as (address, asked):
            listed = [{"name": "d", "version": ">=1.0.0, <2", "repository": address, "tags": ["a&b"], "alias": "e"}]
            with (chart / "Chart.yaml").open("a") as file:
                file.write(f"dependencies: {json.dumps(listed)}\n")
            self.helm(chart, "dependency", "update")
            shutil.rmtree(chart / "charts")
            del asked[:]
            settings = Settings(name="a", search_path=search_path, remotes=Fetching())

            names = [document["metadata"] for document in output(chart, settings)]

        assert {"name": "d-1.2.0"} in names
        assert asked == ["/index.yaml", "/d-1.2.0.tgz"]
        assert not (chart / "charts").exists()

    @staticmethod
    def helm(folder: Path, *words: str) -> None:
        homes = {f"HELM_{name}_HOME": str(folder / "home") for name in ("CACHE", "CONFIG", "DATA")}
        subprocess.run([program("helm"), *words], cwd=folder, check=True, capture_output=True, env=os.environ | homes)


class Fetching:
    """Brings whatever is asked for."""

    def file(self, address: str, limit: int) -> bytes:
        with urllib.request.urlopen(address) as answer:  # noqa: S310 - an address of the test's own
            return bytes(answer.read(limit))

    def chart(self, reference: str, limit: int) -> bytes:
        raise AssertionError(reference, limit)

    def git(self, repository: str) -> dict[str, str]:
        assert repository
        return {}


class TestDeploymentFolder:
    @staticmethod
    def build(folder: Path) -> dict[str, dict[str, object]]:
        done = subprocess.run([program("kustomize"), "build", str(folder)], capture_output=True, text=True, check=True)
        return {
            f"{document['kind']}/{document['metadata']['name']}": document
            for document in yaml.safe_load_all(done.stdout)
        }

    def test_builds_what_server_side_apply_merges(self) -> None:
        """The sidecar and two ConfigMaps, in Argo CD's namespace."""
        built = self.build(FOLDER)

        assert set(built) == {
            "ConfigMap/argocd-provenance-config",
            "ConfigMap/argocd-provenance-policies",
            "Deployment/argocd-repo-server",
        }
        assert all(document["metadata"]["namespace"] == "argocd" for document in built.values())  # type: ignore[index]

    def test_patches_a_repo_server(self, tmp_path: Path) -> None:
        """As a strategic merge patch it adds the sidecar, and takes nothing away."""
        shutil.copy(FOLDER / "repo-server-patch.yaml", tmp_path)
        (tmp_path / "deployment.yaml").write_text(DEPLOYMENT)
        (tmp_path / "kustomization.yaml").write_text(
            "namespace: argocd\nresources: [deployment.yaml]\npatches: [{path: repo-server-patch.yaml}]\n"
        )

        pod = self.build(tmp_path)["Deployment/argocd-repo-server"]["spec"]["template"]["spec"]  # type: ignore[index]

        assert {container["name"] for container in pod["containers"]} == {"argocd-repo-server", "argocd-provenance"}
        assert {"var-files", "plugins", "argocd-provenance-tmp"} <= {volume["name"] for volume in pod["volumes"]}
