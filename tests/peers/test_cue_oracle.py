"""Our reading of CUE beside cue itself: never allowed where cue says no.

The Go program in ``cueoracle/`` makes upstream's calls, and no others. ``CUEORACLE_BIN`` names a folder where it is built
already; `tests/peers/install` puts it beside the other peers.
"""

import json
import os
import random
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml

from argocd_provenance.evidence import strict_json
from argocd_provenance.policy.cue import RESULT, STATEMENT, CueError, CuePolicy
from support.cuecases import Cases, broken

pytestmark = pytest.mark.peers

Pair = tuple[str, str]


@pytest.fixture(scope="session")
def oracle() -> Path:
    """The compiled program."""
    found = shutil.which("cueoracle", path=f"{os.environ.get('CUEORACLE_BIN', '')}:{os.environ['PATH']}")
    assert found, "tests/peers/cueoracle is not built: make tools"
    return Path(found)


def allowed_by_cue(binary: Path, pairs: list[Pair]) -> list[bool]:
    """What cue says of each policy and statement, as signed and as upstream's reader writes it again: yes to both."""
    asked = "".join(json.dumps(pair) + "\n" for pair in pairs)
    done = subprocess.run([str(binary)], input=asked.encode(), capture_output=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(pairs)
    return [answer["allowed"] and answer["rewritten"] for answer in answers]


def said(policy: str, statement: str, *, missing_ok: bool = False) -> str:
    """What we say: ``yes``, ``no``, or ``refused`` when the policy is loaded."""
    try:
        mine = CuePolicy(policy, STATEMENT, missing_ok=missing_ok)
    except CueError:
        return "refused"
    value = strict_json.read(statement.encode(), "the statement", 1 << 20)
    return "yes" if mine.failure({"statement": value}) is None else "no"


def check(binary: Path, pairs: list[Pair]) -> Counter[tuple[str, bool]]:
    """How often each pair of answers came; fails where we allow what cue does not, with and without presence."""
    answers = allowed_by_cue(binary, pairs)
    for missing_ok in (False, True):
        wrong = [
            p for p, cue in zip(pairs, answers, strict=True) if said(*p, missing_ok=missing_ok) == "yes" and not cue
        ]
        assert wrong == []
    return Counter((said(*pair), cue) for pair, cue in zip(pairs, answers, strict=True))


class TestGenerated:
    @pytest.mark.parametrize("seed", range(3))
    def test_never_allowed_where_cue_says_no(self, oracle: Path, seed: int) -> None:
        """Of 500 generated policies with their statements."""
        cases = Cases(seed)

        count = check(oracle, [cases.pair() for _ in range(500)])

        assert count["yes", True] > 100
        assert count["no", False] > 50
        assert count["refused", True] < 50, "what cue understands is understood"

    def test_a_broken_policy_is_never_allowed_where_cue_says_no(self, oracle: Path) -> None:
        """Changed by a few characters each, most are no CUE any more."""
        cases, chance = Cases(7), random.Random(7)

        count = check(oracle, [(broken(policy, chance), text) for policy, text in (cases.pair() for _ in range(1500))])

        assert count["yes", True] > 20


class TestTables:
    def test_what_the_interface_lists_is_decided_as_cue_does(self, oracle: Path) -> None:
        """Where every field is there, both say the same."""
        statement = json.dumps(
            {"predicate": {"a": 1, "s": "x\n", "l": [1, 2], "o": {"k": "v"}, "t": "2024-01-01T00:00:00Z"}}
        )
        constraints = [
            "a: 1", "a: 1.0", "a: int & >0", 'a: !="a"', 'a: "1" | 1', 's: =~"x$"', 's: =~"^x"', r's: !~"\\d"', "l: [1, 2]",
            "l: [1]", "l: [1, ...]", "l: list.MinItems(2)", "l: list.MaxItems(1)", "o: struct.MaxFields(1)",
            'o: {k: "v"}', 'o: k: "w"', 's: strings.HasPrefix("x")', 's: strings.HasSuffix("x")', "s: strings.MinRunes(2)",
            's: strings.Contains("y")', "s: strings.MaxRunes(1)", 't: <time.Parse(time.RFC3339, "2024-01-01T01:00:00+02:00")',
            't: >=time.Parse(time.RFC3339, "2024-01-01T01:00:00+01:00")', "a: <=1", "a: !=1", "s:\n\tstring", "a: number",
        ]  # fmt: skip
        packages = ("time", "list", "struct", "strings")
        pairs = []
        for constraint in constraints:
            used = "".join(f'import "{name}"\n' for name in packages if f"{name}." in constraint)
            pairs.append((f"{used}predicate: {constraint}\n", statement))

        answers = allowed_by_cue(oracle, pairs)

        ours = [said(*pair) for pair in pairs]
        assert ours == ["yes" if answer else "no" for answer in answers]
        assert {"yes", "no"} <= set(ours)


@pytest.mark.corpus
class TestRealPolicies:
    def test_real_policies_are_read_and_never_allow_what_cue_does_not(self, oracle: Path) -> None:
        """Every CUE text of the corpus, held against statements that fit and that do not."""
        texts = real_policies(Path(os.environ["CORPUS"]) / "policies")
        pairs = [(text, statement) for text in texts for statement in STATEMENTS]
        answers = allowed_by_cue(oracle, pairs)

        for (text, statement), cue in zip(pairs, answers, strict=True):
            known = STATEMENT if "predicate" in text else RESULT
            mine = CuePolicy(text, known)
            assert mine.failure({"statement": json.loads(statement)}) is not None or cue, (text, statement)
        assert len(texts) >= 6
        assert any(said(*pair) == "yes" for pair in pairs)


def real_policies(folder: Path) -> list[str]:
    """The CUE texts of the corpus: files of their own, and ``data`` of policies."""
    found = [path.read_text() for path in sorted(folder.rglob("*.cue"))]
    for path in sorted(folder.rglob("*.yaml")):
        if re.search(r"^kind: ClusterImagePolicy", path.read_text(), re.MULTILINE):
            for document in yaml.safe_load_all(path.read_text()):
                found += texts_in(document)
    return list(dict.fromkeys(found))


def texts_in(node: object) -> list[str]:
    """The ``data`` of every ``type: cue`` under `node`."""
    if isinstance(node, list):
        return [text for item in node for text in texts_in(item)]
    if not isinstance(node, dict):
        return []
    own = [node["data"]] if node.get("type") == "cue" and isinstance(node.get("data"), str) else []
    return own + [text for item in node.values() for text in texts_in(item)]


def vuln(started: str) -> str:
    """A statement as cosign's tests sign it."""
    return json.dumps({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://cosign.sigstore.dev/attestation/vuln/v1",
        "subject": [],
        "predicate": {
            "invocation": {"uri": "invocation.example.com/cosign-testing"},
            "scanner": {"uri": "fakescanner.example.com/cosign-testing"},
            "metadata": {"scanStartedOn": started, "scanFinishedOn": started},
        },
    })  # fmt: skip


STATEMENTS = [
    vuln("2022-04-12T00:00:00Z"),
    vuln("2022-04-16T00:00:00Z"),
    json.dumps({"predicateType": "https://cosign.sigstore.dev/attestation/v1",
                "predicate": {"Data": "foobar e2e test", "Timestamp": "2022-01-01T00:00:00Z"}}),
    json.dumps({"predicateType": "https://cosign.sigstore.dev/attestation/v1", "predicate": {"Data": "another"}}),
    json.dumps({"config": {"linux/amd64": {"config": {"User": "65532"}}, "linux/arm/v7": {"config": {"User": "65532"}}}}),
    json.dumps({"authorityMatches": {
        "keyatt": {"attestations": {"a": []}}, "keysignature": {"signatures": [{}]},
        "keylessatt": {"attestations": {"a": [], "b": []}}, "keylesssignature": {"signatures": [{}]},
    }}),
    json.dumps({"authorityMatches": {
        "keyatt": {"attestations": {"a": []}}, "keysignature": {"signatures": [{}]},
        "keylessatt": {"attestations": {"a": []}}, "keylesssignature": {"signatures": [{}]},
    }}),
    json.dumps({"authorityMatches": {}}),
]  # fmt: skip
