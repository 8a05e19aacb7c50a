"""The index of policies leaves none out: what it offers is all that a walk over every policy would find."""

from hypothesis import example, given
from hypothesis import strategies as st

from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.policy.foreignglob import foreign_pattern
from argocd_provenance.policy.imagepatterns import Image, ImagePattern
from argocd_provenance.policy.index import PolicyIndex
from argocd_provenance.policy.model import Policy
from argocd_provenance.policy.patterns import BadPatternError

DIGEST = Digest("sha256:" + "1a" * 32)
PARTS = (
    "ghcr.io",
    "docker.io",
    "index.docker.io",
    "localhost:5000",
    "acme",
    "acme-shop",
    "library",
    "nginx",
    "shop",
    "*",
    "**",
    "sh*",
    "n*x",
)
NAMES = ("ghcr.io/acme/shop", "ghcr.io/acme/acme-shop/nginx", "nginx", "library/nginx", "docker.io/acme/shop", "acme/shop",
         "index.docker.io/library/nginx", "localhost:5000/acme/shop", "ghcr.io/shop")  # fmt: skip

written = st.builds(
    lambda parts, tail: "/".join(parts) + tail,
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=4),
    st.sampled_from(("", ":v1", ":*", "@sha256:*", f"@{DIGEST.text}", "**", ":v1**")),
)
references = st.builds(
    lambda name, tail: f"{name}{tail}",
    st.sampled_from(NAMES),
    st.sampled_from(("", ":v1", ":latest", f"@{DIGEST.text}", f":v1@{DIGEST.text}")),
)


def policies(texts: list[tuple[str, bool]]) -> list[Policy]:
    """A policy for each pattern; some as ClusterImagePolicy writes them."""
    found = []
    for number, (text, foreign) in enumerate(texts):
        try:
            pattern: ImagePattern = foreign_pattern(text) if foreign else ImagePattern.parse(text)
        except BadPatternError:
            continue
        found.append(Policy(f"p{number}", f"f:{number}", "pin", (pattern,)))
    return found


@example([("nginx*", True)], "nginx:v1")
@example([("index.docker.io/library/*", True)], "nginx")
@example([("acme/*", True)], "acme/shop:v1")
@example([("acme/shop:v1", True)], "acme/shop:v1")
@example([("library/*", True)], "library/nginx")
@example([("GHCR.*/acme/*", True)], "GHCR.io/acme/shop")
@given(st.lists(st.tuples(written, st.booleans()), max_size=6), references)
def test_no_policy_that_matches_is_left_out(texts: list[tuple[str, bool]], reference: str) -> None:
    """Whatever is written in a pattern or in a reference, before the digest is known and after."""
    every = policies(texts)
    parsed = Reference.parse(reference)
    offered = PolicyIndex(every).offered(parsed.repository.name)

    for digest in (None, DIGEST):
        image = Image(parsed, digest)
        matching = [p for p in every if any(q.matches(image) or q.awaits_digest(image) for q in p.images)]
        assert [p for p in matching if p not in offered] == []
    assert [p for p in every if p in offered] == list(offered)
