"""Kustomizations, by ``kustomize build`` as Argo CD calls it (``util/kustomize/kustomize.go``, Build).

The law: no flag that runs code or leaves the folder (exec and alpha plugins, helm, no load restriction), and nothing
remote: the kustomizations are read first, and what they name must be here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from argocd_provenance.deadline import Deadline
from argocd_provenance.render.kustomization import NAMES, check_local
from argocd_provenance.render.process import Program, run
from argocd_provenance.render.settings import Settings

__all__ = ["NAMES", "PROGRAM", "render"]

PROGRAM = Program("kustomize", "5.8.1")


def render(source: Path, root: Path, settings: Settings, deadline: Deadline) -> Sequence[tuple[str, str]]:
    """What ``kustomize build`` prints for `source`, run in `root`; raises `RenderError`."""
    program = PROGRAM.find(settings.search_path)
    check_local(source, root, deadline)

    def environment(home: Path) -> Mapping[str, str]:
        # The variables are those that Argo CD hands to kustomize, too.
        return {
            **settings.variables,
            "KUSTOMIZE_PLUGIN_HOME": str(home / "plugins"),
            "DOCKER_CONFIG": str(home / "docker"),
        }

    text = run([program, "build", str(source)], root, environment, (source, root), deadline)
    return [("kustomize build", text)]
