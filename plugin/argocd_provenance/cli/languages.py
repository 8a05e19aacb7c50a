"""Programs that decide policies of other languages: the operator's own cue, and Rego in a process of its own.

Law: only a plain yes lets through. A program that fails, prints what is not understood, or takes too long, denies.
"""

import contextlib
import json
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from argocd_provenance.errors import OperatorError
from argocd_provenance.policy.cluster import BadPolicyError

_SECONDS = 5.0
_MEMORY = 512 * 1024 * 1024
_SHOWN = 300
_PACKAGE = re.compile(r"\A(?:\s|//[^\n]*\n)*package\s+([A-Za-z][A-Za-z0-9_]*)\s*(?:\n|$)")
_REGO_PACKAGE = re.compile(r"\A(?:\s|#[^\n]*\n)*package\s+sigstore\s*(?:\n|$)")
_RESULT = frozenset({"_type", "predicateType", "subject", "predicate", "authorityMatches"})


class Failed(Exception):
    """The program gave no answer that counts; the message says what it said."""


class Cue:
    """The operator's cue. Every field that a policy constrains must be there, unless `missing_ok`."""

    def __init__(self, binary: str, *, missing_ok: bool = False) -> None:
        if not Path(binary).is_absolute() or not Path(binary).is_file():
            raise OperatorError(f"clusterImagePolicy.cue: {binary} is no file; name the cue binary by its whole path")
        self._binary, self._missing_ok = binary, missing_ok
        self._answers: dict[tuple[str, str], str | None] = {}

    def check(self, policy: str) -> None:
        """Raise `BadPolicyError` if cue cannot read `policy`."""
        try:
            self._run(policy, "{}", ("vet", "-c=false", "."))
        except Failed as failed:
            raise BadPolicyError(f"cue: {failed}") from failed

    def failure(self, policy: str, value: str) -> str | None:
        """Why `policy` does not hold for `value`; None if it does."""
        asked = (policy, value)
        if asked not in self._answers:
            self._answers[asked] = self._failure(policy, value)
        return self._answers[asked]

    def _failure(self, policy: str, value: str) -> str | None:
        try:
            if self._missing_ok:
                self._run(policy, value, ("vet", "-c=false", "."))
                return None
            text = self._run(policy, value, ("export", ".", "-e", "result", "--out", "json"))
            path = _added(json.loads(text), json.loads(value), "")
        except (Failed, ValueError, RecursionError) as failed:
            return str(failed)[:_SHOWN] or "cue says nothing"
        return f"{path}: the policy constrains it, and it is not there" if path else None

    def _run(self, policy: str, value: str, command: Sequence[str]) -> str:
        """Unify `policy`, as a package, with `value`: what upstream does to the texts."""
        named = _PACKAGE.match(policy)
        name = named[1] if named else "policy"
        with tempfile.TemporaryDirectory(prefix="argocd-provenance-") as folder:
            root = Path(folder)
            (root / "cue.mod").mkdir()
            (root / "policy").mkdir()
            (root / "cue.mod/module.cue").write_text('module: "policy.invalid/check"\nlanguage: version: "v0.9.0"\n')
            (root / "policy/policy.cue").write_text(policy if named else f"package policy\n{policy}")
            whole = json.dumps(json.loads(value), ensure_ascii=False)
            (root / "main.cue").write_text(
                f'package main\nimport p "policy.invalid/check/policy:{name}"\nresult: p & {whole}\n'
            )
            # Nothing is fetched, whatever the policy imports.
            environment = {"HOME": folder, "CUE_CACHE_DIR": f"{folder}/cache", "CUE_REGISTRY": "none"}
            return _answer([self._binary, *command], "", environment, folder)


class Rego:
    """Rego by regopy, which may abort or hang: each question in a process of its own, with limits."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], str | None] = {}

    def check(self, policy: str) -> None:
        """Raise `BadPolicyError` if `policy` is no module of the package ``sigstore``."""
        if not _REGO_PACKAGE.match(policy):
            raise BadPolicyError("the Rego policy must begin with `package sigstore`, as upstream asks data.sigstore")
        if "isCompliant" not in policy:
            raise BadPolicyError("the Rego policy has no rule isCompliant, so it could never hold")
        try:
            said = self._ask(policy, "{}")
        except Failed as failed:
            raise BadPolicyError(f"Rego: {failed}") from failed
        if "fault" in said:
            raise BadPolicyError(f"Rego: {said['fault'][:_SHOWN]}")

    def failure(self, policy: str, value: str) -> str | None:
        """Why ``data.sigstore.isCompliant`` is not true for `value`; None if it is."""
        asked = (policy, value)
        if asked not in self._answers:
            try:
                said = self._ask(policy, value)
            except Failed as failed:
                said = {"fault": str(failed)}
            allowed = said.get("verdict") == "yes" and set(said) == {"verdict"}
            self._answers[asked] = (
                None if allowed else str(said.get("fault") or said.get("why") or "isCompliant is not true")[:_SHOWN]
            )
        return self._answers[asked]

    def _ask(self, policy: str, value: str) -> dict[str, Any]:
        child = Path(__file__).with_name("rego_child.py")
        asked = json.dumps({"policy": policy, "input": json.loads(value)})
        text = _answer([sys.executable, "-I", str(child)], asked, {}, "/")
        with contextlib.suppress(ValueError, IndexError):
            # The library prints of its own accord; the answer is the last line.
            said = json.loads(text.splitlines()[-1])
            if isinstance(said, dict):
                return said
        raise Failed("the evaluator's answer is not understood")


def _answer(command: Sequence[str], asked: str, environment: dict[str, str], folder: str) -> str:
    """What `command` prints; raises `Failed` unless it ends well and in time."""
    try:
        with subprocess.Popen(  # noqa: S603 - the operator's program, or our own
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=folder,
        ) as process:
            watch = threading.Thread(target=_watch, args=(process,), daemon=True)
            watch.start()
            try:
                printed, errors = process.communicate(asked, timeout=_SECONDS)
            finally:
                process.kill()
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        raise Failed(f"the evaluator gave no answer ({type(error).__name__})") from error
    if process.returncode:
        said = " ".join(errors.split()).replace(folder, "")[:_SHOWN] if folder != "/" else ""
        raise Failed(said or f"the evaluator ended with {process.returncode}")
    return printed


def _watch(process: "subprocess.Popen[str]") -> None:
    """End `process` when it takes too much memory. A limit of the kernel's would do, but regopy reserves terabytes."""
    page = resource.getpagesize()
    while process.poll() is None:
        try:
            held = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * page
        except (OSError, IndexError, ValueError):
            return
        if held > _MEMORY:
            process.kill()
        time.sleep(0.02)


def _added(result: Any, value: Any, path: str) -> str:
    """The first place that unification added to `value`; empty where there is none. Own fields at the top are the policy's."""
    if isinstance(result, dict) and isinstance(value, dict):
        for name, inner in result.items():
            here = f"{path}.{name}" if path else name
            if name not in value:
                if path or name in _RESULT:
                    return here
            elif found := _added(inner, value[name], here):
                return found
    if isinstance(result, list) and isinstance(value, list):
        for place, (inner, own) in enumerate(zip(result, value, strict=False)):
            if found := _added(inner, own, f"{path}[{place}]"):
                return found
    return ""
