"""Attacks on the reading of manifests: each is an image that Argo CD would deploy, and that must be seen or refused."""

import pytest

from argocd_provenance.documents import read
from argocd_provenance.errors import DocumentError

_POD = "apiVersion: v1\nkind: {kind}\nmetadata: {{name: p}}\n"


@pytest.mark.parametrize(
    "text",
    [
        # The word stands alone in a list, which is no key, and comes back as one.
        _POD.format(kind="Pod") + "spec:\n  containers:\n  - args:\n    - &k image\n    *k : evil:1\n",
        # The kind is spelled so that no first look sees a pod, and what follows the word is no text.
        _POD.format(kind='"\\x50od"') + "x: {&k image : [1]}\nspec:\n  containers:\n  - *k : evil:1\n",
    ],
    ids=["list", "odd"],
)
def test_a_word_with_an_anchor_is_looked_at(text: str) -> None:
    """`image` may become a key by an alias, so a document where it carries an anchor never passes unread."""
    with pytest.raises(DocumentError, match="an alias as a key"):
        read([("f.yaml", text)])
