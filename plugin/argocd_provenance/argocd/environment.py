"""The Application as Argo CD describes it in the environment of a plugin.

Variables: ``docs/operator-manual/config-management-plugins.md``; none is there when a person runs the command, and
then the values are empty.
"""

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from argocd_provenance.argocd.parameters import Parameters, parse_parameters
from argocd_provenance.records import dataclass
from argocd_provenance.render import Settings

# What a renderer may see of Argo CD's variables: Argo CD hands the same to kustomize.
_FOR_RENDERERS = (
    "ARGOCD_APP_NAME",
    "ARGOCD_APP_NAMESPACE",
    "ARGOCD_APP_PROJECT_NAME",
    "ARGOCD_APP_REVISION",
    "ARGOCD_APP_REVISION_SHORT",
    "ARGOCD_APP_REVISION_SHORT_8",
    "ARGOCD_APP_SOURCE_REPO_URL",
    "ARGOCD_APP_SOURCE_PATH",
    "ARGOCD_APP_SOURCE_TARGET_REVISION",
)
_GIVEN = "ARGOCD_ENV_"

_OF_SOURCE = (
    "ARGOCD_APP_SOURCE_REPO_URL",
    "ARGOCD_APP_SOURCE_PATH",
    "ARGOCD_APP_SOURCE_TARGET_REVISION",
    "ARGOCD_APP_PARAMETERS",
)


@dataclass(frozen=True, slots=True)
class Application:
    """Whose manifests are rendered. `namespace` is the destination's; `path` is that of the source in its repository.

    `given` is the Application's ``plugin.env`` (``ARGOCD_ENV_…``); `source` is what tells one source of an Application
    that has several from the others.
    """

    name: str
    namespace: str
    project: str
    repository: str
    revision: str
    path: str
    parameters: Parameters
    kube_version: str
    api_versions: tuple[str, ...]
    variables: Mapping[str, str]
    given: Mapping[str, str]
    source: tuple[str, ...] = ()

    def settings(self, source: Path, search_path: str) -> Settings:
        """How `source` is rendered for this Application, by the programs on `search_path`."""
        return Settings(
            name=self.name,
            namespace=self.namespace,
            kube_version=self.kube_version,
            api_versions=self.api_versions,
            root=source_root(source, self.path),
            kind=self.parameters.kind,
            directory=self.parameters.directory,
            helm=self.parameters.helm,
            kustomize=self.parameters.kustomize,
            variables=self.variables,
            given=self.given,
            search_path=search_path,
        )


def read_application(environment: Mapping[str, str]) -> Application:
    """The Application of `environment`; raises `UsageError` if its plugin parameters are not understood."""
    versions = environment.get("KUBE_API_VERSIONS", "").split(",")
    given = {name: value for name, value in environment.items() if name.startswith(_GIVEN)}
    return Application(
        name=environment.get("ARGOCD_APP_NAME", ""),
        namespace=environment.get("ARGOCD_APP_NAMESPACE", ""),
        project=environment.get("ARGOCD_APP_PROJECT_NAME", ""),
        repository=environment.get("ARGOCD_APP_SOURCE_REPO_URL", ""),
        revision=environment.get("ARGOCD_APP_REVISION", ""),
        path=environment.get("ARGOCD_APP_SOURCE_PATH", ""),
        parameters=parse_parameters(environment.get("ARGOCD_APP_PARAMETERS", "")),
        kube_version=environment.get("KUBE_VERSION", ""),
        api_versions=tuple(version for version in versions if version),
        variables={name: environment[name] for name in _FOR_RENDERERS if name in environment},
        given=given,
        source=(
            *(environment.get(name, "") for name in _OF_SOURCE),
            *(f"{name}={value}" for name, value in sorted(given.items())),
        ),
    )


def source_root(source: Path, path: str) -> Path:
    """The root of what Argo CD unpacked, given that `source` lies in it under `path`.

    Argo CD starts us in the Application's folder and names its place in the repository. Without such a name, the
    nearest folder above with a ``.git`` is the root; without that the working folder, if it holds `source`; or else
    `source` itself.
    """
    source = Path(os.path.realpath(source))
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", ".")]
    if path and ".." not in parts:
        if not parts:
            return source
        if source.parts[-len(parts) :] == tuple(parts):
            return Path(*source.parts[: -len(parts)])
    checkout = next((folder for folder in (source, *source.parents) if (folder / ".git").exists()), None)
    here = Path(os.path.realpath(os.curdir))
    return checkout or (here if source.is_relative_to(here) else source)
