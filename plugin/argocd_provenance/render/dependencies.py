"""The charts that a chart needs and does not have, brought into a copy of its source.

The law: a chart comes from a place that the operator permits, by us and not by helm, is what was asked for, and refers
to nothing outside of itself; one from a registry was judged before, by its digest.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import yaml

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.render.charts import Needed, packed_chart
from argocd_provenance.render.remotes import Remotes
from argocd_provenance.render.symlinks import check_symlinks, inside

# Large public repositories have indexes of 20 MB; no chart comes near 16 MB (helm reads no larger file).
_INDEX_LIMIT, _CHART_LIMIT = 32 * 1024 * 1024, 16 * 1024 * 1024


def bring(
    missing: tuple[Needed, ...],
    chart: Path,
    root: Path,
    remotes: Remotes,
    package: Callable[[Path, Path], None],
    deadline: Deadline,
) -> None:
    """Put the `missing` charts into ``charts/`` of `chart`, which lies in the copy `root`; raises `RenderError`.

    `package` packs a folder of the source as helm does, into the folder that it is given.
    """
    folder = chart / "charts"
    folder.mkdir(exist_ok=True)
    for one in missing:
        deadline.check(f"the chart {one.name} was fetched")
        if one.repository.startswith("file://"):
            _pack(one, chart, root, folder, package)
            continue
        content = remotes.chart(one.reference, _CHART_LIMIT) if one.reference else _from_repository(one, remotes)
        (folder / one.archive).write_bytes(content)
        _check(one, folder / one.archive)
    check_symlinks(root, root, deadline)


def _pack(one: Needed, chart: Path, root: Path, folder: Path, package: Callable[[Path, Path], None]) -> None:
    """A chart of the same source: packed, so that its ``.helmignore`` counts, as helm's ``dependency build`` does."""
    where = one.repository.removeprefix("file://")
    local = Path(os.path.realpath(chart / where))
    if not inside(local, root) or not (local / "Chart.yaml").is_file():
        raise RenderError(f"dependency {one.name!r}: {one.repository!r}: no chart in this source")
    package(local, folder)


def _from_repository(one: Needed, remotes: Remotes) -> bytes:
    """A chart of a repository, by its index; checked against the digest there, if it has one."""
    base = one.repository.rstrip("/") + "/"
    entry = _entry(one, remotes.file(f"{base}index.yaml", _INDEX_LIMIT), base)
    urls, digest = entry.get("urls"), entry.get("digest")
    if not (isinstance(urls, list) and urls and isinstance(urls[0], str)):
        raise RenderError(f"{base}index.yaml: {one.name} {one.version} has no URL")
    content = remotes.file(urljoin(base, urls[0]), _CHART_LIMIT)
    found = hashlib.sha256(content).hexdigest()
    if isinstance(digest, str) and digest and digest.lower().removeprefix("sha256:") != found:
        raise RenderError(f"{urls[0][:200]!r}: is not what the index says: its digest is {found}")
    return content


def _entry(one: Needed, index: bytes, base: str) -> dict[str, Any]:
    try:
        value = yaml.load(index, Loader=yaml.CBaseLoader)  # noqa: S506 - texts only, in C
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        raise RenderError(f"{base}index.yaml: cannot be read as YAML") from error
    entries = value.get("entries") if isinstance(value, dict) else None
    listed = entries.get(one.name) if isinstance(entries, dict) else None
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and str(entry.get("version")).removeprefix("v") == one.version.removeprefix("v"):
            return entry
    raise RenderError(f"{base}index.yaml: has no {one.name} {one.version}")


def _check(one: Needed, archive: Path) -> None:
    name, version = packed_chart(archive)
    if (name, version.removeprefix("v")) != (one.name, one.version.removeprefix("v")):
        raise RenderError(f"{archive.name}: holds {name[:100]!r} {version[:100]!r}, not what was asked for")
