"""Charts, by ``helm template`` as Argo CD calls it (``util/helm/cmd.go``, template; hooks are kept, CRDs included).

The law: helm reads the chart folder and what we pass, and fetches nothing; dependencies stand in ``charts/``.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.render.process import Program, run
from argocd_provenance.render.settings import Settings

PROGRAM = Program("helm", "4.2.4")
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
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


NAMELESS = "release-name"


def render(source: Path, root: Path, settings: Settings, deadline: Deadline) -> Sequence[tuple[str, str]]:
    """What ``helm template`` prints for the chart in `source`; raises `RenderError`."""
    check_schemas(source)
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


def check_schemas(source: Path) -> None:
    """Raise `RenderError` for a ``values.schema.json`` that refers to anything but itself: helm would fetch or open it."""
    for path in sorted(source.rglob("values.schema.json")):
        name = path.relative_to(source)
        try:
            waiting: list[Any] = [json.loads(path.read_bytes())]
        except (ValueError, RecursionError, OSError) as error:
            raise RenderError(f"{str(name)!r}: cannot be read as JSON") from error
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                for key in _REFERENCES & value.keys():
                    if isinstance(value[key], str) and not value[key].startswith("#"):
                        raise RenderError(
                            f"{str(name)!r}: {key} {value[key][:200]!r}: nothing is fetched; copy it into the schema"
                        )
                waiting += value.values()
            elif isinstance(value, list):
                waiting += value


def arguments(settings: Settings) -> list[str]:
    """The arguments for helm, in Argo CD's order."""
    # Outside of Argo CD's own namespace an Application is called <namespace>_<name>, which is no release name.
    # A person who runs us by hand names no Application; then it is what helm itself calls a release without a name.
    name = settings.name.rpartition("_")[2] or NAMELESS
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
