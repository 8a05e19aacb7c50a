"""Charts, by ``helm template`` as Argo CD calls it (``util/helm/cmd.go``, template; hooks are kept, CRDs included).

The law: helm reads the chart folder and what we pass, and fetches nothing; dependencies stand in ``charts/``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.render.process import Program, run
from argocd_provenance.render.settings import Settings

PROGRAM = Program("helm", "4.2.4")
_MISSING = "missing in charts/"
_HOMES = (
    "CACHE_HOME",
    "CONFIG_HOME",
    "DATA_HOME",
    "PLUGINS",
    "REGISTRY_CONFIG",
    "REPOSITORY_CACHE",
    "REPOSITORY_CONFIG",
)


def render(source: Path, root: Path, settings: Settings, deadline: Deadline) -> Sequence[tuple[str, str]]:
    """What ``helm template`` prints for the chart in `source`; raises `RenderError`."""
    command = [PROGRAM.find(settings.search_path), *arguments(settings)]
    try:
        text = run(command, source, environment, (source, root), deadline)
    except RenderError as error:
        if _MISSING in str(error):
            raise RenderError(
                f"chart dependencies are not fetched in this version: run `helm dependency build` and commit charts/. {error}"
            ) from error
        raise
    return [("helm template", text)]


def arguments(settings: Settings) -> list[str]:
    """The arguments for helm, in Argo CD's order."""
    # Outside of Argo CD's own namespace an Application is called <namespace>_<name>, which is no release name.
    name = settings.name.rpartition("_")[2]
    if not name:
        raise RenderError("a chart needs a release name: ARGOCD_APP_NAME is not set")
    given = ["template", ".", "--name-template", name]
    if settings.namespace:
        given += ["--namespace", settings.namespace]
    if settings.kube_version:
        given += ["--kube-version", settings.kube_version]
    for version in settings.api_versions:
        given += ["--api-versions", version]
    return [*given, "--include-crds"]


def environment(home: Path) -> Mapping[str, str]:
    """Every place where helm looks for plugins, repositories and credentials: empty, and gone afterwards."""
    return {
        "KUBECONFIG": str(home / "kubeconfig"),
        **{f"HELM_{name}": str(home / "helm" / name.lower()) for name in _HOMES},
    }
