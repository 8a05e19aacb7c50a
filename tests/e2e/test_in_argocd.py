"""The plugin in Argo CD's processes: what an Application gets, or is told instead.

Each test runs on a stand-in for Argo CD, which needs nothing, and on its own servers (marked ``peers``); and on both once
more with a resident process that does the plugin's work, for nobody must see a difference.
"""

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.argocd import ArgoCD, StandIn, leftovers, plugin_file
from support.argocd.asking import ROOT
from support.processes import running, wait_for
from support.registries import silent
from support.shop import API, WEB, pod, policy, shop

Argo = ArgoCD | StandIn
CHAIN = (
    'CMP processing failed for application "web": error generating manifests in cmp: '
    "rpc error: code = Unknown desc = error generating manifests: "
)


@pytest.fixture(
    params=[
        "stand-in",
        "served-stand-in",
        pytest.param("servers", marks=pytest.mark.peers),
        pytest.param("served-servers", marks=pytest.mark.peers),
    ]
)
def argo(request: pytest.FixtureRequest) -> Argo:
    """Each of them: what a test expects of this must hold in all."""
    answering: Argo = request.getfixturevalue(request.param.replace("-", "_"))
    return answering


def waiting(folder: Path, host: str, deadline: str) -> Path:
    """An operator's folder with one policy about images on `host`."""
    folder.mkdir()
    kind = "apiVersion: argocd-provenance.io/v1alpha1\nkind: Config\n"
    (folder / "config.yaml").write_text(f"{kind}policies: [policy.yaml]\ndeadline: {deadline}\n")
    (folder / "policy.yaml").write_text(policy().replace("domain: test", "").replace("REGISTRY", host))
    return folder


def seen(reply: Any) -> Any:
    """What the plugin `probe` saw."""
    (told,) = reply.objects
    return json.loads(told["data"]["seen"])


def test_the_plugin_file_of_these_tests_is_ours_but_for_the_interpreter() -> None:
    """Its place is fixed in the image; every other byte is what operators install."""
    ours = (ROOT / "argocd" / "plugin.yaml").read_bytes()

    assert plugin_file("/PYTHON").encode().replace(b"/PYTHON", b"/opt/argocd-provenance/bin/python") == ours
    assert b"/PYTHON" not in ours


class TestManifests:
    def test_an_image_that_passes_arrives_pinned_and_everything_else_unchanged(
        self, argo: Argo, tmp_path: Path
    ) -> None:
        """What the controller compares and applies is the repository's object, with digest, verdict and Argo CD's tracking."""
        with shop(tmp_path, images=[WEB], source={"web/pod.yaml": pod("acme/web:v1")}) as scenario:
            argo.operator(scenario.folder)
            repository = argo.repository(tmp_path / "git")
            repository.commit_folder(scenario.folder / "source")
            digest = scenario.registry.contents.tags["acme/web", "v1"]

            reply = argo.manifests(repository, "web")

            (one,) = reply.objects
            notes = one["metadata"].pop("annotations")
            image = f"{scenario.registry.host}/acme/web:v1@{digest}"
            assert (reply.code, reply.source_type) == ("OK", "Plugin")
            assert one == {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "web"},
                "spec": {"containers": [{"name": "c0", "image": image}]},
            }
            assert notes.pop("argocd.argoproj.io/tracking-id") == "web:/Pod:target/web"
            assert notes["argocd-provenance.io/verdict"] == "verified"
            assert set(notes) <= {
                "argocd-provenance.io/verdict",
                "argocd-provenance.io/images",
                "link.argocd.argoproj.io/argocd-provenance",
            }

    def test_a_hard_refresh_gives_the_same_manifests(self, argo: Argo, tmp_path: Path) -> None:
        """Same commit and same evidence: no Application becomes OutOfSync by being rendered again."""
        with shop(tmp_path, images=[WEB], source={"web/pod.yaml": pod("acme/web:v1")}) as scenario:
            argo.operator(scenario.folder)
            repository = argo.repository(tmp_path / "git")
            repository.commit_folder(scenario.folder / "source")

            first, second = (argo.manifests(repository, "web", hard=True) for _ in range(2))

            assert first.objects == second.objects != []


