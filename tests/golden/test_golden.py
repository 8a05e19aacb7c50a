"""Each folder is an application, a policy and a registry; the end of its name is the verdict.

``…-denied`` exits 4, ``…-fails`` exits 3, everything else 0. ``pytest tests/golden --update-golden`` rewrites what is expected;
look at the difference before you commit it.
"""

import json
import re
from pathlib import Path

import pytest

from argocd_provenance.argocd.payload import read
from support.scenario import Scenario

CASES = sorted(path for path in Path(__file__).parent.iterdir() if (path / "source").is_dir())
EXIT_CODES = {"denied": 4, "fails": 3, "unusable": 2}


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_the_folder_decides_as_its_name_says(case: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Manifests, report and exit code are those in the folder, byte for byte, and the same when asked twice."""
    code = EXIT_CODES.get(case.name.rpartition("-")[2], 0)

    with Scenario(case, tmp_path) as scenario:
        asked = {"ARGOCD_APP_NAMESPACE": "shop"}
        first, second = scenario.generate(environment=asked), scenario.generate(environment=asked)
        host = scenario.registry.host

    assert first == second
    first = (first[0], legible(first[1], host, tmp_path), first[2])
    if request.config.getoption("--update-golden"):
        (case / "expected.yaml").write_text(first[1])
        (case / "expected.txt").write_text(first[2])
    assert first == (code, (case / "expected.yaml").read_text(), (case / "expected.txt").read_text())
    assert bool(first[1]) == (code == 0)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_the_folder_decides_the_same_with_a_cache(case: Path, tmp_path: Path) -> None:
    """A run that learns and two that remember print what a run without a cache prints, byte for byte."""
    code = EXIT_CODES.get(case.name.rpartition("-")[2], 0)

    with Scenario(case, tmp_path) as scenario:
        with (tmp_path / "config.yaml").open("a") as config:
            config.write("cache: {path: cache, keyFile: key}\n")
        asked = {"ARGOCD_APP_NAMESPACE": "shop"}
        runs = [scenario.generate(environment=asked) for _ in range(3)]
        host = scenario.registry.host

    runs = [(run[0], legible(run[1], host, tmp_path), run[2]) for run in runs]
    expected = (code, (case / "expected.yaml").read_text(), (case / "expected.txt").read_text())
    assert runs == [expected] * 3


def legible(manifests: str, host: str, folder: Path) -> str:
    """`manifests` with what a hook carries written out: its host has another port, its root other keys every time."""

    def written_out(found: re.Match[str]) -> str:
        carried = read(found[1])
        for domain in carried.get("trust", ()):
            domain["root"] = "TRUSTED ROOT"
        return json.dumps(carried, indent=1).replace(host, "REGISTRY").replace(str(folder), "FOLDER")

    return re.sub(r'"([A-Za-z0-9+/=]{200,})"', written_out, manifests)
