"""Files of Jsonnet, evaluated as Argo CD does (``repository.go``, makeJsonnetVM), by the library that it uses: go-jsonnet.

Jsonnet is a programming language: a file of it can run for ever and take all memory. The law: it is evaluated in a
child, under the limits of every renderer, and what it imports lies in the source's root, all links followed.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.render.children import PACKAGES, command
from argocd_provenance.render.process import run
from argocd_provenance.render.settings import Settings
from argocd_provenance.render.substitution import substitute
from argocd_provenance.render.symlinks import inside
from argocd_provenance.render.temporary import temporary


def evaluate(
    names: Sequence[str], source: Path, root: Path, settings: Settings, deadline: Deadline
) -> dict[str, list[str]]:
    """The objects that each of the files `names` in `source` evaluates to, as JSON; raises `RenderError`."""
    if not names:
        return {}
    with temporary() as made:
        request = made / "request.json"
        request.write_text(json.dumps(_request(names, source, root, settings)), encoding="utf-8")
        folders = (source, root, made, PACKAGES)
        printed = run(command("jsonnet", str(request)), source, lambda _: {}, folders, deadline, called="jsonnet")
    evaluated: dict[str, str] = json.loads(printed)
    return {name: _objects(name, text) for name, text in evaluated.items()}


def _request(names: Sequence[str], source: Path, root: Path, settings: Settings) -> dict[str, Any]:
    asked = settings.directory.jsonnet
    return {
        "files": {name: str(source / name) for name in names},
        "root": str(root),
        "paths": [str(source), *(str(_library(written, root)) for written in asked.libs)],
        "ext_vars": _filled(asked.ext_vars, settings),
        "ext_codes": _filled(asked.ext_code, settings),
        "tla_vars": _filled(asked.tlas, settings),
        "tla_codes": _filled(asked.tla_code, settings),
    }


def _filled(variables: Mapping[str, str], settings: Settings) -> dict[str, str]:
    return {name: substitute(value, settings) for name, value in variables.items()}


def _library(written: str, root: Path) -> Path:
    """The folder of a library, which is written from the root on."""
    path = Path(os.path.normpath(f"{root}/{written}"))
    if not path.is_relative_to(root) or not inside(path, root):
        raise RenderError(f"directory.jsonnet.libs: {written!r}: lies outside of the source")
    return Path(os.path.realpath(path))


def _objects(name: str, text: str) -> list[str]:
    """`text`, an object or a list of them, as one text for each: numbers stay as they are written."""
    decoder, at, found = json.JSONDecoder(), 0, []
    if not text.startswith("["):
        spans = [text]
    else:
        spans, at = [], _blank(text, 1)
        while text[at] != "]":
            _, end = decoder.raw_decode(text, at)
            spans.append(text[at:end])
            at = _blank(text, end)
            at = _blank(text, at + 1) if text[at] == "," else at
    for span in spans:
        value = json.loads(span)
        if value is None:
            continue
        if not (isinstance(value, dict) and isinstance(value.get("kind"), str) and value["kind"]):
            raise RenderError(
                f"{name!r}: evaluates to something without `kind`", fix="a file gives one object, or a list of them"
            )
        found.append(span.strip())
    return found


def _blank(text: str, at: int) -> int:
    while text[at].isspace():
        at += 1
    return at


def _main(request: Mapping[str, Any]) -> dict[str, str]:
    """Runs in the child: what each file evaluates to."""
    import _gojsonnet as gojsonnet  # only the child needs it

    root = Path(request["root"])
    read: dict[str, bytes] = {}
    faults: list[str] = []

    def refuse(fault: str) -> RuntimeError:
        """The binding does not hand on what a callback raises: it is kept beside it."""
        faults.append(fault)
        return RuntimeError(fault)

    def bring(folder: str, written: str) -> tuple[str, bytes]:
        """As go-jsonnet's FileImporter: beside the importing file, then the library paths, the last one first."""
        for place in [folder, *reversed(request["paths"])]:
            path = os.path.join(place, written)  # noqa: PTH118 - the text is what std.thisFile says
            if not Path(path).is_file():
                continue
            if not inside(path, root):
                raise refuse(f"{written}: lies outside of the source")
            return path, read.setdefault(path, Path(path).read_bytes())
        raise refuse(f"couldn't open import {written!r}: no match locally or in the Jsonnet library paths")

    options = {name: request[name] for name in ("ext_vars", "ext_codes", "tla_vars", "tla_codes")}
    evaluated = {}
    for name, path in request["files"].items():
        try:
            text = Path(path).read_text(encoding="utf-8")
            evaluated[name] = gojsonnet.evaluate_snippet(path, text, import_callback=bring, **options)
        except (RuntimeError, ValueError) as error:
            raise RuntimeError(f"{name}: {faults[-1] if faults else error}") from error
    return evaluated


if __name__ == "__main__":
    try:
        json.dump(_main(json.loads(Path(sys.argv[1]).read_bytes())), sys.stdout)
    except (RuntimeError, OSError, ValueError) as error:
        sys.exit(str(error).expandtabs(2))
