"""What was found at a place, as an entry: the same again, and nothing else."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argocd_provenance.evidence import proofs as module
from argocd_provenance.evidence.found import Found, Spot, reopened, spelled
from argocd_provenance.evidence.proofs import Proofs
from argocd_provenance.evidence.trust import TrustDomain
from argocd_provenance.evidence.values import DomainAnchor, Evidence, KeyAnchor, Rejected
from argocd_provenance.evidence.verify import Verifier
from argocd_provenance.oci.reference import Repository
from argocd_provenance.records import replace
from support.memories import Keeper
from support.signing import (
    BARE,
    DOMAIN,
    IMAGE,
    OTHER,
    SIGSTORE,
    bundle_candidate,
    evidence,
    provenance,
    verify,
)

ANCHORS = (KeyAnchor(b"a key", log=False), DomainAnchor("test"))
NAMED = {"test": DOMAIN, "bare": BARE}
SPOT = Spot(Repository("ghcr.io", "acme/app"), IMAGE, "referrers", "", ("no api", f"tag {OTHER}", "manifest"))
GOOD = evidence(verify(bundle_candidate(SIGSTORE.bundle(SIGSTORE.issue(), provenance()))))
BAD = Rejected("verification", "no", "referrers", "somebody", "a type")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
TEXTS = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)


@given(st.dictionaries(st.text(), JSON, max_size=4), TEXTS, st.lists(st.text(), max_size=3), st.sampled_from(ANCHORS))
def test_evidence_comes_back_as_it_was(statement: Any, annotations: Any, names: Any, anchor: Any) -> None:
    """Every field, whatever JSON was signed."""
    piece = replace(
        GOOD,
        statement=statement,
        annotations=annotations,
        names=tuple(names),
        anchor=anchor,
        certificate=GOOD.certificate if isinstance(anchor, DomainAnchor) else None,
        times=(datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), *GOOD.times),
    )
    keeper = Keeper()
    found = Found((piece,), (BAD,), ("looked at: here",))
    with keeper.memory() as memory:
        Verifier(NAMED, Proofs(memory)).keep(SPOT, ANCHORS, found)
    with keeper.memory() as memory:
        assert Verifier(NAMED, Proofs(memory)).recall(SPOT, ANCHORS) == found


def test_what_came_back_was_read_without_sigstore() -> None:
    """No trusted root is read, and no certificate checked."""
    keeper = Keeper()
    with keeper.memory() as memory:
        Verifier(NAMED, Proofs(memory)).keep(SPOT, ANCHORS, Found((GOOD,)))
    with keeper.memory() as memory:
        again = Verifier(NAMED, Proofs(memory))
        found = again.recall(SPOT, ANCHORS)

    assert found == Found((GOOD,))
    assert again._instances == {}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"repository": Repository("ghcr.io", "acme/copy")}, id="repository"),
        pytest.param({"repository": Repository("example.io", "acme/app")}, id="host"),
        pytest.param({"subject": OTHER}, id="subject"),
        pytest.param({"place": "sig"}, id="place"),
        pytest.param({"tag_prefix": "x-"}, id="tag prefix"),
        pytest.param({"lists": ("no api", f"tag {IMAGE}", "manifest")}, id="list"),
        pytest.param({"lists": ("no api", f"tag {OTHER}", "no manifest")}, id="manifest"),
        pytest.param({"lists": ()}, id="no list"),
    ],
)
def test_what_was_found_is_about_one_spot(other: dict[str, Any]) -> None:
    """Another repository, image, place or list, and nothing is known."""
    assert _known(replace(SPOT, **other)) is None


@pytest.mark.parametrize(
    "anchors",
    [
        pytest.param(ANCHORS[:1], id="less"),
        pytest.param((*ANCHORS, DomainAnchor("bare")), id="more"),
        pytest.param((KeyAnchor(b"another", log=False), ANCHORS[1]), id="another key"),
        pytest.param((KeyAnchor(b"a key", log=False, stamped=True, domain="test"), ANCHORS[1]), id="a stricter key"),
        pytest.param((ANCHORS[0], DomainAnchor("bare")), id="another domain"),
    ],
)
def test_what_was_found_is_for_those_who_asked(anchors: Any) -> None:
    """Whom a policy trusts is part of the question."""
    assert _known(SPOT) is not None
    assert _known(SPOT, anchors=anchors) is None


def test_what_was_found_is_for_one_root_and_what_was_required_of_it() -> None:
    """A domain of the same name with another root, or that must prove less, is another one."""
    laxer = TrustDomain("test", DOMAIN.root, frozenset({"log"}))
    foreign = TrustDomain("test", DOMAIN.root + b" ", DOMAIN.requires)

    assert _known(SPOT, domain=laxer) is None
    assert _known(SPOT, domain=foreign) is None


def test_another_version_of_the_verifier_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an older version read, or let pass, is read again by the version that mended it."""
    keeper = _keeping()
    monkeypatch.setattr(module, "__version__", "999")
    with keeper.memory() as memory:
        assert Verifier(NAMED, Proofs(memory)).recall(SPOT, ANCHORS) is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda said: said["evidence"][0].pop(), id="a field less"),
        pytest.param(lambda said: said["evidence"][0].append(1), id="a field more"),
        pytest.param(lambda said: said["evidence"][0].__setitem__(0, "sha256:no"), id="no digest"),
        pytest.param(lambda said: said["evidence"][0].__setitem__(3, 9), id="an anchor that was not asked"),
        pytest.param(lambda said: said["evidence"][0].__setitem__(3, -1), id="the last anchor"),
        pytest.param(lambda said: said["rejected"][0].__setitem__(0, "odd"), id="no such code"),
        pytest.param(lambda said: said.pop("notes"), id="no notes"),
    ],
)
def test_an_entry_of_another_kind_is_none(change: Any) -> None:
    """What this version does not write is read by nobody, though it be sealed."""
    said = json.loads(spelled(Found((GOOD,), (BAD,)), ANCHORS))
    change(said)

    assert reopened(json.dumps(said).encode(), ANCHORS) is None
    assert reopened(b"\xff", ANCHORS) is None


def _keeping() -> Keeper:
    keeper = Keeper()
    with keeper.memory() as memory:
        Verifier(NAMED, Proofs(memory)).keep(SPOT, ANCHORS, Found((GOOD,), (BAD,)))
    return keeper


def _known(spot: Spot, anchors: Any = ANCHORS, domain: TrustDomain = DOMAIN) -> Found | None:
    """What is known of `spot` to who asks with `anchors`, after it was kept for `ANCHORS`."""
    with _keeping().memory() as memory:
        return Verifier({**NAMED, "test": domain}, Proofs(memory)).recall(spot, anchors)


def test_evidence_is_made_of_entries_by_the_verifier_alone() -> None:
    """What is reopened has the parts of evidence, and is none."""
    again = reopened(spelled(Found((GOOD,)), ANCHORS), ANCHORS)

    assert again is not None
    assert not any(isinstance(part, Evidence) for part in again.parts)
