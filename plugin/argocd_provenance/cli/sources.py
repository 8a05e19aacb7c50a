"""Where the manifests of a run come from: standard input, or a folder that is rendered."""

import contextlib
import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from argocd_provenance.cli.operator import Operator
from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.records import replace
from argocd_provenance.render import Settings

if TYPE_CHECKING:
    from argocd_provenance.pipeline import Decided
    from argocd_provenance.render import Rendered

# Argo CD reads at most 100 MB of a plugin's output; what people write is far below.
_INPUT_LIMIT = 100 * 1024 * 1024
# More is not looked at to guess whether there will be images.
_GLANCES, _GLANCE = 64, 16 * 1024


def filtered(stdin: BinaryIO) -> list[tuple[str, str]]:
    """The text on `stdin`; raises `RenderError`."""
    content = stdin.read(_INPUT_LIMIT + 1)
    if len(content) > _INPUT_LIMIT:
        raise RenderError(f"standard input is longer than {_INPUT_LIMIT} bytes")
    try:
        return [("-", content.decode("utf-8"))]
    except UnicodeDecodeError as error:
        raise RenderError(f"standard input is not UTF-8 text (byte {error.start})") from error


@contextlib.contextmanager
def rendered(
    folder: Path, settings: Settings, ruled: Operator, charts: "Mapping[str, Decided]", deadline: Deadline
) -> "Iterator[Rendered]":
    """Begin to render `folder`, with `charts` of registries as they were judged; raises `errors.Error`, as what it gives does."""
    from argocd_provenance.render import started

    if not ruled.config.remotes:
        with started(folder, settings, deadline) as texts:
            yield texts
        return
    from argocd_provenance.cli.remotes import remotes

    with (
        remotes(ruled, charts, deadline) as opened,
        started(folder, replace(settings, remotes=opened), deadline) as texts,
    ):
        yield texts


def renderer(folder: Path, settings: Settings, deadline: Deadline) -> tuple[str, str]:
    """What rendered, for the report; a program that does not say its version has rendered all the same."""
    from argocd_provenance.render import kind_of, renderer

    try:
        return renderer(folder, settings, deadline)
    except RenderError:
        return settings.kind or kind_of(folder), ""


def speaks_of_images(folder: Path) -> bool:
    """Whether a file in `folder`, or among its templates, speaks of images: a guess, by which nothing is decided."""
    for place in (folder, folder / "templates"):
        with contextlib.suppress(OSError), os.scandir(place) as entries:
            for entry in itertools.islice(entries, _GLANCES):
                if entry.is_file(follow_symlinks=False) and b"image" in _glance(entry.path):
                    return True
    return False


def _glance(path: str) -> bytes:
    with contextlib.suppress(OSError), Path(path).open("rb", buffering=0) as file:
        return file.read(_GLANCE) or b""
    return b""
