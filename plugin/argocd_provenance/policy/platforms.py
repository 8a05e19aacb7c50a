"""What is verified of a multi-arch image: the index alone, or what it lists too.

The digest that is named is always verified. Less is never asked of a platform than of the index.
"""

from collections.abc import Mapping

from argocd_provenance.oci.reference import Digest
from argocd_provenance.policy.model import Policy
from argocd_provenance.verdict import Finding


def to_verify(policy: Policy, children: Mapping[str, Digest]) -> tuple[Mapping[str, Digest], tuple[Finding, ...]]:
    """The platforms of an index that `policy` wants verified beside it, and findings for those that are not there.

    `children` is empty for an image of one platform, of which there is nothing more to verify.
    """
    wanted = policy.platforms
    if wanted.kind == "index":
        return {}, ()
    if wanted.kind == "all" or not children:
        return dict(sorted(children.items())), ()
    found = {name: children[name] for name in wanted.names if name in children}
    missing = tuple(
        Finding(
            "platform",
            f"the image has no {name}",
            expected=", ".join(wanted.names),
            found=", ".join(sorted(children)),
            fix="build the image for this platform, or take it out of `platforms`",
        )
        for name in wanted.names
        if name not in children
    )
    return found, missing
