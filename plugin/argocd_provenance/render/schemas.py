"""The schemas of a chart refer to nothing but themselves.

helm resolves the references of a ``values.schema.json`` when it checks the values: it would fetch an address, and open
a file of this machine. The law: in folders, in those that links lead to, and in the archives of ``charts/``, however
deep; what cannot be looked into is refused.
"""

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any

from argocd_provenance.errors import RenderError
from argocd_provenance.regex import regex

_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
# Those that helm's reader has built in (santhosh-tekuri/jsonschema: draft.go); any other is a place to fetch.
_DRAFT = regex(r"https?://json-schema\.org/(?:draft-0[467]/|draft/2019-09/|draft/2020-12/)?schema#?")
# helm's own limits for a chart's archive: files, and bytes unpacked (helm: pkg/chart/v2/loader/archive).
PACKED_FILES, PACKED_SIZE = 10_000, 100 * 1024 * 1024
_PACKED_DEPTH = 3


def check_schemas(source: Path) -> None:
    """Raise `RenderError` for a ``values.schema.json`` that refers to anything but itself: helm would fetch or open it.

    In folders, in those that links lead to, and in the archives of ``charts/``: helm reads them all.
    """
    seen: set[str] = set()
    for parent, folders, files in os.walk(source, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = [] if real in seen else sorted(folders)
        seen.add(real)
        for name in sorted(files):
            path = Path(parent, name)
            if name == "values.schema.json":
                _check_schema(path.read_bytes, os.path.relpath(path, source))
            elif name.endswith(".tgz") and path.parent.name == "charts":
                with path.open("rb") as packed:
                    _check_packed(packed, os.path.relpath(path, source))


def _check_packed(packed: IO[bytes], name: str, depth: int = 1) -> None:
    """The schemas of a dependency that is committed as an archive, which helm unpacks in memory."""
    import tarfile
    import zlib

    try:
        with tarfile.open(fileobj=packed, mode="r:gz") as archive:
            for count, member in enumerate(archive):
                if count > PACKED_FILES or archive.offset + member.size > PACKED_SIZE:
                    raise RenderError(f"{name!r}: holds more than a chart does")
                content = archive.extractfile(member) if member.isfile() else None
                inner = PurePosixPath(member.name).name
                if content is not None and inner == "values.schema.json":
                    _check_schema(content.read, f"{name}: {member.name}")
                elif content is not None and inner.endswith(".tgz"):
                    if depth == _PACKED_DEPTH:
                        raise RenderError(f"{name!r}: archives within archives", fix="unpack them into charts/")
                    _check_packed(content, f"{name}: {member.name}", depth + 1)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise RenderError(f"{name!r}: cannot be read as an archive") from error


def _check_schema(read: Callable[[], bytes], name: str) -> None:
    import json

    try:
        waiting: list[Any] = [json.loads(read())]
    except (ValueError, RecursionError, OSError) as error:
        raise RenderError(f"{name!r}: cannot be read as JSON") from error
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            for key in _REFERENCES & value.keys():
                if isinstance(value[key], str) and not value[key].startswith("#"):
                    raise RenderError(
                        f"{name!r}: {key} {value[key][:200]!r}: nothing is fetched", fix="copy it into the schema"
                    )
            schema = value.get("$schema")
            if isinstance(schema, str) and not _DRAFT.fullmatch(schema):
                raise RenderError(
                    f"{name!r}: $schema {schema[:200]!r}: nothing is fetched", fix="name a draft of JSON Schema"
                )
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
