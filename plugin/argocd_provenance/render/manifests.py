"""Whether Argo CD takes a file of a plain folder for a manifest.

Argo CD decodes until the first fault: a fault after an object is an error, a fault before any makes the file "an
unrelated YAML file" unless it contains ``apiVersion:``, ``kind:`` and ``metadata:`` (``repository.go``,
getObjsFromYAMLOrJSON). A document without `kind` is such a fault. The law: what Argo CD would apply is never skipped.
"""

from typing import NoReturn

import yaml

from argocd_provenance.errors import RenderError

_MARKERS = ("apiVersion:", "kind:", "metadata:")


def is_manifest(name: str, text: str) -> bool:
    """Whether `text`, of a YAML file, is taken; raises `RenderError` if only its beginning can be.

    A text with all three markers, or that begins as a JSON object, is always taken. Whether it can be read at all,
    and one way only, is for whoever reads the documents to say.
    """
    if all(marker in text for marker in _MARKERS) or _begins_as_json_object(text):
        return True
    objects = 0
    try:
        for node in yaml.compose_all(text, Loader=yaml.CSafeLoader):
            if _is_null(node):
                continue
            if not _has_kind(node):
                return _unrelated(name, objects, "a document without `kind`")
            objects += 1
    except yaml.YAMLError as error:
        return _unrelated(name, objects, _place(error))
    except RecursionError as error:
        raise RenderError(f"{name!r}: nested too deeply") from error
    return objects > 0


def check_json(name: str, text: str) -> None:
    """Raise `RenderError` unless `text`, of a ``.json`` file, is one object with a `kind`."""
    import json

    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise RenderError(f"{name!r}: not one JSON object ({error})") from error
    if not isinstance(value, dict):
        raise RenderError(f"{name!r}: a .json file holds one object, not a list or a scalar")
    if not (isinstance(value.get("kind"), str) and value["kind"]):
        raise RenderError(
            f"{name!r}: a JSON object without `kind` is no manifest", fix="name the file in directory.exclude"
        )


def _begins_as_json_object(text: str) -> bool:
    """Whether Argo CD, which reads what begins with ``{`` as a stream of JSON, finds an object there.

    Such a text need not be YAML: JSON may be indented by tabs.
    """
    start = text.lstrip()
    if not start.startswith("{"):
        return False
    import json

    try:
        value, _ = json.JSONDecoder().raw_decode(start)
    except (ValueError, RecursionError):
        return False  # YAML in flow style
    return bool(value.get("kind"))


def _is_null(node: yaml.Node | None) -> bool:
    return node is None or node.tag == "tag:yaml.org,2002:null"


def _has_kind(node: yaml.Node) -> bool:
    if not isinstance(node, yaml.MappingNode):
        return False
    return any(
        isinstance(key, yaml.ScalarNode) and key.value == "kind" and not _is_null(value) and value.value
        for key, value in node.value
    )


def _unrelated(name: str, objects: int, fault: str) -> bool:
    if objects:
        raise RenderError(f"{name!r}: cannot be read after object {objects}: {fault}")
    return False


def _place(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or "not YAML"
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
