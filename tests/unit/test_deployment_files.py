"""The files that an operator applies agree with each other, with Argo CD's rules, and with the program."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from argocd_provenance import __version__
from argocd_provenance.argocd.parameters import KNOWN, parse_parameters
from argocd_provenance.config import load_config
from argocd_provenance.policy.load import load_policies
from argocd_provenance.resident import place

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "argocd"
PLUGIN_FILE = "/home/argocd/cmp-server/config/plugin.yaml"


def load(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text())


@pytest.fixture
def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text()


@pytest.fixture
def pod() -> Any:
    return load("repo-server-patch.yaml")["spec"]["template"]["spec"]


@pytest.fixture
def sidecar(pod: Any) -> Any:
    (container,) = pod["containers"]
    return container


class TestPluginFile:
    def test_is_what_argo_cd_validates(self) -> None:
        """Kind, name and a generate command; only fields that exist, for Argo CD drops others silently."""
        plugin = load("plugin.yaml")

        assert plugin["apiVersion"] == "argoproj.io/v1alpha1"
        assert plugin["kind"] == "ConfigManagementPlugin"
        assert plugin["metadata"] == {"name": "argocd-provenance"}
        assert set(plugin["spec"]) == {"generate", "parameters"}

    def test_has_neither_discovery_nor_version(self) -> None:
        """A failing discovery falls back to unverified rendering; a version becomes part of the name."""
        spec = load("plugin.yaml")["spec"]

        assert not {"discover", "version"} & set(spec)

    def test_starts_isolated_python_by_its_absolute_path(self) -> None:
        """The working folder is the repository: nothing of it is imported or executed."""
        generate = load("plugin.yaml")["spec"]["generate"]

        assert generate == {
            "command": ["/opt/argocd-provenance/bin/python", "-I", "-m", "argocd_provenance", "generate", "."]
        }

    def test_announces_parameters_that_are_known(self) -> None:
        """Each can be given, and no command of ours runs when a page of the UI is opened."""
        parameters = load("plugin.yaml")["spec"]["parameters"]

        assert list(parameters) == ["static"]
        values = {"policy.mode": "enforce", "policy.unmatched": "deny", "helm.kubeVersion": "1.33.0"}
        values |= dict.fromkeys(("helm.values", "helm.valuesObject"), "{a: 1}") | {"kustomize.patches": "[]"}
        forms = {"map": {"a": "1"}, "array": ["a"]}
        for parameter in parameters["static"]:
            name, form = parameter["name"], parameter.get("collectionType", "string")
            parse_parameters(json.dumps([{"name": name, form: forms.get(form, values.get(name, "true"))}]))

    def test_announces_every_parameter_that_says_something(self) -> None:
        """Those that Argo CD accepts and ignores are accepted, and not offered."""
        announced = [p["name"] for p in load("plugin.yaml")["spec"]["parameters"]["static"]]
        silent = {"helm.version", "helm.passCredentials", "kustomize.kubeVersion", "kustomize.apiVersions"}

        assert set(announced) == set(KNOWN) - silent
        assert len(announced) == len(set(announced))


class TestSidecar:
    def test_runs_argo_cds_server_as_its_user(self, sidecar: Any) -> None:
        """The server comes by a volume and belongs to user 999; who serves the plugin is started by the same line."""
        mounts = {mount["name"]: mount["mountPath"] for mount in sidecar["volumeMounts"]}

        python = load("plugin.yaml")["spec"]["generate"]["command"][0]
        server = f"{mounts['var-files']}/argocd-cmp-server"
        assert sidecar["command"] == [python, "-I", "-m", "argocd_provenance", "serve", "--", server]
        assert mounts["var-files"] == "/var/run/argocd"
        assert mounts["plugins"] == "/home/argocd/cmp-server/plugins"
        assert sidecar["securityContext"]["runAsUser"] == 999

    def test_has_a_volume_of_its_own_for_the_socket_of_who_serves(self, sidecar: Any) -> None:
        """One that holds no cache, so that whoever may write that cannot answer in our name."""
        above = [m["name"] for m in sidecar["volumeMounts"] if place.USUAL.startswith(m["mountPath"] + "/")]

        assert above == ["argocd-provenance-key"]

    def test_has_no_privileges(self, sidecar: Any) -> None:
        """It can write to its own volumes only."""
        context = sidecar["securityContext"]

        assert (context["runAsNonRoot"], context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"]) == (
            True,
            False,
            True,
        )
        assert context["capabilities"] == {"drop": ["ALL"]}

    def test_shares_no_volume_but_argo_cds_two(self, sidecar: Any, pod: Any) -> None:
        """Sharing /tmp with the repo-server is a known path traversal; ours are all our own."""
        own = {volume["name"] for volume in pod["volumes"]}

        shared = {mount["name"] for mount in sidecar["volumeMounts"]} - own

        assert shared == {"var-files", "plugins"}
        assert all(name.startswith("argocd-provenance-") for name in own)

    def test_what_must_be_writable_is_mounted_and_the_rest_is_not_written(self, sidecar: Any) -> None:
        """The operator's files are read-only; cache, key and /tmp have their volumes."""
        mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in sidecar["volumeMounts"]}

        assert {path for path, read_only in mounts.items() if read_only} == {
            "/etc/argocd-provenance/config",
            "/etc/argocd-provenance/policies",
            "/etc/argocd-provenance/registry",
        }
        assert {"/tmp", "/var/cache/argocd-provenance", "/var/lib/argocd-provenance"} <= set(mounts)  # noqa: S108 - a path in the container
        environment = {variable["name"]: variable["value"] for variable in sidecar["env"]}
        assert environment["HOME"] == environment["TMPDIR"] == "/tmp"  # noqa: S108 - as above
        assert environment["PYTHONDONTWRITEBYTECODE"] == "1"

    def test_mounts_what_it_declares(self, sidecar: Any, pod: Any) -> None:
        """No volume without a mount."""
        mounted = {mount["name"] for mount in sidecar["volumeMounts"]}

        assert {volume["name"] for volume in pod["volumes"]} <= mounted

    def test_reads_the_config_maps_that_the_kustomization_makes(self, pod: Any) -> None:
        """By the same names, without a suffix."""
        kustomization = load("kustomization.yaml")
        read = {volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume}

        assert {generator["name"] for generator in kustomization["configMapGenerator"]} == read
        assert kustomization["generatorOptions"] == {"disableNameSuffixHash": True}
        for generator in kustomization["configMapGenerator"]:
            assert all((FOLDER / file).is_file() for file in generator["files"])

    def test_takes_its_image_from_the_kustomization(self, sidecar: Any) -> None:
        """In this version."""
        (image,) = load("kustomization.yaml")["images"]

        assert image["name"] == sidecar["image"]
        assert image["newTag"] == __version__


