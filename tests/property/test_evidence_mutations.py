"""Whatever is done to the bytes: a rejection, or the same evidence. Never other evidence, never an exception."""

import base64
import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argocd_provenance.demo.sigstore import Layer, encode
from argocd_provenance.evidence.candidate import Candidate, parse_bundle, parse_layer
from argocd_provenance.evidence.rejections import REJECTIONS
from argocd_provenance.evidence.values import Evidence, Rejected
from argocd_provenance.oci.reference import Digest
from support.signing import (
    DOMAIN,
    IMAGE,
    SIGSTORE,
    VERIFIER,
    evidence,
    provenance,
    signature,
    verify,
)

BUNDLES = {
    "Rekor v1": SIGSTORE.bundle(SIGSTORE.issue(), provenance()),
    "Rekor v1 and timestamp": SIGSTORE.bundle(SIGSTORE.issue(), signature(annotations={"env": "prod"}), timestamp=True),
    "Rekor v2": SIGSTORE.bundle(SIGSTORE.issue(), provenance(), log="v2", timestamp=True),
    "intoto": SIGSTORE.bundle(SIGSTORE.issue(), provenance(), kind="intoto/0.0.2"),
}
LAYERS = {
    "signature": SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue(), timestamp=True),
    "attestation": SIGSTORE.attest_layer(provenance(), SIGSTORE.issue()),
    "intoto 0.0.1": SIGSTORE.attest_layer(provenance(), SIGSTORE.issue(), kind="intoto/0.0.1"),
}
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 1.5, "", "0", "-1", "AA==", "QR==", "9" * 20, "é", "\x00", "\ud800", [], {}, [[]], {"x": "y"}]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every member in `value`."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in items:
        yield from places(member, (*path, name))


@st.composite
def mutants(draw: st.DrawFn, original: Any) -> Any:
    """`original` with one member dropped, exchanged, doubled, or with a bit of its base64 turned."""
    mutant = copy.deepcopy(original)
    *way, last = draw(st.sampled_from(list(places(original))))
    holder = mutant
    for name in way:
        holder = holder[name]
    old = holder[last]
    kind = draw(st.integers(0, 5))
    if kind == 0:
        del holder[last]
    elif kind == 1 and isinstance(old, str) and old:
        holder[last] = _turned(draw, old)
    elif kind == 2 and isinstance(old, str) and old:
        position = draw(st.integers(0, len(old) - 1))
        holder[last] = old[:position] + draw(st.sampled_from('Aa0+/=. \n{}"')) + old[position + 1 :]
    elif kind == 3 and isinstance(old, str | list):
        holder[last] = old * 2
    elif kind == 4 and isinstance(old, str):
        holder[last] = old[: draw(st.integers(0, len(old)))]
    else:
        holder[last] = draw(VALUES)
    return mutant


def _turned(draw: st.DrawFn, old: str) -> str:
    try:
        raw = bytearray(base64.b64decode(old, validate=True))
    except ValueError:
        return old[::-1]
    if not raw:
        return "AA=="
    raw[draw(st.integers(0, len(raw) - 1))] ^= 1 << draw(st.integers(0, 7))
    return base64.b64encode(bytes(raw)).decode()


def same(found: object, good: Evidence) -> bool:
    """Whether `found` proves nothing, or what `good` does: perhaps by fewer times, or by another proof of the entry."""
    if isinstance(found, Rejected):
        return found.code in REJECTIONS
    assert isinstance(found, Evidence)
    if not set(found.times) <= set(good.times) or not found.times or not found.logged:
        return False
    varying = {"digest": good.digest, "times": good.times, "log_index": good.log_index}
    return replace(found, **varying) == good  # type: ignore[arg-type]


class TestMutations:
    """Design 7: attacker-made bytes give `Rejected`, nothing else."""

    @pytest.mark.parametrize("original", [pytest.param(b, id=name) for name, b in BUNDLES.items()])
    @settings(max_examples=30, deadline=None)
    @given(data=st.data())
    def test_a_bundle_with_one_member_changed(self, original: dict[str, Any], data: st.DataObject) -> None:
        """N29, U9: what a changed bundle still proves is what the good one proves."""
        good = evidence(verify(parse_bundle(encode(original), "x")))
        mutant = data.draw(mutants(original))

        found = verify(parse_bundle(json.dumps(mutant).encode(), "x"))

        assert same(found, good)

    @pytest.mark.parametrize("layer", [pytest.param(layer, id=name) for name, layer in LAYERS.items()])
    @settings(max_examples=30, deadline=None)
    @given(data=st.data())
    def test_a_layer_with_one_annotation_changed(self, layer: Layer, data: st.DataObject) -> None:
        """N19, N29: the same for descriptors and their annotations, and for the entry inside of one."""
        good = evidence(verify(parse_layer(layer.descriptor, layer.content, "x")))
        descriptor = copy.deepcopy(layer.descriptor)
        notes = descriptor["annotations"]
        if data.draw(st.booleans()):
            entry = data.draw(mutants(json.loads(notes["dev.sigstore.cosign/bundle"])))
            notes["dev.sigstore.cosign/bundle"] = json.dumps(entry)
        else:
            descriptor = data.draw(mutants(descriptor))

        found = verify(parse_layer(descriptor, layer.content, "x"))

        assert same(found, good)

    @pytest.mark.parametrize("original", [pytest.param(b, id=name) for name, b in BUNDLES.items()])
    @settings(max_examples=15, deadline=None)
    @given(data=st.data())
    def test_a_bundle_with_one_byte_changed(self, original: dict[str, Any], data: st.DataObject) -> None:
        """N29: bytes instead of members."""
        good = evidence(verify(parse_bundle(encode(original), "x")))
        raw = bytearray(encode(original))
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))

        assert same(verify(parse_bundle(bytes(raw), "x")), good)


class TestParsing:
    @settings(max_examples=50, deadline=None)
    @given(st.binary(max_size=200))
    def test_any_bytes_are_a_candidate_or_a_rejection(self, raw: bytes) -> None:
        """Parsing is total."""
        descriptor = {
            "mediaType": "application/vnd.dsse.envelope.v1+json",
            "digest": Digest.of(raw).text,
            "size": len(raw),
        }

        assert isinstance(parse_bundle(raw, "x"), Candidate | Rejected)
        assert isinstance(parse_layer(descriptor, raw, "x"), Candidate | Rejected)

    @settings(max_examples=50, deadline=None)
    @given(st.recursive(VALUES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10))
    def test_any_json_is_a_candidate_or_a_rejection(self, value: Any) -> None:
        """Parsing is total over descriptors too."""
        assert isinstance(parse_bundle(json.dumps(value).encode(), "x"), Candidate | Rejected)
        assert isinstance(parse_layer({"annotations": value}, b"", "x"), Candidate | Rejected)


def test_the_domain_of_these_tests_demands_everything() -> None:
    """The properties above are about the strictest domain."""
    assert DOMAIN.requires == {"sct", "log"}
    assert VERIFIER is not None
