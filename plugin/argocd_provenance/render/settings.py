"""What a renderer is told beside the folder: values, with Argo CD's own names."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from argocd_provenance.records import dataclass, field
from argocd_provenance.render.remotes import NoRemotes, Remotes

Kind = Literal["directory", "helm", "kustomize"]


@dataclass(frozen=True, slots=True)
class JsonnetOptions:
    """``spec.source.directory.jsonnet``: variables as texts and as code, arguments likewise, and folders of libraries."""

    ext_vars: Mapping[str, str] = field(default_factory=dict)
    ext_code: Mapping[str, str] = field(default_factory=dict)
    tlas: Mapping[str, str] = field(default_factory=dict)
    tla_code: Mapping[str, str] = field(default_factory=dict)
    libs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DirectoryOptions:
    """``spec.source.directory``: whether sub-folders count, and globs on the path below the Application's folder."""

    recurse: bool = False
    include: str = ""
    exclude: str = ""
    jsonnet: JsonnetOptions = JsonnetOptions()


@dataclass(frozen=True, slots=True)
class HelmOptions:
    """``spec.source.helm``; `string_parameters` are those with ``forceString``, `values` is one text of YAML."""

    release_name: str = ""
    namespace: str = ""
    value_files: tuple[str, ...] = ()
    ignore_missing_value_files: bool = False
    values: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    string_parameters: Mapping[str, str] = field(default_factory=dict)
    file_parameters: Mapping[str, str] = field(default_factory=dict)
    skip_crds: bool = False
    skip_schema_validation: bool = False
    skip_tests: bool = False
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KustomizeOptions:
    """``spec.source.kustomize``: what is written into the kustomization before it is built.

    `replicas` are counts by the name of the object; each of `patches` has the fields of a kustomization's patch.
    """

    name_prefix: str = ""
    name_suffix: str = ""
    images: tuple[str, ...] = ()
    replicas: Mapping[str, int] = field(default_factory=dict)
    common_labels: Mapping[str, str] = field(default_factory=dict)
    force_common_labels: bool = False
    label_without_selector: bool = False
    label_include_templates: bool = False
    common_annotations: Mapping[str, str] = field(default_factory=dict)
    force_common_annotations: bool = False
    common_annotations_envsubst: bool = False
    namespace: str = ""
    patches: tuple[Mapping[str, object], ...] = ()
    components: tuple[str, ...] = ()
    ignore_missing_components: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """For whom is rendered, how, and by which programs.

    `name` is the Application's (``<namespace>_<name>`` for one outside of Argo CD's namespace), `namespace` where it
    goes. `kind` is the type that the Application names; without one, the folder decides. `root` is the source's root,
    out of which nothing is read; without it, the rendered folder is the root. `variables` are those of Argo CD's
    variables (``ARGOCD_APP_…``) that renderers may see, `given` those of the Application (``ARGOCD_ENV_…``): both may
    stand in parameters, and renderers never see the second. `search_path` is a ``PATH``; only its absolute entries
    count, so that no folder of the source can bring a program. `remotes` brings what may be fetched.
    """

    name: str = ""
    namespace: str = ""
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()
    kind: Kind | None = None
    root: Path | None = None
    directory: DirectoryOptions = DirectoryOptions()
    helm: HelmOptions = HelmOptions()
    kustomize: KustomizeOptions = KustomizeOptions()
    variables: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)
    search_path: str = os.defpath
    remotes: Remotes = field(default_factory=NoRemotes)