class TestRefusals:
    def test_a_refusal_reaches_the_user_whole_behind_argo_cds_words(self, argo: Argo, tmp_path: Path) -> None:
        """No manifests, and the report with its verdict first: image, place, reason and fix; no path of the work folder."""
        with shop(tmp_path, images=[WEB, API], source={"web/pod.yaml": pod("acme/web:v1", "acme/api:v1")}) as scenario:
            argo.operator(scenario.folder)
            repository = argo.repository(tmp_path / "git")
            repository.commit_folder(scenario.folder / "source")

            reply = argo.manifests(repository, "web")

            said = reply.error.removeprefix(CHAIN)
            assert (reply.code, reply.objects) == ("UNKNOWN", [])
            assert said != reply.error
            assert re.match(
                r"`\S+/python -I -m argocd_provenance generate \.( --socket \S+)?` failed exit status 4: image policy: 1 of 2 images refused",
                said,
            )
            assert [part for part in (" DENY ", '(Pod/web "c1") [unsigned]', "hard-refresh") if part not in said] == []
            assert str(argo.work) not in said
            assert "\x1b" not in said

    def test_a_folder_without_objects_is_refused(self, argo: Argo, tmp_path: Path) -> None:
        """Argo CD takes empty output for success and would delete what runs; we do not print any."""
        with shop(tmp_path, source={"web/notes.txt": "nothing yet"}) as scenario:
            argo.operator(scenario.folder)
            repository = argo.repository(tmp_path / "git")
            repository.commit_folder(scenario.folder / "source")

            reply = argo.manifests(repository, "web")

            assert (reply.code, reply.objects) == ("UNKNOWN", [])
            assert "[empty-render] nothing was rendered" in reply.error

    def test_without_a_config_it_is_refused(self, argo: Argo, tmp_path: Path) -> None:
        """A sidecar whose config is missing proves nothing, and says what it looked for."""
        (tmp_path / "none").mkdir()
        argo.operator(tmp_path / "none")
        repository = argo.repository(tmp_path / "git")
        repository.commit({"web/pod.yaml": pod("acme/web:v1")})

        reply = argo.manifests(repository, "web")

        assert (reply.code, reply.objects) == ("UNKNOWN", [])
        assert "failed exit status 2" in reply.error
        assert "kind: Config" in reply.error


