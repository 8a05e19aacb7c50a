"""Invariant: any text is a policy that decides, or a `CueError`; and reading it takes no time to speak of.

A short run is part of the tests; a long one is ``FUZZ_RUNS=100000 pytest tests/fuzz/test_fuzz_cue.py``.
"""

import json
import os
import random

from argocd_provenance.policy.cue import CueError, CuePolicy
from support.cuecases import Cases, broken

RUNS = int(os.environ.get("FUZZ_RUNS", "300"))


def test_a_broken_policy_decides_or_is_refused() -> None:
    """However often it was broken, with and without presence."""
    chance = random.Random(os.environ.get("FUZZ_SEED", "1"))
    cases = Cases(chance.randrange(10**6))
    read = 0
    for _ in range(RUNS):
        policy, statement = cases.pair()
        for _ in range(chance.choice((0, 1, 1, 4))):
            policy = broken(policy, chance)
        try:
            mine = CuePolicy(policy, missing_ok=chance.random() < 0.5)
        except CueError as error:
            assert error.line >= 1  # noqa: PT017 - the place is the point
            continue
        read += 1
        said = mine.failure({"statement": json.loads(statement)})
        assert said is None or said
    assert read > RUNS // 20
