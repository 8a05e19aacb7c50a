"""No symlink of a source leads out of it.

Argo CD checks its own checkout (``util/app/path``: CheckOutOfBoundsSymlinks), but helm and kustomize follow links, and
a source need not come from Argo CD. The law: renderers run only on a tree that is closed.
"""

import os
from pathlib import Path

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError


def check_symlinks(folder: Path, root: Path, deadline: Deadline) -> None:
    """Raise `RenderError` for the first link below `folder` that does not stay inside `root`; both are real paths."""
    for parent, folders, files in os.walk(folder, onerror=_unreadable):
        deadline.check("the source's symlinks were checked")
        if parent == str(root) and ".git" in folders:
            folders.remove(".git")  # Argo CD skips it as well; no renderer reads it
        folders.sort()
        for name in sorted([*folders, *files]):
            path = os.path.join(parent, name)  # noqa: PTH118 - a tree can have 100,000 files, and Path objects are slow
            if os.path.islink(path) and not inside(path, root):  # noqa: PTH114 - as above
                link = os.path.relpath(path, root)
                raise RenderError(
                    f"{link!r}: a symlink that leads out of the source", fix="copy what it points to, or remove it"
                )


def inside(path: str | Path, root: Path) -> bool:
    """Whether `path`, every link followed, lies in `root`; a loop lies nowhere."""
    try:
        os.stat(path)  # noqa: PTH116 - realpath gives no answer about a loop before Python 3.13's strict mode
    except FileNotFoundError:
        pass  # a dangling link: where it would lead decides
    except OSError:
        return False
    return Path(os.path.realpath(path)).is_relative_to(root)


def _unreadable(error: OSError) -> None:
    raise RenderError(f"a folder of the source cannot be read: {error.strerror}")