class TestWhatTheRepositorySays:
    @pytest.mark.parametrize(
        ("parameters", "said"),
        [
            ([], ""),
            ([{"name": "policy.mode", "string": "enforce"}], ""),
            ([{"name": "policy.mode", "string": "warn"}], "policy.mode"),
            ([{"name": "policy.mode", "array": ["enforce"]}], "policy.mode"),
            ([{"name": "policy.mode", "map": {"enforce": "true"}}], "policy.mode"),
            ([{"name": "policy.mod", "string": "enforce"}], "policy.mod"),
        ],
    )
    def test_parameters_can_tighten_and_nothing_else(
        self, argo: Argo, tmp_path: Path, parameters: list[Any], said: str
    ) -> None:
        """None at all is the literal `null`; what is unknown, loosens or has the wrong form is an error with its name."""
        with shop(tmp_path, images=[WEB], source={"web/pod.yaml": pod("acme/web:v1")}) as scenario:
            argo.operator(scenario.folder)
            repository = argo.repository(tmp_path / "git")
            repository.commit_folder(scenario.folder / "source")

            reply = argo.manifests(repository, "web", parameters=parameters)

            assert (reply.code == "OK", bool(reply.objects)) == (not said, not said)
            assert said in reply.error

    @pytest.mark.parametrize(
        ("name", "override"),
        [
            (".argocd-source.yaml", "plugin: {parameters: [{name: policy.mode, string: warn}]}"),
            (
                ".argocd-source-web.yaml",
                "plugin: {env: [{name: ARGOCD_PROVENANCE_CONFIG, value: mine.yaml}, {name: PATH, value: .}, {name: PYTHONPATH, value: .}]}",
            ),
            (".argocd-source.yaml", "plugin: null"),
            (".argocd-source-web.yaml", "plugin: {parameters: null, env: null}"),
            (".argocd-source.yaml", "directory: {recurse: true}"),
            (".argocd-source-web.yaml", "helm: {releaseName: free}"),
            (".argocd-source.yaml", "kustomize: {namePrefix: free-}"),
            (
                ".argocd-source-web.yaml",
                "repoURL: https://example.invalid/trusted\ntargetRevision: v9\npath: elsewhere",
            ),
        ],
    )
    def test_a_source_file_never_lets_an_image_through(
        self, argo: Argo, tmp_path: Path, name: str, override: str
    ) -> None:
        """The repository can rewrite the Application's source; an unsigned image is refused all the same."""
        files = {"web/pod.yaml": pod("acme/api:v1"), f"web/{name}": override, "web/mine.yaml": "allowEmpty: true"}
        with shop(tmp_path, images=[API], source=files) as scenario:
            argo.operator(scenario.folder)
            repository = argo.repository(tmp_path / "git")
            repository.commit_folder(scenario.folder / "source")

            reply = argo.manifests(repository, "web")

            assert reply.objects == []
            assert (
                "[unsigned]" in reply.error
                or "policy.mode" in reply.error
                or "multiple application sources" in reply.error
            )

    def test_the_environment_is_argo_cds_and_cannot_be_replaced(self, argo: Argo, tmp_path: Path) -> None:
        """Names of the Application get a prefix; a parameter is told as JSON and as variables; versions are sorted."""
        repository = argo.repository(tmp_path / "git")
        revision = repository.commit({"web/x.yaml": ""})
        parameters = [{"name": "a.b", "string": "1"}, {"name": "l", "array": ["x"]}, {"name": "m", "map": {"k-1": "v"}}]
        environment = {"PATH": "mine", "WHO": "$ARGOCD_APP_NAME/$$HOME/${NONE}", "ARGOCD_APP_NAME": "other"}

        told = seen(
            argo.manifests(
                repository, "web", plugin="probe", project="shop", parameters=parameters, environment=environment
            )
        )["environment"]

        assert json.loads(told.pop("ARGOCD_APP_PARAMETERS")) == parameters
        assert told["PATH"] != "mine"
        assert {
            name: value
            for name, value in told.items()
            if name.startswith(("ARGOCD_APP_", "ARGOCD_ENV_", "KUBE_", "PARAM_"))
        } == {
            "ARGOCD_APP_NAME": "web",
            "ARGOCD_APP_NAMESPACE": "target",
            "ARGOCD_APP_PROJECT_NAME": "shop",
            "ARGOCD_APP_REVISION": revision,
            "ARGOCD_APP_REVISION_SHORT": revision[:7],
            "ARGOCD_APP_REVISION_SHORT_8": revision[:8],
            "ARGOCD_APP_SOURCE_REPO_URL": repository.url,
            "ARGOCD_APP_SOURCE_PATH": "web",
            "ARGOCD_APP_SOURCE_TARGET_REVISION": "main",
            "ARGOCD_ENV_PATH": "mine",
            "ARGOCD_ENV_WHO": "web/$HOME/",
            "ARGOCD_ENV_ARGOCD_APP_NAME": "other",
            "KUBE_VERSION": "1.36.1",
            "KUBE_API_VERSIONS": "apps/v1,apps/v1/Deployment,v1",
            "PARAM_A_B": "1",
            "PARAM_L_0": "x",
            "PARAM_M_K_1": "v",
        }

    def test_without_parameters_the_variable_says_null(self, argo: Argo, tmp_path: Path) -> None:
        """That is what we read, so that is what we are told."""
        repository = argo.repository(tmp_path / "git")
        repository.commit({"web/x.yaml": ""})

        told = seen(argo.manifests(repository, "web", plugin="probe"))

        assert told["environment"]["ARGOCD_APP_PARAMETERS"] == "null"
        assert told["stdin"] == ""

    def test_of_the_repository_files_and_inner_links_arrive(self, argo: Argo, tmp_path: Path) -> None:
        """Modes are reset, so nothing of the repository is executable; a link that stays inside stays a link."""
        repository = argo.repository(tmp_path / "git")
        repository.commit({"web/run.sh": "#!/bin/sh\n", "base/x.yaml": ""})
        (repository.tree / "web" / "run.sh").chmod(0o777)
        (repository.tree / "web" / "x.yaml").symlink_to("../base/x.yaml")
        repository.commit({})

        told = seen(argo.manifests(repository, "web", plugin="probe"))

        assert told["files"] == {"./run.sh": "0o644", "./x.yaml": "../base/x.yaml"}

    def test_a_link_out_of_the_repository_is_refused_before_we_run(self, argo: Argo, tmp_path: Path) -> None:
        """Argo CD checks its own checkout."""
        repository = argo.repository(tmp_path / "git")
        (repository.tree / "passwd").symlink_to("/etc/passwd")
        repository.commit({"web/x.yaml": ""})

        reply = argo.manifests(repository, "web", plugin="probe")

        assert (reply.objects, "out-of-bounds symlinks" in reply.error) == ([], True)


