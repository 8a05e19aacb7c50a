"""The plugin parameters that say how to render: ``directory.…``, ``helm.…`` and ``kustomize.…``.

Each is named by its place in an Application's source, with Argo CD's spelling, and has the form that a plugin parameter
can give it. Two places have a second parameter, for a list of Argo CD's carries a flag beside each value:
``helm.parameters.forceString``, and ``….code`` of Jsonnet's variables. The law: a field of Argo CD's is done as Argo CD
does it, or refused by its name with the reason.
"""

from collections.abc import Mapping
from typing import Any

from argocd_provenance.argocd.forms import Form, Given, flag, pairs, parsed, text, texts
from argocd_provenance.errors import UsageError
from argocd_provenance.render import DirectoryOptions, HelmOptions, JsonnetOptions, KustomizeOptions
from argocd_provenance.render.settings import Kind

FORMS: Mapping[str, tuple[Form, ...]] = {
    "directory.recurse": ("string",),
    "directory.include": ("string",),
    "directory.exclude": ("string",),
    "directory.jsonnet.extVars": ("map",),
    "directory.jsonnet.extVars.code": ("map",),
    "directory.jsonnet.tlas": ("map",),
    "directory.jsonnet.tlas.code": ("map",),
    "directory.jsonnet.libs": ("array",),
    "helm.releaseName": ("string",),
    "helm.namespace": ("string",),
    "helm.valueFiles": ("array",),
    "helm.ignoreMissingValueFiles": ("string",),
    "helm.values": ("string",),
    "helm.valuesObject": ("string",),
    "helm.parameters": ("map",),
    "helm.parameters.forceString": ("map",),
    "helm.fileParameters": ("map",),
    "helm.skipCrds": ("string",),
    "helm.skipSchemaValidation": ("string",),
    "helm.skipTests": ("string",),
    "helm.kubeVersion": ("string",),
    "helm.apiVersions": ("array",),
    "helm.version": ("string",),
    "helm.passCredentials": ("string",),
    "kustomize.namePrefix": ("string",),
    "kustomize.nameSuffix": ("string",),
    "kustomize.images": ("array",),
    "kustomize.replicas": ("map",),
    "kustomize.commonLabels": ("map",),
    "kustomize.forceCommonLabels": ("string",),
    "kustomize.labelWithoutSelector": ("string",),
    "kustomize.labelIncludeTemplates": ("string",),
    "kustomize.commonAnnotations": ("map",),
    "kustomize.forceCommonAnnotations": ("string",),
    "kustomize.commonAnnotationsEnvsubst": ("string",),
    "kustomize.namespace": ("string",),
    "kustomize.patches": ("string", "array"),
    "kustomize.components": ("array",),
    "kustomize.ignoreMissingComponents": ("string",),
    # Argo CD hands these two to the charts of a kustomization, which it renders only under --enable-helm.
    "kustomize.kubeVersion": ("string",),
    "kustomize.apiVersions": ("array",),
}
REFUSED: Mapping[str, str] = {
    "kustomize.version": "the image has one kustomize, whose version the report names; leave it out",
    "kustomize.buildOptions": "they are the operator's in Argo CD too, and this plugin builds without any; leave it out",
}
_PATCH = frozenset({"path", "patch", "target", "options"})
_TARGET = frozenset({"group", "version", "kind", "name", "namespace", "annotationSelector", "labelSelector"})


def kind(values: Mapping[str, Given]) -> Kind | None:
    """The type that the Application names: that of its parameters, which must be one (``types.go``, ExplicitType)."""
    kinds: tuple[Kind, ...] = ("directory", "helm", "kustomize")
    named = [kind for kind in kinds if any(name.startswith(f"{kind}.") for name in values)]
    if len(named) > 1:
        raise UsageError(f"plugin parameters for {' and '.join(named)}: a source has one type; keep those of one")
    return named[0] if named else None


def directory(values: Mapping[str, Given]) -> DirectoryOptions:
    """``spec.source.directory`` from the parameters `values`; raises `UsageError`, as the two below."""
    return DirectoryOptions(
        recurse=flag(values, "directory.recurse"),
        include=text(values, "directory.include"),
        exclude=text(values, "directory.exclude"),
        jsonnet=JsonnetOptions(
            ext_vars=pairs(values, "directory.jsonnet.extVars"),
            ext_code=pairs(values, "directory.jsonnet.extVars.code"),
            tlas=pairs(values, "directory.jsonnet.tlas"),
            tla_code=pairs(values, "directory.jsonnet.tlas.code"),
            libs=texts(values, "directory.jsonnet.libs"),
        ),
    )


