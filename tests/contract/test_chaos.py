"""Registries that fail and lie at random, by a seed: whatever they do, three invariants hold.

More seeds: ``CHAOS_SEEDS=500 pytest tests/contract/test_chaos.py``.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from argocd_provenance.deadline import Deadline
from argocd_provenance.demo.contents import Contents
from argocd_provenance.demo.registry import Registry
from argocd_provenance.demo.sigstore import encode
from argocd_provenance.evidence.trust import trust_domain
from argocd_provenance.evidence.verify import Verifier
from argocd_provenance.oci.credential import Credential
from argocd_provenance.oci.credentials import Credentials
from argocd_provenance.pipeline import Decided
from argocd_provenance.verdict import Outcome
from support.chaos import BREAKS, LIES, LOGIN, Chaos, Fault
from support.registries import Clock, client
from support.shop import BUILT, PROVENANCE, SIGNATURE, SIGNED, decide, policies, policy, shop

SEEDS = int(os.environ.get("CHAOS_SEEDS", "24"))
SECONDS = 20.0
IMAGES: list[dict[str, Any]] = [
    {"image": "acme/web:v1", "attach": [SIGNED, BUILT]},
    {"image": "acme/old:v1", "attach": [{**SIGNED, "form": "sig"}, {**BUILT, "form": "att"}]},
    {"image": "acme/api:v1"},
]


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Contents, Verifier]]:
    """Two signed images and one that is not, and the verifier that knows who signs here."""
    with shop(tmp_path_factory.mktemp("chaos"), images=IMAGES) as scenario:
        root = encode(scenario.sigstore.trusted_root())
        yield scenario.registry.contents, Verifier({"test": trust_domain("test", root)})


def run(stock: tuple[Contents, Verifier], seed: int, faults: dict[str, Fault]) -> tuple[dict[str, Decided], Clock]:
    """What is decided about the three images; what leaked is an assertion."""
    contents, verifier = stock
    clock = Clock()
    with Registry(address="127.0.0.2") as foreign, Chaos(contents, seed, faults, foreign.host) as registry:
        found = Credentials.for_host(registry.host, Credential(*LOGIN))
        judged_by = policies(policy(f"{SIGNATURE}\n{PROVENANCE}"), host=registry.host)
        with client(registry.host, credentials=found, clock=clock, seconds=SECONDS) as asking:
            references = [f"{registry.host}/{image['image']}" for image in IMAGES]
            decided = decide(asking, verifier, judged_by, *references, deadline=Deadline(SECONDS, clock))
        assert all("authorization" not in request.headers for request in foreign.requests)
        assert not [request for request in foreign.requests if request.path.startswith(("/token", "/next"))]
        said = repr(decided)
        assert "hunter2" not in said
        assert not [token for token in registry.tokens if token in said]
    return {one.written.rpartition("/")[2]: one for one in decided.values()}, clock


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_registry_that_fails_never_makes_an_image_refused_or_passed(
    stock: tuple[Contents, Verifier], seed: int
) -> None:
    """Without an answer nothing is decided: a good image is verified or not checked, an unsigned one never passes."""
    decided, clock = run(stock, seed, BREAKS)

    for name in ("web:v1", "old:v1"):
        assert decided[name].decision.outcome in (Outcome.ALLOWED, Outcome.ERROR), decided[name]
    assert decided["api:v1"].decision.outcome in (Outcome.DENIED, Outcome.ERROR), decided["api:v1"]
    assert clock.now <= SECONDS


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_registry_that_lies_never_gains_by_it(stock: tuple[Contents, Verifier], seed: int) -> None:
    """What passes is a digest that was signed, whatever was sent; everything else blocks, with a reason."""
    contents, _ = stock
    signed = {contents.tags[f"acme/{name}", "v1"] for name in ("web", "old")}

    decided, clock = run(stock, 1000 + seed, BREAKS | LIES)

    for one in decided.values():
        if one.decision.outcome is Outcome.ALLOWED:
            assert one.digest is not None
            assert one.digest.text in signed
            assert one.pinned.endswith(f"@{one.digest}")
        else:
            assert one.decision.findings
            assert one.pinned == ""
    assert clock.now <= SECONDS
