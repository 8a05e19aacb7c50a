"""How many requests an image costs, and how many of them wait for another: counted, cold, with every import done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance.demo.registry import Registry
from argocd_provenance.demo.sigstore import encode
from argocd_provenance.evidence.trust import trust_domain
from argocd_provenance.evidence.verify import Verifier
from support.registries import client
from support.rounds import Rounds
from support.scenario import Scenario
from support.shop import BUILT, PROVENANCE, SIGNATURE, SIGNED, decide, policies, policy, shop

BOTH = f"{SIGNATURE}\n{PROVENANCE}"
SIG, ATT = {**SIGNED, "form": "sig"}, {**BUILT, "form": "att"}

Counted = tuple[int, int]


@pytest.fixture
def counted(tmp_path: Path) -> Callable[..., Counted]:
    """Requests and rounds that an image with these attachments costs under a policy, once the host is known."""

    def count(attached: list[dict[str, Any]], require: str, *, referrers: bool) -> Counted:
        images = [{"image": "acme/web:v1", "attach": attached}, {"image": "acme/known:v1"}]
        with shop(tmp_path, images=images) as scenario:
            return min(_once(scenario, require, referrers=referrers) for _ in range(3))

    return count


def _once(scenario: Scenario, require: str, *, referrers: bool) -> Counted:
    verifier = Verifier({"test": trust_domain("test", encode(scenario.sigstore.trusted_root()))})
    with Rounds(referrers=referrers) as registry:
        _move(scenario.registry, registry)
        judged_by = policies(policy(require), host=registry.host)
        with client(registry.host) as asking:
            decide(asking, verifier, judged_by, f"{registry.host}/acme/known:v1")
            requests, rounds = len(registry.requests), len(registry.rounds)
            (decided,) = decide(asking, verifier, judged_by, f"{registry.host}/acme/web:v1").values()

        assert decided.decision.word == "verified"
        return len(registry.requests) - requests, len(registry.rounds) - rounds


def _move(here: Registry, there: Registry) -> None:
    there.contents = here.contents


@pytest.mark.parametrize("referrers", [True, False], ids=["api", "tags"])
@pytest.mark.parametrize(
    ("attached", "require", "requests"),
    [
        pytest.param([BUILT], PROVENANCE, 4, id="provenance"),
        pytest.param([SIGNED, BUILT], BOTH, 6, id="signature and provenance as bundles"),
        pytest.param([SIG, BUILT], BOTH, 6, id="signature under .sig, provenance as bundle"),
    ],
)
def test_an_image_costs_few_requests_and_four_round_trips(
    counted: Callable[..., Counted],
    attached: list[dict[str, Any]],
    require: str,
    requests: int,
    referrers: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Tag; list; referrer beside cosign's tag; bundle beside its layer. The connection is there already."""
    assert counted(attached, require, referrers=referrers) == (requests, 4)


@pytest.mark.parametrize(
    ("attached", "require", "requests"),
    [
        pytest.param([ATT], PROVENANCE, 4, id="provenance under .att"),
        pytest.param([SIG], SIGNATURE, 4, id="signature under .sig"),
        pytest.param([SIG, ATT], BOTH, 6, id="both under cosign's tags"),
    ],
)
def test_what_lies_under_cosigns_tags_costs_no_more(
    counted: Callable[..., Counted], attached: list[dict[str, Any]], require: str, requests: int
) -> None:
    """Tag; empty list; cosign's tags at once; their layers. No place is asked that the demand does not need."""
    assert counted(attached, require, referrers=False) == (requests, 4)