def helm(values: Mapping[str, Given]) -> HelmOptions:
    """``spec.source.helm``."""
    if text(values, "helm.version") not in ("", "v3", "v4"):
        raise UsageError("plugin parameter 'helm.version': Argo CD knows v3 and v4, and renders both with helm 4")
    if flag(values, "helm.passCredentials"):
        raise UsageError(
            "plugin parameter 'helm.passCredentials': credentials go to the host that they are for, and to no other; leave it out"
        )
    return HelmOptions(
        release_name=text(values, "helm.releaseName"),
        namespace=text(values, "helm.namespace"),
        value_files=texts(values, "helm.valueFiles"),
        ignore_missing_value_files=flag(values, "helm.ignoreMissingValueFiles"),
        values=_values(values),
        parameters=pairs(values, "helm.parameters"),
        string_parameters=pairs(values, "helm.parameters.forceString"),
        file_parameters=pairs(values, "helm.fileParameters"),
        skip_crds=flag(values, "helm.skipCrds"),
        skip_schema_validation=flag(values, "helm.skipSchemaValidation"),
        skip_tests=flag(values, "helm.skipTests"),
        kube_version=text(values, "helm.kubeVersion"),
        api_versions=texts(values, "helm.apiVersions"),
    )


def kustomize(values: Mapping[str, Given]) -> KustomizeOptions:
    """``spec.source.kustomize``."""
    return KustomizeOptions(
        name_prefix=text(values, "kustomize.namePrefix"),
        name_suffix=text(values, "kustomize.nameSuffix"),
        images=texts(values, "kustomize.images"),
        replicas={name: _count(name, written) for name, written in pairs(values, "kustomize.replicas").items()},
        common_labels=pairs(values, "kustomize.commonLabels"),
        force_common_labels=flag(values, "kustomize.forceCommonLabels"),
        label_without_selector=flag(values, "kustomize.labelWithoutSelector"),
        label_include_templates=flag(values, "kustomize.labelIncludeTemplates"),
        common_annotations=pairs(values, "kustomize.commonAnnotations"),
        force_common_annotations=flag(values, "kustomize.forceCommonAnnotations"),
        common_annotations_envsubst=flag(values, "kustomize.commonAnnotationsEnvsubst"),
        namespace=text(values, "kustomize.namespace"),
        patches=_patches(values.get("kustomize.patches", ())),
        components=texts(values, "kustomize.components"),
        ignore_missing_components=flag(values, "kustomize.ignoreMissingComponents"),
    )


def _values(values: Mapping[str, Given]) -> str:
    """The inline values: ``valuesObject``, where it is given, replaces ``values``, as in Argo CD."""
    name = "helm.valuesObject" if "helm.valuesObject" in values else "helm.values"
    written = text(values, name)
    if written and not isinstance(parsed(name, written), dict | None):
        raise UsageError(f"plugin parameter {name!r}: not a mapping")
    return written


def _count(name: str, written: str) -> int:
    if not (written.isascii() and written.isdigit() and len(written) < 10):
        raise UsageError(f"plugin parameter 'kustomize.replicas': {name}: {written!r} is no number of replicas")
    return int(written)


def _patches(given: Given) -> tuple[Mapping[str, object], ...]:
    """The patches: a text that holds a list of them, as in an Application, or a list of texts with one each."""
    name = "kustomize.patches"
    listed = parsed(name, given) or [] if isinstance(given, str) else [parsed(name, item) for item in given]
    if not isinstance(listed, list):
        raise UsageError(f"plugin parameter {name!r}: not a list of patches")
    for patch in listed:
        _check_patch(patch)
    return tuple(listed)


def _check_patch(patch: Any) -> None:
    if not isinstance(patch, dict) or set(patch) - _PATCH:
        raise UsageError(
            f"plugin parameter 'kustomize.patches': a patch has {', '.join(sorted(_PATCH))}, and no other field"
        )
    target, options = patch.get("target") or {}, patch.get("options") or {}
    texts_ = [patch.get("path", ""), patch.get("patch", ""), *(target.values() if isinstance(target, dict) else [])]
    if (
        not isinstance(target, dict)
        or set(target) - _TARGET
        or not isinstance(options, dict)
        or not all(isinstance(value, str) for value in texts_)
        or not all(isinstance(value, bool) for value in options.values())
    ):
        raise UsageError(
            f"plugin parameter 'kustomize.patches': path and patch are texts, target has {', '.join(sorted(_TARGET))}, options are true or false"
        )
