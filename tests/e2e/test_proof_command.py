"""``hook --proof``: what runs in a cluster, held against what was verified, by the Pod that `generate` adds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from argocd_provenance.argocd.workloads import unpack
from argocd_provenance.cli import proving
from argocd_provenance.oci.reference import Digest
from argocd_provenance.report import text
from support.kubernetes_api import KubernetesApi
from support.scenario import Scenario
from support.shop import API, WEB, pod, policy, shop

OURS = f"ghcr.io/acme/argocd-provenance@sha256:{'1' * 64}"
PROOF = f"hook: {{proof: true, image: '{OURS}', injected: ['istio-*']}}\n"
TOLD = {"ARGOCD_APP_NAME": "shop", "ARGOCD_APP_NAMESPACE": "target", "ARGOCD_APP_PROJECT_NAME": "default"}
OTHER = Digest.of(b"something else").text
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  template:
    spec:
      containers:
        - {name: web, image: "REGISTRY/acme/web:v1"}
"""


class Proved:
    """A shop whose Deployment was applied, the cluster it runs in, and the Pod that looks."""

    def __init__(self, here: Scenario, api: KubernetesApi) -> None:
        self.here, self.api = here, api
        code, out, self.said = here.generate(environment=TOLD)
        assert code == 0, self.said
        self.documents = list(yaml.safe_load_all(out))
        self.pod = self.documents[-1]
        self.digest = here.registry.contents.tags["acme/web", "v1"]
        self.deployment = rolled("Deployment", "web", 2)
        self.set = rolled("ReplicaSet", "web-1", 2, owner=self.deployment)

    @property
    def packed(self) -> str:
        """What the Pod carries."""
        found: str = self.pod["spec"]["containers"][0]["args"][-1]
        return found

    def run(self, *pods: dict[str, Any]) -> tuple[int, str]:
        """Exit code and report, when these Pods run."""
        self.api.add("target", self.deployment, self.set, *pods)
        arguments = ["--service-account", str(self.api.account), "--payload", self.packed, "--proof"]
        code, _, err = self.here.run("hook", *arguments, environment=self.api.environment)
        return code, err

    def replica(self, number: int, digest: str, **more: Any) -> dict[str, Any]:
        """A Pod of the Deployment that runs this digest."""
        return running(f"web-1-{number}", self.set, {"web": digest}, **more)


