"""Other tools' policies as ImagePolicies that decide the same, or stricter, and say where.

One law: what the original refuses the import never takes. What cannot be carried over is refused by name, and nothing is
written then.
"""

from collections.abc import Sequence

from argocd_provenance.errors import FileFaults
from argocd_provenance.operatorfile import Faults, Field, documents
from argocd_provenance.policy.cluster import API_VERSIONS
from argocd_provenance.policy.cluster_image_policy import cluster_image_policy
from argocd_provenance.policy.fields import Reading
from argocd_provenance.policy.importing.commands import Read, from_command
from argocd_provenance.policy.importing.draft import Draft, write
from argocd_provenance.policy.importing.foreign import from_cluster_image_policy
from argocd_provenance.policy.importing.kyverno import from_cluster_policy, from_image_validating_policy
from argocd_provenance.policy.load import load_policies


def import_command(words: Sequence[str], read: Read) -> str:
    """The ImagePolicy that a command line is, as YAML; raises `FileFaults` with all that cannot be carried over."""
    return _checked([from_command(words, read)])


def import_file(file: str, text: str) -> str:
    """The ImagePolicies that the documents of a file are, as YAML; raises `FileFaults` as above."""
    faults = Faults()
    drafts = [draft for root in documents(file, text, faults) for draft in _drafts(root)]
    faults.raise_any()
    return _checked(drafts)


def _drafts(root: Field) -> Sequence[Draft]:
    fields = root.mapping(None)
    version, kind = (str(fields[n].plain_values()) if n in fields else "" for n in ("apiVersion", "kind"))
    group = version.partition("/")[0]
    if kind == "ClusterImagePolicy" and version in API_VERSIONS:
        before = len(root.faults.found)
        draft = from_cluster_image_policy(root)
        if len(root.faults.found) == before:
            cluster_image_policy(root, Reading(root.file, _no_file))  # whatever it refuses was no policy before either
        return [draft]
    if kind in {"ClusterPolicy", "Policy"} and group == "kyverno.io":
        return from_cluster_policy(root)
    if kind == "ImageValidatingPolicy" and group == "policies.kyverno.io":
        return from_image_validating_policy(root)
    root.fault(
        f"{version} {kind} cannot be imported; known: ClusterImagePolicy (policy.sigstore.dev), ClusterPolicy (kyverno.io), "
        "ImageValidatingPolicy (policies.kyverno.io)"
    )
    return []


def _checked(drafts: Sequence[Draft]) -> str:
    """The text, if our own loader takes it; what it refuses (a key that is none) is a fault of what was imported."""
    written = write(drafts)
    try:
        load_policies([("imported", written)], _no_file)
    except FileFaults as error:
        raise FileFaults([f"what was imported is no policy: {fault}" for fault in error.faults]) from error
    return written


def _no_file(name: str) -> bytes:
    raise FileNotFoundError(2, "No such file or directory", name)
