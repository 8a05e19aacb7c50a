"""The proof of teeth has teeth: what `mutations.py` must not let pass."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

TESTS = Path(__file__).resolve().parents[1]
RULES = {
    "one is less than two": ("small(2)", "True", "tests/test_small.py"),
    "text is said": ('"text"', '"other"', "tests/test_small.py"),
    "nobody looks": ('"unseen"', '"seen"', "tests/test_small.py"),
    "its text is gone": ('"no such text"', '""', "tests/test_small.py"),
    "nothing can be imported": ("def small(", "def small)", "tests/test_small.py"),
}
CODE = """
def small(n: int) -> bool:
    return n < 2

SMALL = small(2)
TEXT = "text"
UNSEEN = "unseen"
"""
SEEN = """
from argocd_provenance import SMALL, TEXT

def test_small():
    assert not SMALL

def test_text():
    assert TEXT == "text"
"""


def test_every_rule_can_be_removed() -> None:
    """Its text stands once in its file, its tests are there, and no two rules have one name; ``make mutations`` wants it so."""
    entries = [e for path in sorted((TESTS / "mutants").glob("*.yaml")) for e in yaml.safe_load(path.read_text())]
    names = [entry["rule"] for entry in entries]
    files = {name: (TESTS.parent / name).read_text() for name in {entry["file"] for entry in entries}}
    tests = {word.partition("::")[0] for entry in entries for word in entry["tests"].split() if "tests/" in word}

    assert [entry["rule"] for entry in entries if files[entry["file"]].count(entry["old"]) != 1] == []
    assert [name for name in tests if not (TESTS.parent / name).exists()] == []
    assert [name for name in names if names.count(name) > 1] == []


def project(folder: Path, rules: list[str], *, code: str = CODE, killers: dict[str, str] | None = None) -> Path:
    """A project of one module, its test and some of the `RULES`, with the real `mutations.py`."""
    (folder / "plugin" / "argocd_provenance").mkdir(parents=True)
    (folder / "plugin" / "argocd_provenance" / "__init__.py").write_text(code)
    (folder / "tests" / "mutants").mkdir(parents=True)
    (folder / "tests" / "test_small.py").write_text(SEEN)
    shutil.copy(TESTS / "mutations.py", folder / "tests")
    (folder / "pyproject.toml").write_text("[project]\n")
    names = ("old", "new", "tests")
    file = "plugin/argocd_provenance/__init__.py"
    entries = [{"rule": rule, "file": file, **dict(zip(names, RULES[rule], strict=True))} for rule in rules]
    (folder / "tests" / "mutants" / "rules.yaml").write_text(yaml.safe_dump(entries))
    lines = [f"{rule}\t{test}\n" for rule, test in (killers or {}).items()]
    (folder / "tests" / "mutants" / "killers.tsv").write_text("".join(lines))
    return folder


def tried(folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code of `mutations.py` in that project, and all that it printed."""
    script = "import sys, mutations; mutations.LIBRARIES = (); sys.exit(mutations.main(sys.argv[1:]))"  # it needs none
    bare = {"PYTHONPATH": str(folder / "tests"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, env=os.environ | bare, capture_output=True, text=True, timeout=100, check=False)
    return done.returncode, done.stdout + done.stderr


def test_what_no_test_sees_lives(tmp_path: Path) -> None:
    """A rule that no test misses, whose text is not there, or without which no test can start, is a failure."""
    wrong = dict.fromkeys(RULES, "tests/test_small.py::test_text")
    code, said = tried(project(tmp_path, list(RULES), killers=wrong))

    assert code == 1
    assert {line for line in said.splitlines() if line.startswith(("killed", "ALIVE"))} == {
        "killed  one is less than two",  # by another test than the one on record
        "killed  text is said",
        "ALIVE  nobody looks",
        "ALIVE  its text is gone",
        "ALIVE  nothing can be imported",
    }
    assert "occurs 0 times" in said
    assert "2 passed, 3 failed" in said


@pytest.mark.parametrize("killers", [{}, {"text is said": "tests/test_small.py::test_text"}], ids=["found", "recorded"])
def test_a_test_that_fails_by_itself_proves_nothing(tmp_path: Path, killers: dict[str, str]) -> None:
    """What kills must pass as long as no rule is removed, whether it was on record or found just now."""
    code, said = tried(project(tmp_path, ["text is said"], code=CODE.replace("TEXT =", "TEXT = 1 or"), killers=killers))

    assert code == 1
    assert "without any rule removed, pytest exited 1" in said
    assert "0 passed, 1 failed" in said


def test_what_is_recorded_is_tried_first(tmp_path: Path) -> None:
    """``--record`` writes down the test that failed; with it on record nothing is left to look for."""
    folder = project(tmp_path, ["text is said"])

    found, recorded, again = tried(folder), tried(folder, "--record"), tried(folder, "text")

    assert [found[0], recorded[0], again[0]] == [0, 0, 0]
    assert ["without a test on record" in said for _, said in (found, recorded, again)] == [True, False, False]
    killers = (folder / "tests" / "mutants" / "killers.tsv").read_text()
    assert killers == "text is said\ttests/test_small.py::test_text\n"
