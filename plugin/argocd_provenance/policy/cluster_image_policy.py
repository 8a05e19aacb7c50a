"""ClusterImagePolicy of the sigstore project, read as is onto our own model.

What only a cluster can resolve is read from a file that the config maps it to, or refused by name at load time: nothing
is skipped.

Schema: sigstore/policy-controller pkg/apis/policy/v1beta1/clusterimagepolicy_types.go; v1alpha1 has the same fields.
"""

from argocd_provenance.operatorfile import Field
from argocd_provenance.policy.authorities import authority
from argocd_provenance.policy.fields import Reading
from argocd_provenance.policy.foreignglob import foreign_pattern
from argocd_provenance.policy.foreignpolicy import overall_policy
from argocd_provenance.policy.imagepatterns import ImagePattern
from argocd_provenance.policy.model import Authority, MixedDomain, Mode, Policy
from argocd_provenance.policy.objectmatch import object_matches
from argocd_provenance.policy.patterns import BadPatternError

_MODES: tuple[Mode, ...] = ("enforce", "warn")


def cluster_image_policy(root: Field, reading: Reading) -> Policy | None:
    """The policy at `root`, or None and faults."""
    top = root.mapping(("apiVersion", "kind", "metadata", "spec", "status"), ("apiVersion", "kind", "metadata", "spec"))
    if not {"metadata", "spec"} <= top.keys():
        return None
    name = foreign_name(top["metadata"])
    spec = top["spec"].mapping(("images", "authorities", "mode", "match", "policy"), ("images", "authorities"))
    mode: Mode = spec["mode"].choice(_MODES) if "mode" in spec else "enforce"
    images = _images(spec["images"]) if "images" in spec else ()
    warnings: list[str] = []
    domains: list[MixedDomain] = []
    found = (
        authority(item, place, reading, warnings, domains)
        for place, item in enumerate(spec["authorities"].sequence(empty=False) if "authorities" in spec else ())
    )
    authorities = tuple(one for one in found if one is not None)
    match = object_matches(spec["match"]) if "match" in spec else ()
    over = overall_policy(spec["policy"], reading, warnings) if "policy" in spec else None
    if "policy" in spec:
        _refuse_twins(spec["policy"], authorities)
    if not images or not authorities:
        return None
    return Policy(
        name=name,
        origin=f"{root.file}:{root.line}",
        mode=mode,
        images=images,
        authorities=authorities,
        match=match,
        over=over,
        domains=tuple(dict.fromkeys(domains)),
        foreign=True,
        warnings=tuple(warnings),
    )


def foreign_name(metadata: Field) -> str:
    """``metadata.name`` of an object of a cluster, which may have what else the API server writes there."""
    fields = metadata.mapping(None)
    if "name" not in fields:
        metadata.fault("name is missing")
        return ""
    return fields["name"].text()


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


def _refuse_twins(field: Field, authorities: tuple[Authority, ...]) -> None:
    """A policy over all authorities tells them apart by their names."""
    names = [one.name for one in authorities]
    for name in sorted({name for name in names if names.count(name) > 1}):
        field.fault(f"two authorities are called {name}; give each a name of its own")
