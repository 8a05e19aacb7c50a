"""Proof of teeth: remove each security rule once, and see a test turn red.

The rules stand in ``tests/mutants/*.yaml``; each entry has the rule as a sentence, the file, the exact text to replace
(`old`, which must occur once), what replaces it (`new`) and the tests of which one must fail. Run: ``python
tests/mutations.py [--record] [WORD…]`` (only rules that contain a word). Works on copies. Exit 0: every mutant died.

``tests/mutants/killers.tsv`` names for each rule a test that sees it gone. That one is tried first, and all
of the entry's tests where it is not enough; ``--record`` looks for the tests that are not on record yet. A test proves
something only if it passes as long as no rule is removed: those that are on record are run so first, others afterwards.

The libraries are imported once, and every mutant runs in a fork of that process: our own code is imported anew in each.
"""

import argparse
import contextlib
import gc
import importlib
import io
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
KILLERS = ROOT / "tests" / "mutants" / "killers.tsv"
_COPIED = ("plugin", "tests", "argocd", "docs", "pyproject.toml", "README.md", "Dockerfile", "Makefile")
LIBRARIES = (
    "hypothesis.strategies", "sigstore.verify", "sigstore.models", "rfc3161_client", "cryptography.x509", "requests",
    "ruamel.yaml", "yaml", "jsonpath_ng", "re2", "click",
)  # fmt: skip
_OPTIONS = (
    "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",  # hypothesis is imported before pytest could rewrite its asserts
    "-W", "ignore::pytest.PytestUnraisableExceptionWarning",  # only a test that fails kills a mutant
)  # fmt: skip
_SECONDS = 300
_STRIDE = 9
_AT_ONCE = max(2, len(os.sched_getaffinity(0)))


class Mutant(NamedTuple):
    """One security rule and the edit that removes it."""

    rule: str
    file: str
    old: str
    new: str
    tests: str

    def owns(self, test: str) -> bool:
        """Whether `test` is among the tests that the entry lists."""
        listed = [word for word in shlex.split(self.tests) if word.startswith("tests/")]
        return any(test == word or test.startswith((f"{word}/", f"{word}::")) for word in listed)


# What passes as long as no rule is removed is tried as a mutant that changes nothing.
UNCHANGED = Mutant("none is removed", "pyproject.toml", "[project]\n", "[project]\n", "tests")


class Ended(NamedTuple):
    """How a run of tests ended: pytest's exit code, its last words, and the test that failed, if one did."""

    code: int
    said: str
    killer: str

    @property
    def killed(self) -> bool:
        """Whether a test failed, and not pytest itself or the import of a module."""
        return self.code == 1 and bool(self.killer)


def mutants(words: list[str]) -> list[Mutant]:
    """All rules whose sentence contains one of `words`, or all; in the order of the files."""
    found = []
    for path in sorted((ROOT / "tests" / "mutants").glob("*.yaml")):
        found += [Mutant(**entry) for entry in yaml.safe_load(path.read_text())]
    return [m for m in found if not words or any(w.lower() in m.rule.lower() for w in words)]


class Failure:
    """A plugin of pytest: which test function failed first."""

    function = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember the first that failed, without the parameters of its case."""
        if report.failed and not self.function:
            self.function = report.nodeid.partition("[")[0]


class Copy:
    """A copy of the project in which one mutant at a time is tried."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._said, self._killer = folder, folder / "said.txt", folder / "killer.txt"
        folder.mkdir()
        for name in _COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, folder / name)

    def start(self, mutant: Mutant, tests: list[str]) -> int | None:
        """Remove the rule and run `tests`: a descriptor that is readable when they are done; None if none can run."""
        self._target = self._folder / mutant.file
        self._text = self._target.read_text()
        self._found = self._text.count(mutant.old)
        if self._found != 1:
            return None
        _write(self._target, self._text.replace(mutant.old, mutant.new))
        self._child = os.fork()
        if not self._child:
            self._test(tests)
        return os.pidfd_open(self._child)

    def finish(self, *, end: bool = True) -> Ended:
        """Put the rule back; how the tests ended. With `end`, those that still run are ended."""
        if self._found != 1:
            return Ended(99, f"`old` occurs {self._found} times in {self._target.relative_to(self._folder)}", "")
        if end:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])
        _write(self._target, self._text)
        said = f"pytest exited {code}\n{self._said.read_text(errors='replace')[-900:]}"
        return Ended(code, said, self._killer.read_text())

    def _test(self, tests: list[str]) -> None:
        """Run `tests` on the copy in this process, a fork of the first, and end it with pytest's exit code."""
        code = 99
        try:
            os.setsid()
            self._killer.write_text("")
            with self._said.open("wb") as stream:
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
            os.chdir(self._folder)
            os.environ["PYTHONPATH"] = str(self._folder / "plugin")
            sys.path[:] = [str(self._folder / "plugin"), *(path for path in sys.path if path != str(ROOT / "tests"))]
            failure = Failure()
            code = pytest.main([*_OPTIONS, *tests], plugins=[failure])
            self._killer.write_text(failure.function)
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


