"""The Pods that ask again: one before a sync, one behind it.

Their shape was found by trying every other on Argo CD's controller. A bare Pod, because a Job shows its exit code at most, and
a Pod its termination message. `generateName`, and both delete policies but never ``BeforeHookCreation``: each sync and each
retry runs a fresh Pod, and none stays behind; with a fixed name a sync could succeed without running any. The Application
stands in the prefix: two of one commit in one namespace would else share a Pod, and its verdict. ``Force=true,Replace=true``
replaces a Pod that is there already instead of adopting what it said.

Kubernetes' Pod Security Standard ``restricted`` accepts them.
"""

import hashlib
import math
from typing import Any, Literal

from argocd_provenance.argocd.environment import Application
from argocd_provenance.argocd.synchooks import CHECK, PROOF, WAVE
from argocd_provenance.config import Hook

# As in argocd/plugin.yaml.
COMMAND = ("/opt/argocd-provenance/bin/python", "-I", "-m", "argocd_provenance", "hook")
REGISTRY_FOLDER = "/etc/argocd-provenance/registry"
PROOF_ACCOUNT = "argocd-provenance-proof"
"""The service account of the proof, which reads Pods and what owns them: ``argocd/proof/``."""

# A limit of Kubernetes's own replaces our message by its, so ours ends well before; the image has to be pulled in it, too.
_PULL = 300.0


def check_pod(application: Application, hook: Hook, payload: str, deadline: float) -> dict[str, Any]:
    """The Pod that verifies again before a sync; `deadline` is how many seconds the check takes at most."""
    return _pod(application, hook, CHECK, "PreSync", [*COMMAND], ["--payload", payload], deadline)


def proof_pod(application: Application, hook: Hook, payload: str, deadline: float) -> dict[str, Any]:
    """The Pod that compares what runs with what was verified, behind a sync."""
    pod = _pod(application, hook, PROOF, "PostSync", [*COMMAND], ["--proof", "--payload", payload], deadline)
    return {**pod, "spec": {**pod["spec"], "serviceAccountName": PROOF_ACCOUNT, "automountServiceAccountToken": True}}


def prefix(kind: str, application: Application) -> str:
    """How the names of the Application's Pods begin.

    The source is part of it: where an Application has several, each brings a Pod of its own, and two of one name would
    stop every sync.
    """
    identity = "\0".join((application.project, application.name, application.namespace, *application.source))
    return f"{kind}{hashlib.sha256(identity.encode()).hexdigest()[:8]}-"


def _pod(
    application: Application,
    hook: Hook,
    kind: str,
    phase: Literal["PreSync", "PostSync"],
    command: list[str],
    arguments: list[str],
    deadline: float,
) -> dict[str, Any]:
    annotations = {
        "argocd.argoproj.io/hook": phase,
        "argocd.argoproj.io/hook-delete-policy": "HookSucceeded,HookFailed",
        "argocd.argoproj.io/sync-options": "Force=true,Replace=true",
        "argocd.argoproj.io/sync-wave": str(WAVE),
    }
    environment = {"HOME": "/tmp", "TMPDIR": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"}  # noqa: S108  the Pod's own volume
    mounts: list[dict[str, Any]] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108  as above
    volumes: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}]
    if hook.pull_secret is not None:
        environment["DOCKER_CONFIG"] = REGISTRY_FOLDER
        mounts.append({"name": "registry", "mountPath": REGISTRY_FOLDER, "readOnly": True})
        volumes.append({"name": "registry", "secret": _secret(hook.pull_secret)})
    container = {
        "name": "verify",
        "image": hook.image,
        "command": command,
        "args": arguments,
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "16Mi"},
            "limits": {"cpu": "1", "memory": "512Mi", "ephemeral-storage": "128Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
        # Where we could not even write our message, the end of the log is better than an exit code.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": math.ceil(deadline + _PULL),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # The image names its user; a number here would keep it from clusters that give each namespace users of its own.
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": volumes,
    }
    if hook.pull_secret is not None:
        spec["imagePullSecrets"] = [{"name": hook.pull_secret}]
    metadata = {"generateName": prefix(kind, application), "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _secret(name: str) -> dict[str, Any]:
    """The Secret as a volume. Optional: a Pod that cannot start says nothing, a registry that refuses is a finding."""
    return {"secretName": name, "optional": True, "items": [{"key": ".dockerconfigjson", "path": "config.json"}]}
