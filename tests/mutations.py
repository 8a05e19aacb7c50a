"""Proof of teeth: remove each security rule once, and see a test turn red.

The rules stand in ``tests/mutants/*.yaml``; each entry has the rule as a sentence, the file, the exact text to replace
(`old`, which must occur once), what replaces it (`new`) and the tests that must fail. Run: ``python tests/mutations.py
[WORD…]`` (only rules that contain a word). Works on copies; nothing in the checkout changes. Exit 0: every mutant died.
"""

import concurrent.futures
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parent.parent
_COPIED = ("plugin", "tests", "argocd", "docs", "pyproject.toml", "README.md", "Dockerfile", "Makefile")


class Mutant(NamedTuple):
    """One security rule and the edit that removes it."""

    rule: str
    file: str
    old: str
    new: str
    tests: str


def mutants(words: list[str]) -> list[Mutant]:
    """All rules whose sentence contains one of `words`, or all; in the order of the files."""
    found = []
    for path in sorted((ROOT / "tests" / "mutants").glob("*.yaml")):
        found += [Mutant(**entry) for entry in yaml.safe_load(path.read_text())]
    return [m for m in found if not words or any(w.lower() in m.rule.lower() for w in words)]


def survives(mutant: Mutant) -> str | None:
    """Why the mutant lives on, or None if a test killed it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in _COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, copy / name)
        target = copy / mutant.file
        text = target.read_text()
        if text.count(mutant.old) != 1:
            return f"`old` occurs {text.count(mutant.old)} times in {mutant.file}"
        target.write_text(text.replace(mutant.old, mutant.new))
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            *shlex.split(mutant.tests),
        ]
        environment = {**os.environ, "PYTHONPATH": str(copy / "plugin"), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode == 1:
            return None
        return (
            f"pytest exited {done.returncode}, 1 (a failed test) was expected\n{done.stdout[-600:]}{done.stderr[-300:]}"
        )


def main(words: list[str]) -> int:
    """Try every mutant, two at a time; 0 when all died."""
    todo = mutants(words)
    alive = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for mutant, why in zip(todo, pool.map(survives, todo), strict=True):
            alive += why is not None
            print(f"{'ALIVE' if why else 'killed'}  {mutant.rule}" + (f"\n       {why}" if why else ""), flush=True)
    print(f"{len(todo) - alive} passed, {alive} failed")
    return 1 if alive or not todo else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