class TestProject:
    """The sample of an AppProject; the real API takes it in ``cluster/test_installation.py``."""

    @pytest.fixture
    def project(self) -> Any:
        return load("samples/app-project.yaml")

    def test_its_applications_must_have_the_plugin(self, project: Any) -> None:
        """The admission policy beside it lists the project, as AppProjects alone cannot require a plugin."""
        listed, *_ = yaml.safe_load_all((FOLDER / "samples" / "admission-policy.yaml").read_text())

        assert project["metadata"]["name"] in listed["data"]["projects"].split(",")

    def test_it_permits_the_check_at_sync_time(self, project: Any) -> None:
        """Which is a Pod in the destination namespace."""
        denied = {entry["kind"] for entry in project["spec"]["namespaceResourceBlacklist"]}

        assert "namespaceResourceWhitelist" not in project["spec"]
        assert not {"Pod", "*"} & denied

    def test_nobody_can_bring_manifests_of_their_own(self, project: Any) -> None:
        """By ``app sync --local``, by another source or by another plugin: no verb of a role leads there, and no pattern."""
        allowed = {tuple(rule.split(", "))[2:5] for role in project["spec"]["roles"] for rule in role["policies"]}

        assert allowed == {
            ("applications", "get", "shop/*"),
            ("applications", "sync", "shop/*"),
            ("logs", "get", "shop/*"),
        }
        assert not any("*" in place for place in project["spec"]["sourceRepos"])
        assert not any("*" in place.values() for place in project["spec"]["destinations"])


class TestHelmValues:
    def test_bring_the_sidecar_of_the_patch(self, sidecar: Any) -> None:
        """Word for word, but for the image, which the kustomization sets."""
        values = load("samples/helm-values.yaml")["repoServer"]
        patch = load("repo-server-patch.yaml")["spec"]["template"]["spec"]

        (container,) = values["extraContainers"]
        assert container | {"image": sidecar["image"]} == sidecar
        assert container["image"].endswith(f":{__version__}")
        assert values["volumes"] == patch["volumes"]


