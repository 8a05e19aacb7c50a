"""Invariant: any text is read, or refused with DocumentError; what is read can be written, and the writing can be read."""

import random

import pytest

from argocd_provenance.documents import emit, read
from argocd_provenance.errors import DocumentError, Error

SEEDS = (
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n  annotations:\n    a: b\nspec:\n  containers:\n  - name: c\n    image: &i 'a/b:1'\n    args: [*i]\n",
    '{"kind":"List","items":[{"kind":"Pod","metadata":{"annotations":{"argocd-provenance.io/verdict":"x"}},"spec":{"containers":[{"image":"a"}]}}]}',
    "x: &c {image: a}\n---\nspec:\n  volumes:\n  - image: {reference: >-\n      d:1\n  }\n  initContainers: [{<<: *c}]\n",
    "apiVersion: tekton.dev/v1\nkind: Task\nspec:\n  steps:\n  - image: |-\n      a:1\n    script: |\n      x\n",
)
BITS = ("---\n", "...\n", "&a ", "*a", "*i", "<<: *c\n", "? ", ": ", "- ", "!!str ", "!", "'", '"', "{", "}", "[", "]", "|\n", ">", "#", "\t", "\r\n", "\ufeff", "\x00", "\ud800", "image: b\n", "  ", "\n", "%Y", "\\", "~", "items:\n", "metadata:\n", "annotations:", "\U0001f600", "é")  # fmt: skip


def mutated(chance: random.Random) -> str:
    """A seed with a few edits."""
    text = chance.choice(SEEDS)
    for _ in range(chance.randrange(1, 6)):
        at, to = sorted((chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)))
        match chance.randrange(4):
            case 0:
                text = text[:at] + chance.choice(BITS) + text[at:]
            case 1:
                text = text[:at] + text[min(to, at + 12) :]
            case 2:
                text = text[:at] + text[to:] + text[at : min(to, at + 40)]
            case _:
                text = text[:to] + text[at:to] + text[to:]
    return text


@pytest.mark.parametrize("seed", range(6))
def test_any_text_is_read_or_refused(seed: int) -> None:
    """No other exception, and no output that cannot be read again or still has forged annotations."""
    chance = random.Random(seed)
    for _ in range(250):
        text = mutated(chance)
        try:
            rendered = read([("f", text)])
        except DocumentError:
            continue
        try:
            out = emit(
                rendered,
                {i.written: i.written + "@sha256:0" for i in rendered.images},
                lambda _: {"argocd-provenance.io/verdict": "warned"},
            )
        except Error as error:
            assert type(error) is DocumentError, (text, error)  # noqa: PT017  "not what was intended" would be a fault of ours
            continue

        again = read([("f", out)])

        assert sorted(i.written for i in again.images) == sorted(i.written + "@sha256:0" for i in rendered.images), text
