"""A source folder becomes YAML text, as Argo CD would render it.

The law: nothing that the source says makes us run its code, read outside its root, or speak to a network. What the
folder holds picks the renderer, as in Argo CD (``util/app/discovery``: the last match of a lexical walk decides).
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.render.kustomization import NAMES
from argocd_provenance.render.settings import (
    DirectoryOptions,
    HelmOptions,
    JsonnetOptions,
    Kind,
    KustomizeOptions,
    Settings,
)
from argocd_provenance.render.symlinks import check_symlinks

__all__ = [
    "DirectoryOptions",
    "HelmOptions",
    "JsonnetOptions",
    "KustomizeOptions",
    "Rendered",
    "Settings",
    "chart_references",
    "kind_of",
    "render",
    "renderer",
    "started",
]


Rendered = Callable[[], Sequence[tuple[str, str]]]
"""The texts that a source renders to, each with the name of the file, or of the program, that it comes from."""


@contextlib.contextmanager
def started(source: Path, settings: Settings, deadline: Deadline) -> Iterator[Rendered]:
    """Begin to render `source`: its program, if it has one, works while the caller does something else.

    The texts may be none: whether that is an error is the caller's to say. The context, and what it gives, raise
    `RenderError`, or `DeadlineExceeded`. What does not render `source` is not imported.
    """
    kind, source, root = _opened(source, settings, deadline)
    if kind == "kustomize":
        from argocd_provenance.render import kustomize

        with kustomize.started(source, root, settings, deadline) as rendered:
            yield rendered
    elif kind == "helm":
        from argocd_provenance.render import helm

        with helm.started(source, root, settings, deadline) as rendered:
            yield rendered
    else:
        from argocd_provenance.render import directory

        yield lambda: directory.render(source, root, settings, deadline)


def render(source: Path, settings: Settings, deadline: Deadline) -> Sequence[tuple[str, str]]:
    """What `source` renders to; raises as `started` does."""
    with started(source, settings, deadline) as rendered:
        return rendered()


def chart_references(source: Path, settings: Settings, deadline: Deadline) -> Sequence[str]:
    """The charts in registries that `render` would fetch, which somebody must judge before; raises as `render` does."""
    if not source.is_dir() or (settings.kind or kind_of(source)) != "helm":
        return ()
    from argocd_provenance.render import helm

    return helm.references(_opened(source, settings, deadline)[1])


def renderer(source: Path, settings: Settings, deadline: Deadline) -> tuple[str, str]:
    """What renders `source` (``helm``, ``kustomize`` or ``directory``), and the version that it gives; raises as `render` does."""
    kind, source, _ = _opened(source, settings, deadline)
    if kind == "directory":
        return kind, ""
    from argocd_provenance.render import helm, kustomize
    from argocd_provenance.render.process import run

    program, words = {
        "helm": (helm.PROGRAM, ["--template", "{{.Version}}"]),
        "kustomize": (kustomize.PROGRAM, []),
    }[kind]
    said = run([program.find(settings.search_path), "version", *words], source, helm.environment, (), deadline)
    return kind, said.strip().removeprefix("v")


def _opened(source: Path, settings: Settings, deadline: Deadline) -> tuple[Kind, Path, Path]:
    """What `source` is, its real path and that of its root, in which every link stays."""
    source = Path(os.path.realpath(source))
    if not source.is_dir():
        what = "is a file; `generate -` reads one from standard input" if source.exists() else "no such folder"
        raise RenderError(f"{source.name}: {what}")
    root = Path(os.path.realpath(settings.root or source))
    if not source.is_relative_to(root):
        raise RenderError(f"{source.name}: lies outside of its source's root")
    deadline.check("rendering began")
    kind = settings.kind or kind_of(source)
    check_symlinks(source if kind == "directory" else root, root, deadline)
    return kind, source, root


def kind_of(source: Path) -> Kind:
    """``helm``, ``kustomize`` or ``directory``: what Argo CD takes `source` for when the Application names no type."""
    kind: Kind = "directory"
    for name in sorted((path.name for path in source.iterdir()), key=os.fsencode):
        if name.endswith("Chart.yaml"):
            kind = "helm"
        elif name in NAMES:
            kind = "kustomize"
    return kind
