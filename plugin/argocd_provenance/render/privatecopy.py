"""A copy of a source that may be changed.

The law: the source itself is never written to. Files are linked, not copied, where the file system can: so a file that
is to be changed is made our own first (`own`), its links followed to the end.
"""

import os
from pathlib import Path

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError

# A checkout of this size takes a second; nobody renders from a larger one and waits for it.
_FILES = 200_000


def copy(root: Path, made: Path, deadline: Deadline) -> Path:
    """The copy of the folder `root`, made below `made`, without its ``.git``; raises `RenderError`."""
    place = Path(os.path.realpath(made), "source")
    count = 0
    for parent, folders, files in os.walk(root):
        deadline.check("the source was copied")
        if parent == str(root) and ".git" in folders:
            folders.remove(".git")
        here = place / os.path.relpath(parent, root)
        here.mkdir(parents=True, exist_ok=True)
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]  # noqa: PTH114, PTH118 - as in symlinks.py
        for name in [*links, *files]:
            _one(os.path.join(parent, name), os.path.join(here, name))  # noqa: PTH118 - as above
        count += len(files)
        if count > _FILES:
            raise RenderError(f"the source holds more than {_FILES} files, and this render needs a copy of it")
    return place


def own(file: Path, place: Path) -> Path:
    """The file that `file`, of the copy in `place`, leads to, now written to by nobody else; raises `RenderError`."""
    real = Path(os.path.realpath(file))
    if not real.is_relative_to(place):
        raise RenderError(f"{file.name!r}: a symlink that leads out of the source")
    content = real.read_bytes()
    real.unlink()
    real.write_bytes(content)
    return real


def _one(original: str, new: str) -> None:
    if os.path.islink(original):  # noqa: PTH114 - as in symlinks.py
        os.symlink(os.readlink(original), new)  # noqa: PTH115, PTH211 - as in symlinks.py
        return
    if not os.path.isfile(original):  # noqa: PTH113 - as in symlinks.py
        return  # a socket or a device is no source
    try:
        os.link(original, new)
    except OSError:  # another file system, or one without links
        import shutil

        shutil.copyfile(original, new)