def rolled(kind: str, name: str, replicas: int, owner: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    """A workload whose rollout is over."""
    done = {"replicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas, "observedGeneration": 1}
    return {
        "kind": kind,
        "metadata": {"name": name, "uid": f"uid-{name}", "generation": 1, "ownerReferences": owners(owner)},
        "spec": {"replicas": replicas},
        "status": done | status,
    }


def owners(owner: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The references to a controller."""
    if owner is None:
        return []
    name, uid = owner["metadata"]["name"], owner["metadata"]["uid"]
    return [{"kind": owner["kind"], "name": name, "uid": uid, "controller": True}]


def running(
    name: str,
    owner: dict[str, Any] | None,
    containers: dict[str, str],
    *,
    form: str = "registry.example/acme/web@{}",
    where: str = "containerStatuses",
    **more: Any,
) -> dict[str, Any]:
    """A Pod that runs a digest in each container, as a runtime reports it."""
    statuses = [{"name": c, "image": "acme/web:v1", "imageID": form.format(d)} for c, d in containers.items()]
    declared = {"containerStatuses": "containers", "initContainerStatuses": "initContainers"}.get(where)
    spec = {declared: [{"name": container} for container in containers]} if declared else {}
    metadata = {"name": name, "uid": f"uid-{name}", "ownerReferences": owners(owner), **more}
    return {"kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Running", where: statuses}}


@contextmanager
def proved(folder: Path, config: str = PROOF, **more: Any) -> Iterator[Proved]:
    """A shop, its cluster and the proof."""
    told = {"images": [WEB], "source": {"web.yaml": DEPLOYMENT}, "config": config + "\n"} | more
    with shop(folder / "shop", **told) as here, KubernetesApi(folder / "account") as api:
        yield Proved(here, api)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()


class TestPod:
    def test_it_is_a_postsync_hook_with_a_name_and_an_account_of_its_own(self, tmp_path: Path) -> None:
        """The same shape as the check's; only this one may read the API."""
        with proved(tmp_path) as shown:
            spec, metadata = shown.pod["spec"], shown.pod["metadata"]

        assert metadata["generateName"].startswith("provenance-proof-")
        assert metadata["annotations"]["argocd.argoproj.io/hook"] == "PostSync"
        assert metadata["annotations"]["argocd.argoproj.io/hook-delete-policy"] == "HookSucceeded,HookFailed"
        assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("argocd-provenance-proof", True)
        assert spec["containers"][0]["command"][4:] == ["hook"]
        assert spec["containers"][0]["args"][:2] == ["--proof", "--payload"]
        assert spec["activeDeadlineSeconds"] > 300 + 300

    def test_both_hooks_stand_behind_each_other(self, tmp_path: Path) -> None:
        """Before the sync and after it."""
        with proved(tmp_path, config=PROOF.replace("proof: true", "proof: true, enabled: true")) as shown:
            hooks = [one["metadata"]["annotations"]["argocd.argoproj.io/hook"] for one in shown.documents[1:]]

        assert hooks == ["PreSync", "PostSync"]

    def test_hooks_and_other_kinds_are_not_followed(self, tmp_path: Path) -> None:
        """A hook of the source has been deleted by then; what a custom resource runs is up to its controller."""
        hook = pod("acme/web:v1", name="migrate", annotations="{argocd.argoproj.io/hook: PreSync}")
        other = 'apiVersion: example.com/v1\nkind: Engine\nmetadata: {name: e}\nspec: {containers: [{image: "REGISTRY/acme/web:v1"}]}\n'
        with proved(tmp_path, source={"web.yaml": DEPLOYMENT, "hook.yaml": hook, "other.yaml": other}) as shown:
            workloads = unpack(shown.packed).workloads

        assert [str(one) for one in workloads] == ["Deployment/web"]
        assert "the proof does not follow Engine/e" in shown.said
        assert "migrate: " not in shown.said


class TestVerdicts:
    @pytest.mark.parametrize("form", ["{}", "r/acme/web@{}", "docker-pullable://r/acme/web@{}", "docker://{}"])
    def test_the_verified_digest_in_every_pod_is_the_proof(self, tmp_path: Path, form: str) -> None:
        """However the runtime writes it; no registry is asked."""
        with proved(tmp_path) as shown:
            asked = len(shown.here.registry.requests)
            code, said = shown.run(*(shown.replica(n, shown.digest, form=form) for n in (1, 2)))

            assert len(shown.here.registry.requests) == asked

        assert code == 0
        assert said.startswith("image policy: 1 image runs as verified (app shop)\n OK ")
        assert "runs in 2 Pods" in said

    def test_another_digest_in_one_pod_is_a_denial(self, tmp_path: Path) -> None:
        """By Pod and container."""
        with proved(tmp_path) as shown:
            code, said = shown.run(shown.replica(1, shown.digest), shown.replica(2, OTHER))

        assert code == 4
        assert said.startswith("image policy: 1 of 2 images refused")
        assert '(Pod/web-1-2 "web") [running-other]' in said

    @pytest.mark.parametrize("ran", ["", "registry.example/acme/web:v1", "sha256:12"])
    def test_what_is_no_digest_proves_nothing(self, tmp_path: Path, ran: str) -> None:
        """Neither a tag nor nothing."""
        with proved(tmp_path, config=PROOF.replace("proof: true", "proof: true, rollout: 1s")) as shown:
            code, _ = shown.run(shown.replica(1, "", form=ran))

        assert code == (4 if ran else 3)

    @pytest.mark.parametrize("listed", ["child", "config"])
    def test_a_node_of_another_architecture_runs_a_child_of_the_index(self, tmp_path: Path, listed: str) -> None:
        """The index was verified; the registry's own bytes, checked by their digest, say what it lists."""
        with proved(tmp_path) as shown:
            registry = shown.here.registry
            child = registry.push_image("acme/web", None, [b"for arm64"])
            index = registry.push_index(
                "acme/web", "v2", [child | {"platform": {"os": "linux", "architecture": "arm64"}}]
            )
            found = yaml.safe_load(registry.contents.manifests["acme/web", child["digest"]][1])
            digest = child["digest"] if listed == "child" else found["config"]["digest"]
            shown.pod["spec"]["containers"][0]["args"][-1] = _expecting(shown.packed, index["digest"])
            code, said = shown.run(shown.replica(1, digest), shown.replica(2, index["digest"]))

        assert code == 0, said

    def test_what_an_index_lists_cannot_be_lied_about(self, tmp_path: Path) -> None:
        """Other bytes than the digest's are an error, and a registry that is away is one too."""
        with proved(tmp_path) as shown:
            contents = shown.here.registry.contents
            media_type, manifest = contents.manifests["acme/web", shown.digest]
            forged = manifest.replace(b'"schemaVersion"', b'"x":0,"schemaVersion"')
            contents.manifests["acme/web", shown.digest] = (media_type, forged)
            code, said = shown.run(shown.replica(1, OTHER))

        assert code == 3
        assert "[digest-mismatch]" in said

    def test_init_containers_and_debuggers_are_looked_at_too(self, tmp_path: Path) -> None:
        """Whatever runs in the Pod counts."""
        with proved(tmp_path) as shown:
            debugged = shown.replica(1, shown.digest)
            debugged["status"]["ephemeralContainerStatuses"] = [{"name": "shell", "image": "busybox", "imageID": OTHER}]
            second = shown.replica(2, shown.digest)
            second["status"]["initContainerStatuses"] = [{"name": "early", "image": "miner", "imageID": OTHER}]
            code, said = shown.run(debugged, second)

        assert code == 4
        assert '(Pod/web-1-1 "shell") [running-unknown]' in said
        assert '(Pod/web-1-2 "early") [running-unknown]' in said

    def test_a_container_that_the_operator_expects_is_left_alone(self, tmp_path: Path) -> None:
        """`hook.injected` names what a mesh adds."""
        with proved(tmp_path) as shown:
            meshed = shown.replica(1, shown.digest)
            meshed["status"]["containerStatuses"].append({"name": "istio-proxy", "image": "proxy", "imageID": OTHER})
            code, _ = shown.run(meshed, shown.replica(2, shown.digest))

        assert code == 0

    def test_what_nobody_pinned_is_not_compared(self, tmp_path: Path) -> None:
        """Nothing is expected of an image that was let through as written."""
        source = {"p.yaml": pod("acme/web:v1", "acme/api:v1")}
        rules = policy(images='["REGISTRY/acme/web"]')
        config = PROOF + "unmatched: allow\n"
        with proved(tmp_path, images=[WEB, API], source=source, rules=rules, config=config) as shown:
            code, said = shown.run(running("web", None, {"c0": shown.digest, "c1": OTHER}))

        assert code == 0, said


class TestWaiting:
    def test_it_waits_until_the_rollout_is_over(self, tmp_path: Path) -> None:
        """Old Pods may run while they are replaced; the comparison comes after, and asks no more often than needed."""
        with proved(tmp_path) as shown:
            old = running("web-0-1", None, {"web": OTHER})
            early = rolled("ReplicaSet", "web-0", 0, owner=shown.deployment)
            old["metadata"]["ownerReferences"] = owners(early)
            shown.deployment["status"] |= {"replicas": 3, "updatedReplicas": 1, "availableReplicas": 2}

            def over() -> None:
                shown.deployment["status"] |= {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
                old["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

            shown.api.turns = [lambda: None, lambda: None, over, lambda: None]
            shown.api.add(
                "target", shown.deployment, shown.set, early, old, *(shown.replica(n, shown.digest) for n in (1, 2))
            )
            pauses: list[float] = []
            report = proving.answer(shown.packed, shown.api.environment, shown.api.account, pauses.append)

        assert text.render(report).startswith("image policy: 1 image runs as verified")
        assert len(pauses) == 3

    @pytest.mark.parametrize(
        ("status", "why"),
        [
            ({"observedGeneration": 0}, "its controller has not seen it yet"),
            ({"updatedReplicas": 1}, "1 of 2 Pods are updated and available"),
            ({"availableReplicas": 0}, "0 of 2 Pods are updated and available"),
            ({"replicas": 3}, "Pods of the revision before still run"),
        ],
    )
    def test_a_rollout_that_is_not_over_in_time_is_an_error(
        self, tmp_path: Path, status: dict[str, int], why: str
    ) -> None:
        """Exit 3: nothing is known to be wrong, and nothing is proved."""
        with proved(tmp_path, config=PROOF.replace("proof: true", "proof: true, rollout: 1s")) as shown:
            shown.deployment["status"] |= status
            code, said = shown.run(shown.replica(1, shown.digest))

        assert code == 3
        assert f"[rollout] Deployment/web does not run what was applied within 1 s: {why}" in said

    def test_a_workload_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        """It cannot be proved to run."""
        with proved(tmp_path, config=PROOF.replace("proof: true", "proof: true, rollout: 1s")) as shown:
            shown.deployment["metadata"]["name"] = "other"
            code, said = shown.run()

        assert (code, "it is not there" in said) == (3, True)

    def test_pods_of_others_are_not_compared(self, tmp_path: Path) -> None:
        """A ReplicaSet of the same name and another uid has other children; Pods that end do not count."""
        with proved(tmp_path) as shown:
            stranger = shown.replica(3, OTHER)
            stranger["metadata"]["ownerReferences"][0]["uid"] = "another"
            ending = shown.replica(4, OTHER, deletionTimestamp="2026-01-01T00:00:00Z")
            code, said = shown.run(shown.replica(1, shown.digest), stranger, ending)

        assert code == 0, said

    def test_a_partition_is_told(self, tmp_path: Path) -> None:
        """Pods that a StatefulSet leaves at the revision before are no fault, and no secret."""
        source = {"s.yaml": DEPLOYMENT.replace("Deployment", "StatefulSet")}
        with proved(tmp_path, source=source) as shown:
            shown.deployment = rolled("StatefulSet", "web", 2, updateRevision="new")
            shown.deployment["spec"]["updateStrategy"] = {"rollingUpdate": {"partition": 1}}
            pods = [
                running(f"web-{n}", shown.deployment, {"web": ran}, labels={"controller-revision-hash": revision})
                for n, (ran, revision) in enumerate([(OTHER, "old"), (shown.digest, "new")])
            ]
            code, said = shown.run(*pods)

        assert code == 0, said
        assert "StatefulSet/web: 1 Pods are left at the revision before" in said


class TestCluster:
    def test_it_reads_in_pages(self, tmp_path: Path) -> None:
        """All of them."""
        with proved(tmp_path) as shown:
            shown.api.page = 1
            code, _ = shown.run(shown.replica(1, shown.digest), shown.replica(2, OTHER))

        assert code == 4

    def test_it_only_reads_lists(self, tmp_path: Path) -> None:
        """Of Pods and of what owns them, in the namespaces of the workloads."""
        with proved(tmp_path) as shown:
            shown.run(shown.replica(1, shown.digest))
            asked = set(shown.api.asked)

        role = yaml.safe_load((Path(__file__).parents[2] / "argocd" / "proof" / "role.yaml").read_text())
        permitted = {resource for rule in role["rules"] for resource in rule["resources"]}
        assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"list"}
        assert {path.rpartition("/")[2] for path in asked} == permitted

    @pytest.mark.parametrize("plural", ["pods", "deployments"])
    def test_what_it_may_not_read_is_an_error_with_the_remedy(self, tmp_path: Path, plural: str) -> None:
        """Exit 3, and the folder to apply."""
        with proved(tmp_path) as shown:
            shown.api.forbidden = {plural}
            code, said = shown.run(shown.replica(1, shown.digest))

        assert code == 3
        assert "[cluster]" in said
        assert "argocd/proof/" in said

    def test_another_server_is_not_believed(self, tmp_path: Path) -> None:
        """The certificate must be of the cluster's own authority."""
        with proved(tmp_path) as shown, KubernetesApi(tmp_path / "other") as other:
            (shown.api.account / "ca.crt").write_bytes((other.account / "ca.crt").read_bytes())
            code, said = shown.run(shown.replica(1, shown.digest))

        assert (code, "[cluster]" in said, "TLS" in said) == (3, True, True)

    def test_without_a_token_it_says_so(self, tmp_path: Path) -> None:
        """Exit 3."""
        with proved(tmp_path) as shown:
            (shown.api.account / "token").unlink()
            code, said = shown.run()

        assert (code, "no service account token" in said) == (3, True)


def _expecting(packed: str, digest: str) -> str:
    """The same proof for an image of another digest."""
    from dataclasses import replace

    from argocd_provenance.argocd.workloads import pack

    proof = unpack(packed)
    (workload,) = proof.workloads
    (expected,) = workload.expected
    return pack(replace(proof, workloads=(replace(workload, expected=(replace(expected, digest=Digest(digest)),)),)))
