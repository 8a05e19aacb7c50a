"""The workflows: what runs there cannot be moved under us, and what is released is what was signed."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))


def load(path: Path) -> Any:
    """A workflow; YAML 1.1 reads its key `on` as true."""
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_action_is_pinned_by_commit(path: Path) -> None:
    """With the release it was, for people and for updaters."""
    used = re.findall(r"uses: *(\S+)(.*)", path.read_text())

    assert used
    assert [use for use, note in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", use)] == []
    assert [use for use, note in used if not re.fullmatch(r" # v\d+\.\d+\.\d+", note)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_job_may_more_than_it_says(path: Path) -> None:
    """The workflow's own permissions read at most, and no checkout leaves a token behind."""
    workflow = load(path)

    assert set(workflow["permissions"].values()) <= {"read"}
    checkouts = [
        step
        for job in workflow["jobs"].values()
        for step in job["steps"]
        if "actions/checkout@" in step.get("uses", "")
    ]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_script_is_made_of_what_others_wrote(path: Path) -> None:
    """An expression in a script is code; values come in through the environment."""
    scripts = [step["run"] for job in load(path)["jobs"].values() for step in job["steps"] if "run" in step]

    assert scripts
    assert [script for script in scripts if "${{" in script] == []


def test_what_is_signed_is_the_digest_that_was_pushed() -> None:
    """Never a tag: signature, provenance and SBOM are about one digest, which is verified at the end."""
    steps = load(FOLDER / "release.yml")["jobs"]["publish"]["steps"]
    scripts = "\n".join(step.get("run", "") for step in steps)

    assert re.findall(r"cosign \w+ .*", scripts)
    assert all(line.endswith('"$IMAGE@$DIGEST"') for line in re.findall(r"cosign \w+ .*", scripts))
    assert 'argocd-provenance verify "$IMAGE@$DIGEST"' in scripts
    (attested,) = [step["with"] for step in steps if "attest-build-provenance" in step.get("uses", "")]
    assert attested["subject-digest"] == "${{ steps.index.outputs.digest }}"
    assert attested["push-to-registry"] is True


def test_tests_on_every_python_that_is_supported() -> None:
    """From the lowest that the project takes."""
    pythons = load(FOLDER / "test.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    lowest = re.search(r'requires-python = ">=([\d.]+)"', (FOLDER.parents[1] / "pyproject.toml").read_text())

    assert lowest
    assert pythons[0] == lowest[1]