class TestTime:
    def test_a_registry_that_never_answers_is_named_before_the_deadline(self, argo: Argo, tmp_path: Path) -> None:
        """Our own deadline comes before the caller's kill: what was pending is said, and that nothing is known to be wrong."""
        with silent() as host:
            argo.operator(waiting(tmp_path / "operator", host, "1s"))
            repository = argo.repository(tmp_path / "git")
            repository.commit({"web/pod.yaml": pod("acme/web:v1").replace("REGISTRY", host)})

            reply = argo.manifests(repository, "web", deadline=30)

            assert (reply.code, reply.objects) == ("UNKNOWN", [])
            assert "failed exit status 3" in reply.error
            assert f'ERROR {host}/acme/web:v1 (Pod/web "c0") [deadline]' in reply.error
            assert "Nothing is known to be wrong with the image" in reply.error

    def test_a_kill_in_the_middle_leaves_nothing_and_the_next_run_is_fine(self, argo: Argo, tmp_path: Path) -> None:
        """The caller's deadline ends us without a word: no process, no folder, no manifests stay."""
        with silent() as host, shop(tmp_path, images=[WEB], source={"web/pod.yaml": pod("acme/web:v1")}) as scenario:
            argo.operator(waiting(tmp_path / "operator", host, "40s"))
            repository = argo.repository(tmp_path / "git")
            repository.commit({"web/pod.yaml": pod("acme/web:v1").replace("REGISTRY", host)})

            reply = argo.manifests(repository, "web", deadline=1)

            assert (reply.objects, reply.code in ("UNKNOWN", "DEADLINE_EXCEEDED")) == ([], True)
            wait_for("the end of all processes", lambda: not leftovers(argo.work), seconds=10)
            wait_for(
                "an empty work folder", lambda: not any(path.is_file() for path in argo.work.rglob("*")), seconds=10
            )

            argo.operator(scenario.folder)
            repository.commit_folder(scenario.folder / "source")
            assert argo.manifests(repository, "web").code == "OK"

    @pytest.mark.peers
    def test_a_kill_takes_a_renderer_along(self, servers: ArgoCD, tmp_path: Path) -> None:
        """A child in a session of its own outlives Argo CD's kill of the process group; ours do not."""
        words = f"/bin/sleep {31000 + os.getpid()}"
        program = servers.programs / "kustomize"
        program.write_text(f"#!/bin/sh\n{words} &\nexec {words}\n")
        program.chmod(0o755)
        with shop(
            tmp_path, source={"web/kustomization.yaml": "resources: [pod.yaml]", "web/pod.yaml": pod("a:v1")}
        ) as scenario:
            servers.operator(scenario.folder)
            repository = servers.repository(tmp_path / "git")
            repository.commit_folder(scenario.folder / "source")

            with ThreadPoolExecutor(1) as pool:
                asked = pool.submit(servers.manifests, repository, "web", deadline=4)
                started = wait_for("the renderer", lambda: running(words), seconds=10)
                reply = asked.result()

            program.unlink()
            assert (reply.objects, bool(started)) == ([], True)
            wait_for("the end of all processes", lambda: not running(words) and not leftovers(servers.work), seconds=10)
