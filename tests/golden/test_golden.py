"""Each folder is an application, a policy and a registry; the end of its name is the verdict.

``…-denied`` exits 4, ``…-fails`` exits 3, everything else 0. ``pytest tests/golden --update-golden`` rewrites what is expected;
look at the difference before you commit it.
"""

from pathlib import Path

import pytest

from support.scenario import Scenario

CASES = sorted(path for path in Path(__file__).parent.iterdir() if (path / "source").is_dir())
EXIT_CODES = {"denied": 4, "fails": 3, "unusable": 2}


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_the_folder_decides_as_its_name_says(case: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Manifests, report and exit code are those in the folder, byte for byte, and the same when asked twice."""
    code = EXIT_CODES.get(case.name.rpartition("-")[2], 0)

    with Scenario(case, tmp_path) as scenario:
        first, second = scenario.generate(), scenario.generate()

    if request.config.getoption("--update-golden"):
        (case / "expected.yaml").write_text(first[1])
        (case / "expected.txt").write_text(first[2])
    assert first == second
    assert first == (code, (case / "expected.yaml").read_text(), (case / "expected.txt").read_text())
    assert bool(first[1]) == (code == 0)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_the_folder_decides_the_same_with_a_cache(case: Path, tmp_path: Path) -> None:
    """A run that learns and two that remember print what a run without a cache prints, byte for byte."""
    code = EXIT_CODES.get(case.name.rpartition("-")[2], 0)

    with Scenario(case, tmp_path) as scenario:
        with (tmp_path / "config.yaml").open("a") as config:
            config.write("cache: {path: cache, keyFile: key}\n")
        runs = [scenario.generate() for _ in range(3)]

    expected = (code, (case / "expected.yaml").read_text(), (case / "expected.txt").read_text())
    assert runs == [expected] * 3