class TestDockerfile:
    def test_puts_the_program_where_the_plugin_file_starts_it(self, dockerfile: str) -> None:
        """The interpreter's path and the plugin file's are fixed."""
        python = load("plugin.yaml")["spec"]["generate"]["command"][0]

        assert f"COPY argocd/plugin.yaml {PLUGIN_FILE}" in dockerfile
        assert f"python3 -m venv --copies {python.removesuffix('/bin/python')}" in dockerfile
        assert f'RUN ["{python}", "-I", "-m", "argocd_provenance", "--version"]' in dockerfile

    def test_runs_as_the_sidecars_user(self, dockerfile: str, sidecar: Any) -> None:
        """User 999."""
        assert f"USER {sidecar['securityContext']['runAsUser']}\n" in dockerfile

    def test_starts_what_the_sidecar_starts(self, dockerfile: str, sidecar: Any) -> None:
        """With or without `command` in the Deployment it is the same container."""
        (line,) = re.findall(r"^ENTRYPOINT (.*)$", dockerfile, re.MULTILINE)

        assert json.loads(line) == sidecar["command"]

    def test_brings_what_the_config_can_ask_for(self, dockerfile: str) -> None:
        """A config with `cache.redis`, or a collector, works in our own image; Rego's library wants more than a slim base has."""
        (extras,) = re.findall(r"^ARG EXTRAS=(\S+)$", dockerfile, re.MULTILINE)
        declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

        assert {"redis", "otel"} <= set(extras.split(",")) <= set(declared)

    def test_makes_the_folders_that_are_mounted(self, dockerfile: str, sidecar: Any) -> None:
        """With a read-only root they must be there."""
        own = [m["mountPath"] for m in sidecar["volumeMounts"] if "argocd-provenance" in m["mountPath"]]

        assert len(own) == 5
        assert [path for path in own if path not in dockerfile] == []
        assert "ln -s config/config.yaml /etc/argocd-provenance/config.yaml" in dockerfile

    def test_takes_nothing_by_a_name_that_can_move(self, dockerfile: str) -> None:
        """The base image has no default, and every download a checksum."""
        assert "\nARG PYTHON_IMAGE\n" in dockerfile
        assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {"${PYTHON_IMAGE}", "scratch"}
        for line in re.findall(r"^(?:ADD|.*https?://[^ ]*\$).*$", dockerfile, re.MULTILINE):
            assert line.startswith("ADD --checksum=sha256:${")

    @pytest.mark.parametrize("name", ["kustomize", "helm"])
    def test_installs_the_versions_that_a_missing_program_names(self, dockerfile: str, name: str) -> None:
        """One version of each, everywhere."""
        from argocd_provenance.render import helm, kustomize

        version = {"helm": helm.PROGRAM, "kustomize": kustomize.PROGRAM}[name].version

        assert f"ARG {name.upper()}_VERSION={version}\n" in dockerfile
        assert f"{name.upper()}=v{version}" in (ROOT / "tests" / "peers" / "install").read_text()
        assert f"{name} {version}" in (ROOT / "docs" / "rendering.md").read_text()


class TestInstructions:
    @pytest.mark.parametrize("path", ["docs/install.md", "argocd/kustomization.yaml"])
    def test_server_side_apply_has_a_field_manager_of_its_own(self, path: str) -> None:
        """Under kubectl's own name it would remove what Argo CD's installation applied under that name."""
        applied = re.findall(r"kubectl apply --server-side.*-[kf] ", (ROOT / path).read_text())

        assert applied
        assert all("--field-manager=argocd-provenance" in command for command in applied)


class TestExamples:
    def test_the_application_names_the_plugin(self) -> None:
        """Else Argo CD renders it unverified."""
        source = load("examples/application.yaml")["spec"]["source"]

        assert source["plugin"]["name"] == load("plugin.yaml")["metadata"]["name"]

    def test_the_applications_parameters_are_understood(self) -> None:
        """As Argo CD hands them over."""
        parameters = load("examples/application.yaml")["spec"]["source"]["plugin"]["parameters"]

        assert parse_parameters(json.dumps(parameters)).enforce

    def test_the_config_finds_its_policies(self) -> None:
        """`policies/` beside it, in the container as here."""
        config = load("examples/config.yaml")

        assert config["kind"] == "Config"
        assert [(FOLDER / "examples" / path).is_dir() for path in config["policies"]] == [True]
        assert load("examples/policies/shop.yaml")["kind"] == "ImagePolicy"

    def test_the_config_and_its_policy_load(self) -> None:
        """By the program's own strict readers."""
        config = FOLDER / "examples" / "config.yaml"
        policy = FOLDER / "examples" / "policies" / "shop.yaml"

        read = load_config(str(config), config.read_text())
        (shop,) = load_policies([(str(policy), policy.read_text())], lambda name: Path(name).read_bytes())

        assert (read.unmatched, shop.name, shop.mode) == ("deny", "shop", "enforce")
