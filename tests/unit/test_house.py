"""Rules of the house that no linter knows."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in TESTS])
def test_every_test_states_its_rule(path: Path) -> None:
    """The test's name is the rule, its docstring one sentence of it."""
    tree = ast.parse(path.read_text())
    silent = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]

    assert silent == []


@pytest.mark.parametrize(("letter", "last"), [("N", 31), ("R", 19)])
def test_every_attack_names_a_test_that_is_there(letter: str, last: int) -> None:
    """The tables of attacks in ``tests/README.md`` point at files, classes and functions that exist."""
    rows = re.findall(rf"^\| ({letter}\d+) \| .* \| (.*) \|$", (ROOT / "tests" / "README.md").read_text(), re.MULTILINE)

    lost = []
    for number, held in rows:
        places = re.findall(r"`([a-z0-9_/]+\.py(?:::\w+)?)`", held)
        lost += [number] if not places and "does not apply" not in held else []
        for path, _, name in (place.partition("::") for place in places):
            file = ROOT / "tests" / path
            if not file.exists() or (name and not re.search(rf"(class|def) {name}\b", file.read_text())):
                lost.append(f"{number}: {path}::{name}")

    assert [number for number, _ in rows] == [f"{letter}{n}" for n in range(1, last + 1)]
    assert lost == []


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.parent.name)
        for path in sorted((ROOT / "plugin" / "argocd_provenance").glob("*/**/__init__.py"))
    ],
)
def test_every_package_states_its_law(path: Path) -> None:
    """In its docstring: what always holds of what stands in that folder."""
    said = ast.get_docstring(ast.parse(path.read_text())) or ""

    assert re.search(r"\blaw\b", said, re.IGNORECASE)
