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


def test_every_attack_names_a_test_that_is_there() -> None:
    """The table of attacks in ``tests/README.md`` points at files, classes and functions that exist."""
    rows = re.findall(r"^\| (N\d+) \| .* \| (.*) \|$", (ROOT / "tests" / "README.md").read_text(), re.MULTILINE)

    lost = []
    for number, held in rows:
        for path, _, name in (place.partition("::") for place in re.findall(r"`([a-z_/]+\.py(?:::\w+)?)`", held)):
            file = ROOT / "tests" / path
            if not file.exists() or (name and not re.search(rf"(class|def) {name}\b", file.read_text())):
                lost.append(f"{number}: {path}::{name}")

    assert [number for number, _ in rows] == [f"N{n}" for n in range(1, 32)]
    assert lost == []
