"""Changes to a kustomization for which kustomize has no command.

The law: every scalar that is not changed stays as it is written, so that nothing is read in another way.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from argocd_provenance.errors import RenderError


def add_patches(file: Path, patches: Sequence[Mapping[str, object]]) -> None:
    """Append `patches` to those of the kustomization in `file`; raises `RenderError`."""
    root = _composed(file)
    ours = yaml.compose(json.dumps(patches, ensure_ascii=False), Loader=yaml.CSafeLoader)
    key = yaml.ScalarNode("tag:yaml.org,2002:str", "patches")
    value = next((value for name, value in root.value if name.value == "patches"), None)
    if value is None:
        root.value.append((key, ours))
    elif isinstance(value, yaml.SequenceNode) and isinstance(ours, yaml.SequenceNode):
        value.value += ours.value
    else:
        raise RenderError(f"{file.name!r}: patches is not a list")
    _write(file, root)


def rewrite(file: Path, entries: Mapping[str, str]) -> None:
    """Replace `entries` of ``resources`` and ``bases`` in `file`, which nobody else must share; raises `RenderError`."""
    root = _composed(file)
    for name, value in root.value:
        if name.value in ("resources", "bases") and isinstance(value, yaml.SequenceNode):
            value.value = [
                yaml.ScalarNode(item.tag, entries[item.value], style='"') if item.value in entries else item
                for item in value.value
            ]
    _write(file, root)


def _composed(file: Path) -> yaml.MappingNode:
    try:
        root = yaml.compose(file.read_bytes(), Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise RenderError(f"{file.name!r}: cannot be read as YAML") from error
    if not isinstance(root, yaml.MappingNode):
        raise RenderError(f"{file.name!r}: not one plain mapping")
    return root


def _write(file: Path, root: yaml.MappingNode) -> None:
    """Write to a file of our own: what `file` is linked to, in the source, keeps its bytes."""
    text = yaml.serialize(root, Dumper=yaml.CSafeDumper, allow_unicode=True)
    real = file.resolve()
    real.unlink()
    real.write_text(text, encoding="utf-8")