def outcomes(todo: list[tuple[Mutant, list[list[str]]]], folder: Path) -> Iterator[tuple[Mutant, Ended]]:
    """How each mutant's tests ended, as they are done, as many at a time as there are processors.

    Beside a mutant stand the attempts on it, each a list of tests: the next one is made if the one before killed nothing.
    """
    idle = [Copy(folder / str(number)) for number in range(min(_AT_ONCE, len(todo)))]
    running: dict[int, tuple[Mutant, list[list[str]], Copy]] = {}
    # Neighbours may both wait for a time limit, with nothing to do meanwhile: they are tried far from each other.
    waiting = [one for start in range(_STRIDE) for one in todo[start::_STRIDE]]
    while waiting or running:
        if waiting and idle:
            (mutant, attempts), copy = waiting.pop(), idle.pop()
            done = copy.start(mutant, attempts[0])
            if done is not None:
                running[done] = (mutant, attempts[1:], copy)
                continue
            attempts = []
        else:
            ready = select.select(list(running), [], [], _SECONDS)[0] or list(running)
            mutant, attempts, copy = running.pop(ready[0])
            os.close(ready[0])
        ended = copy.finish()
        idle.append(copy)
        if attempts and not ended.killed:
            waiting.append((mutant, attempts))
        else:
            yield mutant, ended


def unsound(groups: list[list[str]], folder: Path) -> str | None:
    """What fails among `groups` of tests while no rule is removed: such a failure would prove nothing."""
    folder.mkdir()
    for _, ended in outcomes([(UNCHANGED, [tests]) for tests in groups], folder):
        if ended.code:
            return f"without any rule removed, {ended.said}"
    return None


def on_record(todo: list[Mutant]) -> dict[str, str]:
    """The test of each rule that is tried first, where one is on record, is still there, and is listed by the entry."""
    tests = _recorded()
    return {m.rule: tests[m.rule] for m in todo if m.rule in tests and m.owns(tests[m.rule]) and _exists(tests[m.rule])}


def _recorded() -> dict[str, str]:
    return dict(line.split("\t") for line in KILLERS.read_text().splitlines())


def _exists(test: str) -> bool:
    file, *_, function = test.split("::")
    return (ROOT / file).is_file() and f"def {function}(" in (ROOT / file).read_text()


def by_file(tests: list[str]) -> list[list[str]]:
    """Two groups of tests for each processor, what stands in one file in one group."""
    files = sorted({test.partition("::")[0] for test in tests})
    turn = {file: number % (2 * _AT_ONCE) for number, file in enumerate(files)}
    groups = [[test for test in tests if turn[test.partition("::")[0]] == number] for number in range(2 * _AT_ONCE)]
    return [group for group in groups if group]


def judge(todo: list[Mutant], folder: Path, *, record: bool) -> int:
    """Try every mutant and say so; how many live, all of them if a test that must kill fails by itself."""
    known = on_record(todo)
    proven = sorted(set(known.values()))
    if said := unsound(by_file(proven), folder / "before"):
        print(said, file=sys.stderr)
        return len(todo)
    work = []
    for mutant in todo:
        listed = [*shlex.split(mutant.tests), "-x"]
        work.append((mutant, [[known[mutant.rule], "-x"], listed] if mutant.rule in known else [listed]))
    killers: dict[str, str] = {}
    (folder / "mutants").mkdir()
    for mutant, ended in outcomes(work, folder / "mutants"):
        if ended.killed:
            killers[mutant.rule] = ended.killer
        print(f"killed  {mutant.rule}" if ended.killed else f"ALIVE  {mutant.rule}\n       {ended.said}", flush=True)
    fresh = {rule: test for rule, test in killers.items() if known.get(rule) != test}
    if said := unsound([[test] for test in sorted(set(fresh.values()).difference(proven))], folder / "after"):
        print(said, file=sys.stderr)
        return len(todo)
    if record:
        rules = {mutant.rule for mutant in mutants([])}
        lines = [f"{rule}\t{test}\n" for rule, test in sorted((_recorded() | fresh).items()) if rule in rules]
        KILLERS.write_text("".join(lines))
    elif fresh:
        print(f"{len(fresh)} without a test on record that kills: python tests/mutations.py --record")
    return len(todo) - len(killers)


def load() -> None:
    """Import what is not ours, once for all forks: libraries, pytest and its plugins."""
    for name in LIBRARIES:
        importlib.import_module(name)
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main([*_OPTIONS, "--version", "--noconftest", "-c", os.devnull])
    ours = [name for name in sys.modules if name.partition(".")[0] in {"argocd_provenance", "support", "conftest"}]
    assert not ours, f"imported before a rule was removed: {ours}"
    gc.freeze()  # the forks need not look through all of it again


def main(arguments: list[str]) -> int:
    """Try every mutant asked for; 0 when all died."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="look for the tests that are not on record")
    parser.add_argument("words", nargs="*", metavar="WORD")
    asked = parser.parse_args(arguments)
    todo = mutants(asked.words)
    load()
    at_a_time = 40 if asked.record else len(todo) or 1  # what was found is written down as we go
    alive = 0
    for start in range(0, len(todo), at_a_time):
        with tempfile.TemporaryDirectory() as folder:
            alive += judge(todo[start : start + at_a_time], Path(folder), record=asked.record)
    print(f"{len(todo) - alive} passed, {alive} failed")
    return 1 if alive or not todo else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
