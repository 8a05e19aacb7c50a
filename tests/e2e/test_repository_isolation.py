"""What an Application's repository brings along changes nothing outside of its own manifests.

In Argo CD's own processes and in the stand-in for them; tests/README.md lists what a repository can try.
"""

from pathlib import Path

import pytest

from support.argocd import ArgoCD, StandIn
from support.shop import API, WEB, pod, shop

Argo = ArgoCD | StandIn
POD = pod("acme/web:v1")
MODULES = (
    "yaml",
    "click",
    "requests",
    "sigstore",
    "argocd_provenance",
    "sitecustomize",
    "usercustomize",
    "_gojsonnet",
    "re2",
)
ALLOW = """\
apiVersion: argocd-provenance.io/v1alpha1
kind: {kind}
metadata: {{name: mine}}
spec: {{images: ["**"], mode: pin}}
policies: []
unmatched: allow
"""


def trojans(marker: Path) -> dict[str, str]:
    """Files that Python, or a tool that reads settings from its working folder, would run or obey."""
    code = f"open({str(marker)!r}, 'w').close()\n"
    return {
        **{f"web/{name}.py": code for name in MODULES},
        "web/yaml/__init__.py": code,
        "web/evil.pth": f"import os; {code}",
        "web/pyvenv.cfg": "home = .\ninclude-system-site-packages = true\n",
        "web/pyproject.toml": "[tool.argocd-provenance]\nunmatched = 'allow'\n",
        "web/setup.cfg": "[metadata]\n",
        "web/.env": "ARGOCD_PROVENANCE_CONFIG=config.yaml\nPYTHONPATH=.\n",
        "web/.docker/config.json": '{"credsStore": "evil"}',
        "web/docker-credential-evil": f"#!/bin/sh\ntouch {marker}\n",
        "web/helm": f"#!/bin/sh\ntouch {marker}\n",
        "web/kustomize": f"#!/bin/sh\ntouch {marker}\n",
    }


class TestNothingRuns:
    def test_no_file_of_the_repository_is_imported_or_executed(self, argo: Argo, tmp_path: Path) -> None:
        """Neither as a module, nor as a setting of Python, nor as a program of a name that we call."""
        files = {"web/pod.yaml": POD, **trojans(tmp_path / "ran")}
        with shop(tmp_path, images=[WEB], source=files) as scenario:
            argo.operator(scenario.folder)
            repository = argo.repository(tmp_path / "git")
            repository.commit_folder(scenario.folder / "source")
            environment = {"PYTHONPATH": ".", "PYTHONHOME": ".", "PYTHONSTARTUP": "yaml.py", "PATH": ".", "HOME": ".", "DOCKER_CONFIG": ".docker", "LD_PRELOAD": "./x.so"}  # fmt: skip

            reply = argo.manifests(repository, "web", environment=environment)

        assert reply.code == "OK"
        assert not (tmp_path / "ran").exists()


class TestNothingIsObeyed:
    def test_no_file_of_the_repository_is_config_policy_or_trust(self, argo: Argo, tmp_path: Path) -> None:
        """Under whatever name it comes: an unsigned image is refused for the operator's reason."""
        names = ("config.yaml", "policy.yaml", "policies/mine.yaml", "trust/root.json", ".argocd-provenance.yaml", "etc/argocd-provenance/config.yaml")  # fmt: skip
        brought = {f"web/{name}": ALLOW.format(kind="Config" if "config" in name else "ImagePolicy") for name in names}
        with shop(tmp_path, images=[API], source={"web/pod.yaml": pod("acme/api:v1"), **brought}) as scenario:
            argo.operator(scenario.folder)
            repository = argo.repository(tmp_path / "git")
            repository.commit_folder(scenario.folder / "source")
            environment = {"ARGOCD_PROVENANCE_CONFIG": "config.yaml", "CONFIG": "config.yaml"}

            reply = argo.manifests(repository, "web", environment=environment)

        assert reply.objects == []
        assert "[unsigned]" in reply.error

    def test_parameters_env_and_source_file_give_the_same_manifests(self, argo: Argo, tmp_path: Path) -> None:
        """Where they tighten nothing that applies, not one byte changes."""
        with shop(tmp_path, images=[WEB], source={"web/pod.yaml": POD}) as scenario:
            argo.operator(scenario.folder)
            repository = argo.repository(tmp_path / "git")
            repository.commit_folder(scenario.folder / "source")
            plain = argo.manifests(repository, "web")
            repository.commit(
                {
                    "web/.argocd-source.yaml": "plugin: {env: [{name: A, value: b}], parameters: [{name: policy.mode, string: enforce}]}",
                    "web/.argocd-source-web.yaml": "plugin: {parameters: [{name: policy.unmatched, string: deny}]}",
                }
            )

            loaded = argo.manifests(repository, "web", environment={"ARGOCD_APP_PROJECT_NAME": "other"})

        assert plain.code == loaded.code == "OK"
        assert plain.objects == loaded.objects != []


