"""The operator's policy files as policies: every fault of every file at once, and nothing that nobody reads.

A file holds any number of documents, each an ImagePolicy, a ClusterImagePolicy, or a TrustRoot that these name.
"""

from collections.abc import Callable, Sequence
from datetime import date

from argocd_provenance.operatorfile import Faults, Field, documents
from argocd_provenance.policy.builderfields import builders
from argocd_provenance.policy.cluster import API_VERSIONS as FOREIGN_VERSIONS
from argocd_provenance.policy.cluster import Cluster
from argocd_provenance.policy.fields import Reading, globs, image_patterns, pattern
from argocd_provenance.policy.giturl import normalised
from argocd_provenance.policy.model import (
    Applications,
    Authority,
    Demand,
    Mode,
    Platforms,
    Policy,
    PolicyException,
    SubjectName,
)
from argocd_provenance.policy.patterns import Glob
from argocd_provenance.policy.require import demand
from argocd_provenance.policy.trust_root import TrustRoot, trust_root
from argocd_provenance.records import dataclass

API_VERSION = "argocd-provenance.io/v1alpha1"
KIND = "ImagePolicy"

_MODES: tuple[Mode, ...] = ("enforce", "warn", "pin")
_SPEC = (
    "mode", "images", "exclude", "applications", "require", "platforms", "subjectName", "exceptions", "builders",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the operator's policy files hold: policies, and the trust domains that TrustRoot objects describe."""

    policies: tuple[Policy, ...] = ()
    trust_roots: tuple[TrustRoot, ...] = ()


def load_policies(files: Sequence[tuple[str, str]], read: Callable[[str], bytes]) -> tuple[Policy, ...]:
    """The policies of `files` alone, as `load_files` reads them."""
    return load_files(files, read).policies


def load_files(
    files: Sequence[tuple[str, str]], read: Callable[[str], bytes], cluster: Cluster | None = None
) -> Loaded:
    """The policies and trust roots of `files` (path and text), in their order.

    `read` gives the bytes of a key file, which is named beside the policy file; `cluster` is what the config gives
    instead of a cluster's objects. Raises `FileFaults` with all faults.
    """
    faults = Faults()
    found: list[Policy | TrustRoot] = []
    for file, text in files:
        reading = Reading(file, read, cluster or Cluster())
        found += [one for root in documents(file, text, faults) if (one := _document(root, reading)) is not None]
    policies = tuple(one for one in found if isinstance(one, Policy))
    roots = tuple(one for one in found if isinstance(one, TrustRoot))
    _refuse_twins(policies, faults)
    _refuse_twins(roots, faults)
    faults.raise_any()
    return Loaded(policies, roots)


def _document(root: Field, reading: Reading) -> Policy | TrustRoot | None:
    fields = root.mapping(None)
    said = {name: str(fields[name].plain_values()) for name in ("apiVersion", "kind") if name in fields}
    if said.get("apiVersion") in FOREIGN_VERSIONS and said.get("kind") in ("TrustRoot", "ClusterImagePolicy"):
        # With CUE and CEL behind them: who has none does not wait for what reads them.
        from argocd_provenance.policy.cluster_image_policy import cluster_image_policy, foreign_name

        if said["kind"] == "TrustRoot":
            return trust_root(root, foreign_name(fields["metadata"]) if "metadata" in fields else "")
        return cluster_image_policy(root, reading)
    top = root.mapping(("apiVersion", "kind", "metadata", "spec"), ("apiVersion", "kind", "metadata", "spec"))
    if "apiVersion" in top:
        top["apiVersion"].choice((API_VERSION, *(FOREIGN_VERSIONS if said.get("kind") == "ClusterImagePolicy" else ())))
    if "kind" in top:
        top["kind"].choice((KIND, "ClusterImagePolicy"))
    if not {"metadata", "spec"} <= top.keys() or said.get("kind") == "ClusterImagePolicy":
        return None
    return _image_policy(root, policy_name(top["metadata"]), top["spec"], reading)


def policy_name(metadata: Field) -> str:
    """``metadata.name``; labels and annotations are Kubernetes' own, and mean nothing here."""
    fields = metadata.mapping(("name", "labels", "annotations"), ("name",))
    return fields["name"].text() if "name" in fields else ""


def _image_policy(root: Field, name: str, spec: Field, reading: Reading) -> Policy | None:
    fields = spec.mapping(_SPEC, ("images",))
    mode: Mode = fields["mode"].choice(_MODES) if "mode" in fields else "enforce"
    images = image_patterns(fields["images"], empty=False) if "images" in fields else ()
    demands = _require(spec, fields.get("require"), mode, reading)
    exclude = image_patterns(fields["exclude"]) if "exclude" in fields else ()
    applications = _applications(fields["applications"]) if "applications" in fields else None
    platforms = _platforms(fields["platforms"]) if "platforms" in fields else Platforms()
    subject_name = _subject_name(fields["subjectName"]) if "subjectName" in fields else SubjectName()
    exceptions = tuple(_exception(item) for item in fields["exceptions"].sequence()) if "exceptions" in fields else ()
    if not images or (mode != "pin" and not demands):
        return None
    return Policy(
        name=name,
        origin=f"{root.file}:{root.line}",
        mode=mode,
        images=images,
        authorities=(Authority(demands),) if demands else (),
        exclude=exclude,
        applications=applications,
        platforms=platforms,
        subject_name=subject_name,
        exceptions=exceptions,
        builders=builders(fields["builders"], reading) if "builders" in fields else (),
    )


def _require(spec: Field, require: Field | None, mode: str, reading: Reading) -> tuple[Demand, ...]:
    if mode == "pin":
        if require is not None and require.value != ():
            require.fault("mode: pin proves nothing and takes no `require`; remove one of the two")
        return ()
    if require is None:
        spec.fault("require is missing: a policy that demands nothing proves nothing (only mode: pin has none)")
        return ()
    found = (demand(item, reading) for item in require.sequence(empty=False))
    return tuple(entry for entry in found if entry is not None)


def _applications(field: Field) -> Applications:
    parts = field.mapping(("projects", "names", "repositories"))
    if not parts and field.value == {}:
        field.fault("is empty; name projects, names or repositories, or leave it out")
    return Applications(
        projects=globs(parts["projects"]) if "projects" in parts else (),
        names=globs(parts["names"]) if "names" in parts else (),
        repositories=_repositories(parts["repositories"]) if "repositories" in parts else (),
    )


def _repositories(field: Field) -> tuple[Glob, ...]:
    found = []
    for item in field.sequence(empty=False):
        url = normalised(item.text())
        if not url:
            item.fault("is no repository URL")
        found.append(pattern(item, Glob, url or "-"))
    return tuple(glob for glob in found if glob is not None)


def _platforms(field: Field) -> Platforms:
    if isinstance(field.value, tuple):
        names = field.texts(empty=False)
        for item, name in zip(field.sequence(), names, strict=True):
            if len(name.split("/")) not in (2, 3) or not all(name.split("/")):
                item.fault(f"is {name!r}; a platform is written as linux/amd64 or linux/arm/v7")
        return Platforms("some", names)
    return Platforms("all") if field.choice(("index", "all")) == "all" else Platforms()


def _subject_name(field: Field) -> SubjectName:
    if isinstance(field.value, tuple):
        return SubjectName("patterns", image_patterns(field, empty=False))
    return SubjectName("same") if field.choice(("any", "same")) == "same" else SubjectName()


def _exception(field: Field) -> PolicyException:
    names = ("images", "owner", "reason", "expires")
    parts = field.mapping(names, names)
    images = image_patterns(parts["images"], empty=False) if "images" in parts else ()
    for found in images:
        if not found.names_a_digest:
            parts["images"].fault(f"{found.written} names no digest; an exception is for repository@sha256:… only")
    return PolicyException(
        images,
        parts["owner"].text() if "owner" in parts else "",
        parts["reason"].text() if "reason" in parts else "",
        parts["expires"].date() if "expires" in parts else date.min,
    )


def _refuse_twins(policies: Sequence[Policy | TrustRoot], faults: Faults) -> None:
    """A report names policies by their names, so no two may share one."""
    seen: dict[str, str] = {}
    for policy in policies:
        what = "policy" if isinstance(policy, Policy) else "trust root"
        if policy.name in seen:
            file, _, line = policy.origin.rpartition(":")
            faults.add(
                file, int(line), f"metadata.name: {policy.name} is the name of the {what} at {seen[policy.name]} too"
            )
        seen.setdefault(policy.name, policy.origin)
