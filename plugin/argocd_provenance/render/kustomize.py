"""Kustomizations, by ``kustomize build`` as Argo CD calls it (``util/kustomize/kustomize.go``, Build).

The law: no flag that runs code or leaves the folder (exec and alpha plugins, helm, no load restriction), and nothing
remote: the kustomizations are read first, and what they name must be here. What an Application changes is changed in a
copy, by kustomize's own ``edit``, in Argo CD's order.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from argocd_provenance.deadline import Deadline
from argocd_provenance.render import process
from argocd_provenance.render.kustomization import NAMES, RemoteBaseError, check_local, is_local
from argocd_provenance.render.process import Program
from argocd_provenance.render.remotes import NoRemotes
from argocd_provenance.render.settings import KustomizeOptions, Settings
from argocd_provenance.render.substitution import substitute
from argocd_provenance.render.temporary import temporary

__all__ = ["NAMES", "PROGRAM", "started"]

PROGRAM = Program("kustomize", "5.8.1")


@contextlib.contextmanager
def started(
    source: Path, root: Path, settings: Settings, deadline: Deadline
) -> Iterator[Callable[[], Sequence[tuple[str, str]]]]:
    """Start ``kustomize build`` of `source`, run in `root`; what is given returns what it printed. Both raise `RenderError`."""
    program = PROGRAM.find(settings.search_path)
    bring = False
    try:
        check_local(source, root, deadline)
    except RemoteBaseError:
        bring = not isinstance(settings.remotes, NoRemotes)
        if not bring:
            raise
    if settings.kustomize == KustomizeOptions() and not bring:
        with _started([program, "build", str(source)], root, (source, root), settings, deadline) as printed:
            yield lambda: [("kustomize build", printed())]
        return
    from argocd_provenance.render import privatecopy
    from argocd_provenance.render.bases import bringer

    with temporary() as made:
        place = privatecopy.copy(root, made, deadline)
        copied = place / source.relative_to(root)
        _change(program, copied, place, settings, deadline)
        check_local(copied, place, deadline, bringer(place, settings.remotes, deadline) if bring else None)
        with _started([program, "build", str(copied)], place, (copied, place), settings, deadline) as printed:
            yield lambda: [("kustomize build", printed())]


def _started(
    command: list[str],
    cwd: Path,
    folders: Sequence[Path],
    settings: Settings,
    deadline: Deadline,
    *,
    writable: Sequence[Path] = (),
) -> contextlib.AbstractContextManager[Callable[[], str]]:
    def environment(home: Path) -> Mapping[str, str]:
        # The variables are those that Argo CD hands to kustomize, too.
        return {
            **settings.variables,
            "KUSTOMIZE_PLUGIN_HOME": str(home / "plugins"),
            "DOCKER_CONFIG": str(home / "docker"),
        }

    return process.started(command, cwd, environment, folders, deadline, writable=writable)


def _edit(
    program: str, edits: list[list[str]], copied: Path, place: Path, settings: Settings, deadline: Deadline
) -> None:
    for edit in edits:
        command = [program, "edit", *edit]
        with _started(command, copied, (copied, place), settings, deadline, writable=(copied, place)) as printed:
            printed()


def _change(program: str, copied: Path, place: Path, settings: Settings, deadline: Deadline) -> None:
    """Write what the Application asks for into the kustomization in `copied`, as Argo CD does."""
    if settings.kustomize == KustomizeOptions():
        return
    from argocd_provenance.render import privatecopy
    from argocd_provenance.render.edit import add_patches

    file = privatecopy.own(next(copied / name for name in NAMES if (copied / name).is_file()), place)
    before, after = edits(settings, copied, place)
    _edit(program, before, copied, place, settings, deadline)
    if settings.kustomize.patches:
        add_patches(file, settings.kustomize.patches)
    _edit(program, after, copied, place, settings, deadline)


def edits(settings: Settings, source: Path, root: Path) -> tuple[list[list[str]], list[list[str]]]:
    """The arguments of each ``kustomize edit``, in Argo CD's order: before the patches are added, and after them."""
    asked = settings.kustomize
    before = []
    if asked.name_prefix:
        before.append(["set", "nameprefix", "--", asked.name_prefix])
    if asked.name_suffix:
        before.append(["set", "namesuffix", "--", asked.name_suffix])
    if asked.images:
        before.append(["set", "image", "--", *(substitute(image, settings) for image in asked.images)])
    if asked.replicas:
        before.append(["set", "replicas", "--", *(f"{name}={count}" for name, count in sorted(asked.replicas.items()))])
    if asked.common_labels:
        flags = ["--force"] * asked.force_common_labels + ["--without-selector"] * asked.label_without_selector
        flags += ["--include-templates"] * asked.label_include_templates
        labels = {name: substitute(value, settings) for name, value in asked.common_labels.items()}
        before.append(["add", "label", *flags, "--", *_pairs(labels)])
    if asked.common_annotations:
        flags = ["--force"] * asked.force_common_annotations
        annotations = dict(asked.common_annotations)
        if asked.common_annotations_envsubst:
            annotations = {name: substitute(value, settings) for name, value in annotations.items()}
        before.append(["add", "annotation", *flags, "--", *_pairs(annotations)])
    if asked.namespace:
        before.append(["set", "namespace", "--", asked.namespace])
    components = [
        written
        for written in asked.components
        if is_local(written, source, root) or not asked.ignore_missing_components
    ]
    return before, [["add", "component", "--", *components]] if components else []


def _pairs(values: Mapping[str, str]) -> list[str]:
    return [f"{name}:{value}" for name, value in sorted(values.items())]
