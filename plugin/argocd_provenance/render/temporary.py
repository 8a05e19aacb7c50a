"""Folders of ours that are there for a while. ``tempfile`` makes them, too, and takes four milliseconds to import."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from argocd_provenance.errors import RenderError


@contextlib.contextmanager
def temporary() -> Iterator[Path]:
    """A new folder for our user alone, by its real path, below ``TMPDIR`` or ``/tmp``; deleted with all that is in it.

    Raises `RenderError` where there is no place for one. The working folder is none: it is the repository.
    """
    named = os.environ.get("TMPDIR", "")
    for place in (named if named.startswith("/") else "/tmp", "/tmp", "/var/tmp"):  # noqa: S108 - a new name, and 0700
        made = Path(os.path.realpath(place), f"argocd-provenance-{os.urandom(8).hex()}")
        try:
            made.mkdir(0o700)
        except OSError:
            continue
        try:
            yield made
        finally:
            delete(made)
        return
    raise RenderError(
        "there is no folder for temporary files", fix="mount a volume at /tmp, or name one in the variable TMPDIR"
    )


def delete(made: Path) -> None:
    """Delete a folder and all that is in it, as far as that can be; most are empty by then."""
    try:
        os.rmdir(made)  # noqa: PTH106 - as quick as can be
    except FileNotFoundError:
        pass  # a supervisor was here before
    except OSError:
        import shutil

        shutil.rmtree(made, ignore_errors=True)
