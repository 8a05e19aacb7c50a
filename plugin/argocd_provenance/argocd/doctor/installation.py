"""The repo-server's Deployment and the time limits around it, as the Kubernetes API returns them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from argocd_provenance.argocd.doctor.applications import PLUGIN, judge_applications
from argocd_provenance.argocd.doctor.complaint import Complaint, other_plugin
from argocd_provenance.records import dataclass, field

_SERVER = "argocd-cmp-server"
_USER = 999
_USUAL_LIMIT = 60.0  # seconds: `--repo-server-timeout-seconds` of controller and API server
_MARGIN = 10.0  # seconds for Git, archive and queue, which the caller's limit includes
_LIMITS = {
    "controller.repo.server.timeout.seconds": "the application controller",
    "server.repo.server.timeout.seconds": "the API server",
}


@dataclass(frozen=True, slots=True)
class Installation:
    """What was read of a cluster. `deadline` is ours in seconds, None where our config could not be read."""

    namespace: str
    deployments: Sequence[Mapping[str, Any]] = ()
    config_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    applications: Sequence[Mapping[str, Any]] = ()
    required: bool = False
    deadline: float | None = None
    config_faults: Sequence[str] = ()


def judge_installation(read: Installation) -> Iterator[Complaint]:
    """Everything that is wrong with the installation in `read`."""
    servers = [pod for name, pod in _pods(read) if _is_repo_server(name, pod)]
    if not servers:
        yield Complaint(
            "argocd-missing",
            f"namespace {read.namespace}",
            "there is no repo-server of Argo CD in this namespace",
            "name Argo CD's namespace with --namespace",
        )
    for pod in servers:
        yield from _judge_pod(pod)
    for fault in read.config_faults:
        yield Complaint(
            "config-unusable", "ConfigMap argocd-provenance-config", fault, "until then every render is refused"
        )
    if servers:
        yield from _judge_limits(read)
    yield from judge_applications(read.applications)
    if not read.required:
        yield Complaint(
            "plugin-not-required",
            "cluster",
            "no admission policy of ours is bound: whoever edits an Application can drop the plugin",
            "apply argocd/samples/admission-policy.yaml",
        )


def _pods(read: Installation) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for deployment in read.deployments:
        yield deployment["metadata"]["name"], deployment["spec"]["template"]["spec"]


def _is_repo_server(name: str, pod: Mapping[str, Any]) -> bool:
    commands = [word for c in pod["containers"] for word in (*c.get("command", ()), *c.get("args", ()))]
    return name.endswith("repo-server") or any(word.endswith("argocd-repo-server") for word in commands)


def _judge_pod(pod: Mapping[str, Any]) -> Iterator[Complaint]:
    where = "Deployment argocd-repo-server"
    plugins = [
        c for c in pod["containers"] if any(w.endswith(_SERVER) for w in (*c.get("command", ()), *c.get("args", ())))
    ]
    ours = [c for c in plugins if c["name"] == PLUGIN or "argocd-provenance" in c.get("image", "")]
    if not ours:
        yield Complaint(
            "sidecar-missing",
            where,
            "has no sidecar of ours",
            "kubectl apply --server-side --field-manager=argocd-provenance -k argocd/ (docs/install.md)",
        )
    for container in ours:
        yield from _judge_sidecar(container, pod, f"{where}, container {container['name']}")
    for other in plugins:
        if other not in ours:
            yield other_plugin(f"{where}, container {other['name']}")


def _judge_sidecar(container: Mapping[str, Any], pod: Mapping[str, Any], where: str) -> Iterator[Complaint]:
    if "@sha256:" not in container.get("image", ""):
        yield Complaint(
            "sidecar-image-by-tag",
            where,
            f"runs {container.get('image')}: a tag can move",
            "name the image by its digest",
        )
    user = (container.get("securityContext") or {}).get(
        "runAsUser", (pod.get("securityContext") or {}).get("runAsUser")
    )
    if user != _USER:
        yield Complaint(
            "sidecar-user",
            where,
            f"runs as user {user or 'of its image'}",
            f"set runAsUser: {_USER}, who owns the sockets",
        )
    mounts = {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", ())}
    others = {
        m["name"]
        for c in pod["containers"]
        if c is not container
        for m in c.get("volumeMounts", ())
        if m["mountPath"] == "/tmp"  # noqa: S108
    }
    if mounts.get("/tmp") in others:  # noqa: S108 - the path in the containers
        yield Complaint(
            "sidecar-shares-tmp",
            where,
            "shares its /tmp with another container: a path traversal in one reaches the other's files",
            "mount an emptyDir of its own at /tmp",
        )
    if not any(path.startswith("/etc/argocd-provenance") for path in mounts):
        yield Complaint(
            "sidecar-config",
            where,
            "mounts no config: every render is refused",
            "mount config and policies (docs/install.md)",
        )


def _judge_limits(read: Installation) -> Iterator[Complaint]:
    given = read.config_maps.get("argocd-cmd-params-cm", {})
    limits = {name: _seconds(given.get(name)) for name in _LIMITS}
    for name, limit in limits.items():
        if read.deadline is not None and read.deadline + _MARGIN > limit:
            yield Complaint(
                "deadline-too-long",
                f"ConfigMap argocd-cmd-params-cm, {name}",
                f"{_LIMITS[name]} waits {limit:g} s, Git and queue included; our deadline is {read.deadline:g} s, "
                "so it would be killed before it could say why",
                f"raise it to at least {read.deadline + _MARGIN:g}, or lower `deadline` in our config",
            )
    if len(set(limits.values())) > 1:
        yield Complaint(
            "time-limits-differ",
            "ConfigMap argocd-cmd-params-cm",
            ", ".join(f"{_LIMITS[name]} waits {limit:g} s" for name, limit in limits.items()),
            f"set {' and '.join(_LIMITS)} alike",
        )


def _seconds(text: str | None) -> float:
    try:
        return float(text) if text else _USUAL_LIMIT
    except ValueError:
        return _USUAL_LIMIT
