"""A source folder becomes YAML text, as Argo CD would render it.

The law: nothing that the source says makes us run its code, read outside its root, or speak to a network. What the
folder holds picks the renderer, as in Argo CD (``util/app/discovery``: the last match of a lexical walk decides).
"""

import os
from collections.abc import Sequence
from pathlib import Path

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.render import directory, helm, kustomize
from argocd_provenance.render.settings import DirectoryOptions, HelmOptions, JsonnetOptions, KustomizeOptions, Settings
from argocd_provenance.render.symlinks import check_symlinks

__all__ = [
    "DirectoryOptions",
    "HelmOptions",
    "JsonnetOptions",
    "KustomizeOptions",
    "Settings",
    "kind_of",
    "render",
]

_RENDERERS = {"directory": directory.render, "kustomize": kustomize.render, "helm": helm.render}


def render(source: Path, settings: Settings, deadline: Deadline) -> Sequence[tuple[str, str]]:
    """The texts that `source` renders to, each with the name of the file, or of the program, that it comes from.

    May be empty: whether that is an error is the caller's to say. Raises `RenderError`, or `DeadlineExceeded`.
    """
    source = Path(os.path.realpath(source))
    if not source.is_dir():
        raise RenderError(f"{source.name}: no such folder")
    root = Path(os.path.realpath(settings.root or source))
    if not source.is_relative_to(root):
        raise RenderError(f"{source.name}: lies outside of its source's root")
    deadline.check("rendering began")
    kind = settings.kind or kind_of(source)
    check_symlinks(source if kind == "directory" else root, root, deadline)
    return _RENDERERS[kind](source, root, settings, deadline)


def kind_of(source: Path) -> str:
    """``helm``, ``kustomize`` or ``directory``: what Argo CD takes `source` for when the Application names no type."""
    kind = "directory"
    for name in sorted((path.name for path in source.iterdir()), key=os.fsencode):
        if name.endswith("Chart.yaml"):
            kind = "helm"
        elif name in kustomize.NAMES:
            kind = "kustomize"
    return kind
