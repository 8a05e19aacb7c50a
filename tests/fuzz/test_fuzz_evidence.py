"""Invariant: any bytes, anywhere in a bundle or layer, give a rejection with a known code, or evidence for the image.

A short run is part of the tests; a long one is ``FUZZ_RUNS=100000 pytest tests/fuzz/test_fuzz_evidence.py``.
"""

import json
import os
import random

from argocd_provenance.demo.sigstore import encode
from argocd_provenance.evidence.candidate import parse_bundle, parse_layer
from argocd_provenance.evidence.rejections import REJECTIONS
from argocd_provenance.evidence.values import Evidence, Rejected
from support.signing import FORMS, IMAGE, SIGSTORE, WORKFLOW, provenance, signature, verify

RUNS = int(os.environ.get("FUZZ_RUNS", "200"))
TOKENS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b":",
    b",",
    b"null",
    b"-1",
    b"1e999",
    b"\\u0000",
    b"\\ud800",
    b"\xef\xbb\xbf",
    b"\x00",
    b"=",
]


def damaged(raw: bytes, chance: random.Random) -> bytes:
    """`raw` with a few bytes cut, doubled, exchanged or put in."""
    changed = bytearray(raw)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        start = chance.randrange(len(changed) or 1)
        end = start + chance.choice([1, 1, 2, 8, 64, 512])
        match chance.randrange(5):
            case 0:
                del changed[start:end]
            case 1:
                changed[start:start] = changed[start:end]
            case 2:
                changed[start : start + 1] = bytes([chance.randrange(256)])
            case 3:
                changed[start:start] = chance.choice(TOKENS)
            case _:
                changed[start:end] = changed[start:end][::-1]
    return bytes(changed)


def holds(found: object) -> bool:
    """The invariant."""
    if isinstance(found, Rejected):
        return found.code in REJECTIONS and bool(found.reason)
    assert isinstance(found, Evidence)
    return found.subject == IMAGE and found.certificate is not None and found.certificate.identity == WORKFLOW


def test_damaged_bundles() -> None:
    """N29: bundles of every generation."""
    chance = random.Random(20260601)
    signer = SIGSTORE.issue()
    originals = [
        encode(SIGSTORE.bundle(signer, provenance())),
        encode(SIGSTORE.bundle(signer, signature(), log="v2", timestamp=True)),
        encode(SIGSTORE.bundle(signer, provenance(), kind="intoto/0.0.2", timestamp=True)),
    ]

    for _ in range(RUNS):
        raw = damaged(chance.choice(originals), chance)
        assert holds(verify(parse_bundle(raw, "fuzz"))), raw


def test_damaged_layers() -> None:
    """N29: layers, their descriptors written as JSON and damaged as text, and their contents."""
    chance = random.Random(20260602)
    signer = SIGSTORE.issue()
    layers = [SIGSTORE.sign_layer(IMAGE.text, signer, timestamp=True), SIGSTORE.attest_layer(provenance(), signer)]

    for _ in range(RUNS):
        layer = chance.choice(layers)
        try:
            descriptor = json.loads(damaged(json.dumps(layer.descriptor).encode(), chance))
        except ValueError:
            continue
        if isinstance(descriptor, dict):
            assert holds(verify(parse_layer(descriptor, layer.content, "fuzz"))), descriptor


def test_undamaged_ones_verify() -> None:
    """The fuzzing starts from objects that are good."""
    assert all(isinstance(verify(make(SIGSTORE.issue(), IMAGE)), Evidence) for make in FORMS.values())
