"""`spec.match` of a ClusterImagePolicy: which objects a policy is about.

Upstream is asked about the pods that a Deployment makes as well as about the Deployment; here only what stands in the
manifests is seen. So an entry for pods holds for every object that makes pods, and an entry with labels of an object
that is not there yet holds for all that could make it: stricter, never weaker.

policy-controller: pkg/apis/config/image_policies.go, ``GetMatchingPolicies``.
"""

from collections.abc import Mapping

from argocd_provenance.operatorfile import Field
from argocd_provenance.records import dataclass

_RESOURCES = ("replicasets", "deployments", "pods", "cronjobs", "jobs", "statefulsets", "daemonsets")
_KINDS = {
    "Pod": "pods", "ReplicaSet": "replicasets", "Deployment": "deployments", "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets", "Job": "jobs", "CronJob": "cronjobs",
}  # fmt: skip
_GROUPS = {"pods": "", "jobs": "batch", "cronjobs": "batch"}
# What the objects of a kind make in the cluster.
_MAKES = {
    "replicasets": ("pods",), "deployments": ("replicasets", "pods"), "statefulsets": ("pods",),
    "daemonsets": ("pods",), "jobs": ("pods",), "cronjobs": ("jobs", "pods"), "pods": (),
}  # fmt: skip
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


@dataclass(frozen=True, slots=True)
class Carrier:
    """An object that runs an image."""

    api_version: str
    kind: str
    labels: tuple[tuple[str, str], ...] | None = ()
    """None: not known, which fits any selector."""


@dataclass(frozen=True, slots=True)
class LabelDemand:
    """One entry of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether `labels` satisfy it (apimachinery: pkg/labels/selector.go)."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case _:
                return self.key not in labels


@dataclass(frozen=True, slots=True)
class ObjectMatch:
    """One entry: a resource of a group and version (or ``*``), and the labels of the object."""

    group: str
    version: str
    resource: str
    selector: tuple[LabelDemand, ...] = ()

    def fits(self, carrier: Carrier) -> bool:
        """Whether `carrier`, or something that it makes, is such an object."""
        group, _, version = carrier.api_version.rpartition("/")
        resource = _KINDS.get(carrier.kind)
        if resource is None or group != _group_of(resource):
            return True  # a kind that upstream never sees: the pods that it makes could be any
        if resource == self.resource:
            # The API server turns whatever version it serves into v1 before it asks the webhook (matchPolicy Equivalent),
            # so an entry for v1 holds for an object that is written in an older one.
            same = self.group == group and self.version in {"*", "v1", version}
            if carrier.labels is None:
                return same
            labels = dict(carrier.labels)
            return same and all(demand.fits(labels) for demand in self.selector)
        made = self.resource in _MAKES[resource]
        return made and self.group == _group_of(self.resource) and self.version in {"*", "v1"}


def object_matches(field: Field) -> tuple[ObjectMatch, ...]:
    """The entries of `spec.match`."""
    found = []
    for item in field.sequence(empty=False):
        parts = item.mapping(("group", "version", "resource", "selector"), ("version", "resource"))
        if not {"version", "resource"} <= parts.keys():
            continue
        found.append(
            ObjectMatch(
                parts["group"].text(empty=True) if "group" in parts else "",
                parts["version"].text(),
                parts["resource"].choice(_RESOURCES),
                _selector(parts["selector"]) if "selector" in parts else (),
            )
        )
    return tuple(found)


def _selector(field: Field) -> tuple[LabelDemand, ...]:
    parts = field.mapping(("matchLabels", "matchExpressions"))
    found = []
    if "matchLabels" in parts:
        for key, value in parts["matchLabels"].mapping(None).items():
            found.append(LabelDemand(key, "In", (value.text(empty=True),)))
    for item in parts["matchExpressions"].sequence() if "matchExpressions" in parts else ():
        entry = item.mapping(("key", "operator", "values"), ("key", "operator"))
        if not {"key", "operator"} <= entry.keys():
            continue
        operator = entry["operator"].choice(_OPERATORS)
        values = entry["values"].texts() if "values" in entry else ()
        if bool(values) is not (operator in {"In", "NotIn"}):
            item.fault("takes values with In and NotIn, and none with Exists and DoesNotExist")
        found.append(LabelDemand(entry["key"].text(), operator, values))
    return tuple(found)


def _group_of(resource: str) -> str:
    return _GROUPS.get(resource, "apps")
