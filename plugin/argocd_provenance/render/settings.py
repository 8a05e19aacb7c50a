"""What a renderer is told beside the folder: values, with Argo CD's own names."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DirectoryOptions:
    """``spec.source.directory``: whether sub-folders count, and globs on the path below the Application's folder."""

    recurse: bool = False
    include: str = ""
    exclude: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """For whom is rendered, how, and by which programs.

    `name` is the Application's (``<namespace>_<name>`` for one outside of Argo CD's namespace), `namespace` where it
    goes. `root` is the source's root, out of which nothing is read; without it, the rendered folder is the root.
    `variables` are those of Argo CD's variables (``ARGOCD_APP_…``) that renderers may see. `search_path` is a ``PATH``;
    only its absolute entries count, so that no folder of the source can bring a program.
    """

    name: str = ""
    namespace: str = ""
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()
    root: Path | None = None
    directory: DirectoryOptions = DirectoryOptions()
    variables: Mapping[str, str] = field(default_factory=dict)
    search_path: str = os.defpath
