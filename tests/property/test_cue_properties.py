"""CUE: whatever the text, a policy or a `CueError`; and less evidence never helps."""

import json
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from argocd_provenance.policy.cue import CueError, CuePolicy
from support.cuecases import Cases, broken

SEEDS = st.integers(0, 10**6)
STATEMENT = {"predicateType": "x", "predicate": {"a": [1, {"b": None}], "c": "d"}}


def holds(policy: str, statement: Any) -> bool:
    """Whether `policy` is read, and holds."""
    try:
        return CuePolicy(policy).failure({"statement": statement}) is None
    except CueError:
        return False


@given(st.text(max_size=200))
def test_any_text_is_a_policy_or_a_cue_error(text: str) -> None:
    """Nothing else is raised."""
    holds(text, STATEMENT)


@given(SEEDS)
def test_a_broken_policy_is_a_policy_or_a_cue_error(seed: int) -> None:
    """A few characters away from a good one."""
    policy, statement = Cases(seed).pair()

    holds(broken(policy, random.Random(seed)), json.loads(statement))


@given(SEEDS, st.data())
def test_less_evidence_never_helps(seed: int, data: st.DataObject) -> None:
    """A field taken away satisfies no policy that has neither optional fields nor upper limits."""
    policy, text = Cases(seed).pair()
    statement = json.loads(text)
    keys = sorted(statement["predicate"])
    if not keys or any(word in policy for word in ("?", "Max", "if ", "|")) or holds(policy, statement):
        return
    statement["predicate"].pop(data.draw(st.sampled_from(keys)))

    assert not holds(policy, statement)
