"""What a cluster says, asked by kubectl: it knows the reader's kubeconfig and every way to log in."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from argocd_provenance.argocd.doctor.installation import Installation
from argocd_provenance.config import load_config
from argocd_provenance.errors import Error, FileFaults

_POLICY = "argocd-provenance-required"
_SECONDS = 60


class ClusterError(Error):
    """The cluster could not be asked."""

    code = "cluster-unavailable"


def read_installation(options: Sequence[str], namespace: str) -> Installation:
    """The installation of Argo CD in `namespace`; `options` are kubectl's (``--kubeconfig FILE``, ``--context NAME``).

    Raises `ClusterError` with kubectl's own words.
    """

    def items(*words: str) -> list[Any]:
        return list(_ask([*options, "get", *words]).get("items", []))

    maps = {one["metadata"]["name"]: one.get("data") or {} for one in items("configmaps", "--namespace", namespace)}
    deadline, faults = _config(maps)
    return Installation(
        namespace=namespace,
        deployments=[*items("deployments", "--namespace", namespace), *items("statefulsets", "--namespace", namespace)],
        config_maps=maps,
        applications=items("applications.argoproj.io", "--all-namespaces"),
        required=_required(items),
        deadline=deadline,
        config_faults=faults,
    )


def _required(items: Callable[..., list[Any]]) -> bool:
    bindings = items("validatingadmissionpolicybindings.admissionregistration.k8s.io")
    return any(binding["spec"].get("policyName") == _POLICY for binding in bindings)


def _config(maps: Mapping[str, Mapping[str, str]]) -> tuple[float | None, tuple[str, ...]]:
    """Our own time limit by the config in the cluster, in seconds, and the faults of that config."""
    text = maps.get("argocd-provenance-config", {}).get("config.yaml")
    if text is None:
        return None, ()
    try:
        return load_config("config.yaml", text).deadline, ()
    except FileFaults as error:
        return None, error.faults


def _ask(words: Sequence[str]) -> Any:
    program = shutil.which("kubectl")
    if program is None:
        raise ClusterError("kubectl is not installed; it is what asks the cluster")
    command = [program, *words, "--output", "json", "--request-timeout", "20s"]
    try:
        done = subprocess.run(  # noqa: S603 - an argument list, by the reader's own kubectl
            command, capture_output=True, text=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"kubectl did not answer within {_SECONDS} s") from error
    if done.returncode:
        said = "".join(c if c.isprintable() or c == " " else " " for c in done.stderr.strip())
        raise ClusterError(f"kubectl {' '.join(words)}: {said[:500]}")
    return json.loads(done.stdout)
