"""ClusterImagePolicy of the sigstore project, read as is onto our own model.

What only a cluster can resolve, and what is not understood here, is refused by name at load time: nothing is skipped.

Schema: sigstore/policy-controller pkg/apis/policy/v1beta1/clusterimagepolicy_types.go; v1alpha1 has the same fields.
"""

from argocd_provenance.operatorfile import Field
from argocd_provenance.policy.authorities import authority
from argocd_provenance.policy.foreignglob import foreign_pattern
from argocd_provenance.policy.imagepatterns import ImagePattern
from argocd_provenance.policy.model import Authority, Mode, Policy
from argocd_provenance.policy.patterns import BadPatternError

API_VERSIONS = ("policy.sigstore.dev/v1alpha1", "policy.sigstore.dev/v1beta1")

_MODES: tuple[Mode, ...] = ("enforce", "warn")
_MATCH = ("group", "version", "resource", "selector")
_RESOURCES = ("replicasets", "deployments", "pods", "cronjobs", "jobs", "statefulsets", "daemonsets")


def cluster_image_policy(root: Field) -> Policy | None:
    """The policy at `root`, or None and faults."""
    top = root.mapping(("apiVersion", "kind", "metadata", "spec", "status"), ("apiVersion", "kind", "metadata", "spec"))
    if not {"metadata", "spec"} <= top.keys():
        return None
    metadata = top["metadata"].mapping(None)
    name = metadata["name"].text() if "name" in metadata else ""
    if "name" not in metadata:
        top["metadata"].fault("name is missing")
    spec = top["spec"].mapping(("images", "authorities", "mode", "match", "policy"), ("images", "authorities"))
    if "policy" in spec:
        spec["policy"].fault("a policy over all authorities is not read here; write an ImagePolicy with `where` (CEL)")
    mode: Mode = spec["mode"].choice(_MODES) if "mode" in spec else "enforce"
    images = _images(spec["images"]) if "images" in spec else ()
    warnings: list[str] = []
    authorities: list[Authority] = []
    for place, item in enumerate(spec["authorities"].sequence(empty=False) if "authorities" in spec else ()):
        found = authority(item, place, warnings)
        if found is not None:
            authorities.append(found)
    match = _match(spec["match"]) if "match" in spec else ()
    if not images or not authorities:
        return None
    return Policy(
        name=name,
        origin=f"{root.file}:{root.line}",
        mode=mode,
        images=images,
        authorities=tuple(authorities),
        match=match,
        foreign=True,
        warnings=tuple(warnings),
    )


def _images(field: Field) -> tuple[ImagePattern, ...]:
    found = []
    for item in field.sequence(empty=False):
        glob = item.mapping(("glob",), ("glob",)).get("glob")
        written = glob.text() if glob is not None else ""
        if glob is None or not written:
            continue
        try:
            found.append(foreign_pattern(written))
        except BadPatternError as error:
            glob.fault(str(error))
    return tuple(found)


def _match(field: Field) -> tuple[dict[str, object], ...]:
    """`spec.match` as written. It is carried, not applied: the policy then holds for every object, which is stricter."""
    for item in field.sequence(empty=False):
        parts = item.mapping(_MATCH, ("version", "resource") if "selector" not in _names(item) else ())
        if "resource" in parts:
            parts["resource"].choice(_RESOURCES)
        if "selector" in parts:
            if not {"version", "resource"} <= parts.keys():
                item.fault("a selector needs version and resource beside it")
            parts["selector"].mapping(("matchLabels", "matchExpressions"))
    return tuple(item.plain_values() for item in field.sequence() if isinstance(item.plain_values(), dict))


def _names(field: Field) -> frozenset[str]:
    return frozenset(field.value) if isinstance(field.value, dict) else frozenset()
