"""The admission policy of argocd/samples on the real API: which Applications and operations it lets in."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from support.argocd import Cluster
from support.argocd.asking import PLUGIN, ROOT
from support.argocd.cluster import API, NAMESPACE
from support.kubernetes import Object, Refusal

pytestmark = pytest.mark.cluster

OURS = {"plugin": {"name": PLUGIN}}
REQUIRED = "requires argocd-provenance"


@pytest.fixture(scope="module")
def guarded(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster whose project `guarded` requires the plugin; the Application `older` is from before that."""
    cluster.apply(application("older", source()))
    policy = list(yaml.safe_load_all((ROOT / "argocd" / "samples" / "admission-policy.yaml").read_text()))
    policy[0]["data"]["projects"] = "payments, guarded"
    for one in policy:
        cluster.apply(one)
    cluster.wait_for("the policy to be in force", lambda: refusal(cluster, application("probe", source())))
    yield cluster
    for one in reversed(policy):
        cluster.delete(one["apiVersion"], one["kind"], one["metadata"]["name"], one["metadata"].get("namespace", ""))
    cluster.wait_for("the policy's end", lambda: not refusal(cluster, application("probe", source())))


def source(**more: Any) -> Object:
    """A source of an Application; `more` are its further fields."""
    return {"repoURL": "https://git.example.com/acme/deploy", "path": "shop", "targetRevision": "main", **more}


def application(name: str, *sources: Object, project: str = "guarded", **spec: Any) -> Object:
    """An Application with one source, or several."""
    given = {"source": sources[0]} if len(sources) == 1 else {"sources": list(sources)} if sources else {}
    to = {"server": "https://kubernetes.default.svc", "namespace": "guarded"}
    return {
        "apiVersion": API,
        "kind": "Application",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"project": project, "destination": to, **given, **spec},
    }


def refusal(cluster: Cluster, one: Object) -> str:
    """Why the API does not take `one`; empty where it takes it (and nothing is changed by asking)."""
    path = f"/apis/{API}/namespaces/{NAMESPACE}/applications/{one['metadata']['name']}"
    query = "fieldManager=tests&force=true&dryRun=All"
    try:
        cluster.request("PATCH", f"{path}?{query}", one, "application/apply-patch+yaml")
    except Refusal as refused:
        return refused.said
    return ""


HYDRATED = {"syncSource": {"targetBranch": "env", "path": "shop"}}
DRY = {"repoURL": "https://git.example.com/acme/deploy", "path": "shop", "targetRevision": "main"}


@pytest.mark.parametrize(
    "one",
    [
        application("one", source(**OURS)),
        application("several", source(**OURS), source(**OURS)),
        application("hydrated", sourceHydrator={"drySource": {**DRY, **OURS}, **HYDRATED}),
        application("elsewhere", source(), project="default"),
    ],
    ids=lambda one: one["metadata"]["name"],
)
def test_it_lets_in(guarded: Cluster, one: Object) -> None:
    """Applications whose every source names the plugin, and those of projects that are not listed."""
    assert refusal(guarded, one) == ""


@pytest.mark.parametrize(
    "one",
    [
        application("none", source()),
        application("another", source(plugin={"name": "another"})),
        application("version", source(plugin={"name": f"{PLUGIN}-v1"})),
        application("unnamed", source(plugin={})),
        application("second", source(**OURS), source()),
        application("dry", sourceHydrator={"drySource": DRY, **HYDRATED}),
        application("nothing"),
    ],
    ids=lambda one: one["metadata"]["name"],
)
def test_it_refuses(guarded: Cluster, one: Object) -> None:
    """Applications of a listed project that Argo CD could render without the plugin."""
    assert REQUIRED in refusal(guarded, one)


@pytest.mark.parametrize(
    ("sync", "allowed"),
    [
        ({}, True),
        ({"source": source(**OURS)}, True),
        ({"source": source()}, False),
        ({"sources": [source(**OURS), source()]}, False),
        ({"manifests": ['{"apiVersion": "v1"}']}, False),
    ],
    ids=["as it is", "rollback with it", "rollback without it", "one without it", "local manifests"],
)
def test_an_operation_cannot_bring_a_source_of_its_own(guarded: Cluster, sync: Object, *, allowed: bool) -> None:
    """A rollback or a local sync replaces the source, and would go past the plugin."""
    one = application("asked", source(**OURS)) | {"operation": {"sync": sync}}

    said = refusal(guarded, one)

    assert (said == "") == allowed
    assert allowed or REQUIRED in said


def test_an_application_from_before_keeps_its_status_and_can_be_deleted(guarded: Cluster) -> None:
    """What does not touch the spec goes on: Argo CD writes its status, people annotate, and it can go."""
    guarded.refresh("older")

    assert "sync" in guarded.status("older")
    with pytest.raises(Refusal, match=REQUIRED):
        guarded.merge(API, "Application", "older", NAMESPACE, {"spec": {"source": {"path": "other"}}})
    guarded.delete(API, "Application", "older", NAMESPACE)
    guarded.wait_for("older to be gone", lambda: not guarded.app("older"))