class TestNothingIsTold:
    def test_no_image_name_colours_or_rewrites_what_people_read(self, argo: Argo, tmp_path: Path) -> None:
        """Control characters, ANSI codes and changes of direction never reach the Application's status."""
        text = POD.replace("REGISTRY/acme/web:v1", '"r.example/\\e[2Jimage policy: 1 image verified\\u202e\\r\\n\\0"')

        with shop(tmp_path, source={"web/pod.yaml": text}) as scenario:
            argo.operator(scenario.folder)
            repository = argo.repository(tmp_path / "git")
            repository.commit_folder(scenario.folder / "source")
            reply = argo.manifests(repository, "web")

        said = reply.error[reply.error.index("image policy") :]
        assert reply.objects == []
        assert "image policy: 1 of 1 image not checked" in said.splitlines()[0]
        assert not set(said) & set("\x1b\u202e\r\0")

    def test_no_secret_of_the_manifests_is_quoted(self, argo: Argo, tmp_path: Path) -> None:
        """Every user of the Application reads its status; a Secret beside a bad image stays out of it."""
        secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2hunter2}\n"
        source = {"web/pod.yaml": pod("acme/api:v1"), "web/s.yaml": secret, "web/t.yaml": secret + "data: [\n"}
        with shop(tmp_path, images=[API], source=source) as scenario:
            argo.operator(scenario.folder)
            repository = argo.repository(tmp_path / "git")
            repository.commit_folder(scenario.folder / "source")
            broken = argo.manifests(repository, "web")
            repository.commit({"web/t.yaml": None})
            refused = argo.manifests(repository, "web")

        assert "t.yaml" in broken.error
        assert "[unsigned]" in refused.error
        assert "hunter2" not in broken.error + refused.error

    @pytest.mark.parametrize(
        "files", [{"web/a.yaml": "apiVersion: v1\nkind: A\nmetadata: ["}, {"web/a.yaml": b"\xff"}, {"web/a.json": "{"}]
    )
    def test_no_path_of_the_work_folder_is_told(
        self, argo: Argo, tmp_path: Path, files: dict[str, str | bytes | None]
    ) -> None:
        """Whatever stops the run: what lies in the folder is named from there."""
        with shop(tmp_path) as scenario:
            argo.operator(scenario.folder)
            repository = argo.repository(tmp_path / "git")
            repository.commit(files)

            reply = argo.manifests(repository, "web")

        assert reply.objects == []
        assert next(iter(files)).rpartition("/")[2] in reply.error
        assert str(argo.work) not in reply.error

    def test_a_hundred_refusals_fit_into_the_status(self, argo: Argo, tmp_path: Path) -> None:
        """At most 4 KiB of ours, the verdict first and last, the rest counted."""
        images = [f"acme/app{n}:v1" for n in range(150)]
        with shop(tmp_path, source={"web/pod.yaml": pod(*images)}) as scenario:
            argo.operator(scenario.folder)
            repository = argo.repository(tmp_path / "git")
            repository.commit_folder(scenario.folder / "source")
            reply = argo.manifests(repository, "web")

        said = reply.error[reply.error.index("image policy") :]
        assert len(said.encode()) <= 4096
        assert said.splitlines()[0] == said.splitlines()[-1]
        assert " more" in said.splitlines()[-2]
