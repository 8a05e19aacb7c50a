"""Proof of teeth: remove each security rule once, and see a test turn red.

The rules stand in ``tests/mutants/*.yaml``; each entry has the rule as a sentence, the file, the exact text to replace
(`old`, which must occur once), what replaces it (`new`) and the tests that must fail. Run: ``python tests/mutations.py
[WORD…]`` (only rules that contain a word). Works on copies; nothing in the checkout changes. Exit 0: every mutant died.

The libraries are imported once, and every mutant runs in a fork of that process: our own code is imported anew in each.
"""

import contextlib
import importlib
import os
import select
import shlex
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
_COPIED = ("plugin", "tests", "argocd", "docs", "pyproject.toml", "README.md", "Dockerfile", "Makefile")
_SLOW_TO_IMPORT = (
    "hypothesis.strategies", "sigstore.verify", "sigstore.models", "rfc3161_client", "cryptography.x509", "requests",
    "ruamel.yaml", "yaml", "jsonpath_ng", "re2", "click",
)  # fmt: skip
_OPTIONS = (
    "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",  # hypothesis is imported before pytest could rewrite its asserts
    "-W", "ignore::pytest.PytestUnraisableExceptionWarning",  # only a test that fails kills a mutant
)  # fmt: skip
_SECONDS = 300


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


class Copy:
    """A copy of the project in which one mutant at a time is tried."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._said = folder, folder / "said.txt"
        folder.mkdir()
        for name in _COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, folder / name)

    def start(self, mutant: Mutant) -> int | None:
        """Remove the rule and run its tests: a descriptor that is readable when they are done; None if none can run."""
        self._target = self._folder / mutant.file
        self._text = self._target.read_text()
        self._found = self._text.count(mutant.old)
        if self._found != 1:
            return None
        _write(self._target, self._text.replace(mutant.old, mutant.new))
        self._child = os.fork()
        if not self._child:
            self._test(mutant.tests)
        return os.pidfd_open(self._child)

    def finish(self, *, end: bool = True) -> tuple[int, str]:
        """Put the rule back; pytest's exit code and last words. With `end`, tests that still run are ended."""
        if self._found != 1:
            return 99, f"`old` occurs {self._found} times in {self._target.relative_to(self._folder)}"
        if end:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])
        _write(self._target, self._text)
        return code, f"pytest exited {code}\n{self._said.read_text(errors='replace')[-900:]}"

    def _test(self, tests: str) -> None:
        """Run `tests` on the copy in this process, a fork of the first, and end it with pytest's exit code."""
        code = 99
        try:
            os.setsid()
            with self._said.open("wb") as stream:
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
            os.chdir(self._folder)
            os.environ["PYTHONPATH"] = str(self._folder / "plugin")
            sys.path[:] = [str(self._folder / "plugin"), *(path for path in sys.path if path != str(ROOT / "tests"))]
            code = pytest.main([*_OPTIONS, *shlex.split(tests)])
        except BaseException:  # noqa: BLE001 - whatever it is, this process must not run the parent's code
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)


def _write(target: Path, text: str) -> None:
    """Write a source file, and forget its byte code: a change within one second would go unseen."""
    target.write_text(text)
    for compiled in (target.parent / "__pycache__").glob(f"{target.stem}.*.pyc"):
        compiled.unlink()


def outcomes(todo: list[Mutant], folder: Path) -> Iterator[tuple[Mutant, str | None]]:
    """Each mutant and why it lives on (None: killed), as they are done; two are tried at a time."""
    idle = [Copy(folder / str(number)) for number in range(2)]
    running: dict[int, tuple[Mutant, Copy]] = {}
    waiting = list(reversed(todo))
    while waiting or running:
        if waiting and idle:
            mutant, copy = waiting.pop(), idle.pop()
            done = copy.start(mutant)
            if done is not None:
                running[done] = (mutant, copy)
                continue
        else:
            ready = select.select(list(running), [], [], _SECONDS)[0] or list(running)
            mutant, copy = running.pop(ready[0])
            os.close(ready[0])
        code, said = copy.finish()
        yield mutant, None if code == 1 else said  # 1: a test failed
        idle.append(copy)


def unsound(todo: list[Mutant], folder: Path) -> str | None:
    """What fails among the tests of `todo` while no rule is removed: such a failure would prove nothing."""
    tests = sorted({word for mutant in todo for word in shlex.split(mutant.tests) if word.startswith("tests/")})
    copy = Copy(folder)
    copy.start(Mutant("none is removed", "pyproject.toml", "[project]\n", "[project]\n", shlex.join(tests)))
    code, said = copy.finish(end=False)
    return said if code else None


def main(words: list[str]) -> int:
    """Try every mutant; 0 when all died."""
    todo = mutants(words)
    for name in _SLOW_TO_IMPORT:
        importlib.import_module(name)
    alive = 0
    with tempfile.TemporaryDirectory() as folder:
        if todo and (said := unsound(todo, Path(folder) / "unchanged")):
            print(f"without any rule removed, {said}", file=sys.stderr)
            return 1
        for mutant, why in outcomes(todo, Path(folder)):
            alive += why is not None
            print(f"{'ALIVE' if why else 'killed'}  {mutant.rule}" + (f"\n       {why}" if why else ""), flush=True)
    print(f"{len(todo) - alive} passed, {alive} failed")
    return 1 if alive or not todo else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
