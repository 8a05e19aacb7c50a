"""What `doctor` found, for people and for programs."""

import json
from collections.abc import Sequence
from typing import Protocol


class Found(Protocol):
    """One thing found; see `argocd.doctor.complaint`."""

    @property
    def code(self) -> str:
        """The code, of a closed list."""

    @property
    def weight(self) -> str:
        """error, warning or note."""

    @property
    def where(self) -> str:
        """An object, a file, a registry."""

    @property
    def message(self) -> str:
        """What is so."""

    @property
    def fix(self) -> str:
        """What to do about it; empty where nothing need be done."""


_WORDS = {"error": "ERROR", "warning": "WARN ", "note": "     "}


def as_text(found: Sequence[Found]) -> str:
    """Verdict first, then a line for each finding, its fix below."""
    counts = {weight: sum(one.weight == weight for one in found) for weight in ("error", "warning")}
    said = [f"{count} {weight}{'' if count == 1 else 's'}" for weight, count in counts.items() if count]
    lines = [f"doctor: {', '.join(said) or 'nothing is wrong'}"]
    for one in found:
        first, *more = one.message.splitlines() or [""]
        lines.append(f" {_WORDS[one.weight]} {one.where} [{one.code}] {first}")
        lines += [f"       {line}" for line in more]
        lines += [f"       Fix: {one.fix}"] if one.fix else []
    return "".join("".join(c if c.isprintable() else "\ufffd" for c in line) + "\n" for line in lines)


def as_json(found: Sequence[Found], code: int) -> str:
    """The same as JSON: ``exitCode``, and ``findings`` with code, severity, where, message and fix."""
    findings = [
        {"code": one.code, "severity": one.weight, "where": one.where, "message": one.message, "fix": one.fix}
        for one in found
    ]
    return json.dumps({"exitCode": code, "findings": findings}, indent=2, ensure_ascii=False) + "\n"
