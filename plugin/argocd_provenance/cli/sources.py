"""Where the manifests of a run come from: standard input, or a folder that is rendered."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from argocd_provenance.cli.operator import Operator
from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.records import replace
from argocd_provenance.render import Settings

if TYPE_CHECKING:
    from argocd_provenance.pipeline import Decided

# Argo CD reads at most 100 MB of a plugin's output; what people write is far below.
_INPUT_LIMIT = 100 * 1024 * 1024


def filtered(stdin: BinaryIO) -> list[tuple[str, str]]:
    """The text on `stdin`; raises `RenderError`."""
    content = stdin.read(_INPUT_LIMIT + 1)
    if len(content) > _INPUT_LIMIT:
        raise RenderError(f"standard input is longer than {_INPUT_LIMIT} bytes")
    try:
        return [("-", content.decode("utf-8"))]
    except UnicodeDecodeError as error:
        raise RenderError(f"standard input is not UTF-8 text (byte {error.start})") from error


def rendered(
    folder: Path, settings: Settings, ruled: Operator, charts: "Mapping[str, Decided]", deadline: Deadline
) -> list[tuple[str, str]]:
    """What `folder` renders to, with `charts` of registries as they were judged; raises `errors.Error`."""
    from argocd_provenance.render import render

    if not ruled.config.remotes:
        return list(render(folder, settings, deadline))
    from argocd_provenance.cli.remotes import remotes

    with remotes(ruled, charts, deadline) as opened:
        return list(render(folder, replace(settings, remotes=opened), deadline))


def renderer(folder: Path, settings: Settings, deadline: Deadline) -> tuple[str, str]:
    """What rendered, for the report; a program that does not say its version has rendered all the same."""
    from argocd_provenance.render import kind_of, renderer

    try:
        return renderer(folder, settings, deadline)
    except RenderError:
        return settings.kind or kind_of(folder), ""
