"""An Application rendered twice: by Argo CD's own Helm, Kustomize or directory, and by the plugin, told the same.

servers.operator(operator(tmp_path))
native, ours = both(servers, repository, "chart", {"helm": {"valueFiles": ["prod.yaml"]}})
assert ours.objects == native.objects
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.argocd import ArgoCD, Reply, Repository

_ADDED = ("argocd-provenance.io/", "link.argocd.argoproj.io/argocd-provenance")


def parameters(source: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The plugin parameters that say what `source`, the ``helm``, ``kustomize`` or ``directory`` of a source, says."""
    return [
        parameter
        for kind, fields in source.items()
        for field, value in fields.items()
        for parameter in _field(kind, field, value)
    ]


def _field(kind: str, field: str, value: Any) -> list[dict[str, Any]]:
    name = f"{kind}.{field}"
    if name == "directory.jsonnet":
        return [part for inner, listed in value.items() for part in _field(name, inner, listed)]
    if name in ("helm.parameters", "directory.jsonnet.extVars", "directory.jsonnet.tlas"):
        flag = {"helm.parameters": "forceString"}.get(name, "code")
        return [
            {"name": name if on is False else f"{name}.{flag}", "map": pairs}
            for on in (False, True)
            if (pairs := {one["name"]: one["value"] for one in value if one.get(flag, False) is on})
        ]
    if name == "helm.fileParameters":
        return [{"name": name, "map": {one["name"]: one["path"] for one in value}}]
    if name == "kustomize.replicas":
        return [{"name": name, "map": {one["name"]: str(one["count"]) for one in value}}]
    if name in ("helm.valuesObject", "kustomize.patches"):
        return [{"name": name, "string": json.dumps(value)}]
    form = {bool: "string", str: "string", list: "array", dict: "map"}[type(value)]
    return [{"name": name, form: str(value).lower() if isinstance(value, bool) else value}]


def operator(folder: Path) -> Path:
    """`folder` with a config that changes no manifest: no policy, and images that no policy covers are let through."""
    (folder / "config.yaml").write_text(
        "apiVersion: argocd-provenance.io/v1alpha1\nkind: Config\npolicies: []\nunmatched: allow\nallowEmpty: true\n"
    )
    return folder


def both(
    argo: ArgoCD, repository: Repository, path: str, source: Mapping[str, Any] | None = None, **asked: Any
) -> tuple[Reply, Reply]:
    """What Argo CD itself renders `source` to, and what our plugin does, without the annotations that it adds."""
    native = argo.manifests(repository, path, plugin=None, source=source or {}, **asked)
    ours = argo.manifests(repository, path, parameters=parameters(source or {}), **asked)
    for one in ours.objects:
        _bare(one)
    return native, ours


def _bare(one: dict[str, Any]) -> None:
    annotations = one.get("metadata", {}).get("annotations", {})
    for name in [name for name in annotations if name.startswith(_ADDED)]:
        del annotations[name]
