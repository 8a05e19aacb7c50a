"""The plugin parameters of an Application: ``spec.source.plugin.parameters``.

The law: they say how to render, or make the run stricter. A Git commit can replace them (``.argocd-source.yaml``), so
no parameter loosens anything, and one that is unknown, doubled or of the wrong form is an error, not a silence.
"""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from argocd_provenance.errors import UsageError
from argocd_provenance.render import DirectoryOptions

_KNOWN: Mapping[str, str] = {
    "policy.mode": "enforce",
    "policy.unmatched": "deny",
    "directory.recurse": '"true" or "false"',
    "directory.include": "a glob",
    "directory.exclude": "a glob",
}
_FORMS = ("string", "array", "map")


@dataclass(frozen=True, slots=True)
class Parameters:
    """What an Application asks for: stricter policy, and how its folder is read."""

    enforce: bool = False
    deny_unmatched: bool = False
    directory: DirectoryOptions = field(default_factory=DirectoryOptions)


def parse_parameters(text: str) -> Parameters:
    """The parameters in `text`, the JSON of ``ARGOCD_APP_PARAMETERS`` (``null`` or nothing when there are none).

    Raises `UsageError` that says what is known.
    """
    try:
        listed = json.loads(text) if text else None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"ARGOCD_APP_PARAMETERS: not JSON ({error})") from error
    if not isinstance(listed, list | None):
        raise UsageError("ARGOCD_APP_PARAMETERS: not a list of parameters")
    values: dict[str, str] = {}
    for entry in listed or ():
        name, value = _parameter(entry)
        if name in values:
            raise UsageError(f"plugin parameter {name!r} is given twice")
        values[name] = value
    return Parameters(
        enforce=_only(values, "policy.mode"),
        deny_unmatched=_only(values, "policy.unmatched"),
        directory=DirectoryOptions(
            recurse=_flag(values, "directory.recurse"),
            include=values.get("directory.include", ""),
            exclude=values.get("directory.exclude", ""),
        ),
    )


def _parameter(entry: Any) -> tuple[str, str]:
    """Name and value of one entry: ``{"name": …, "string": …}``."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise UsageError("a plugin parameter without a name")
    name = entry["name"]
    if name == "hook":
        raise UsageError("plugin parameter 'hook' is not supported by this version")
    if name not in _KNOWN:
        close = difflib.get_close_matches(name, _KNOWN, n=1)
        known = ", ".join(_KNOWN)
        raise UsageError(
            f"unknown plugin parameter {name!r}{f' (did you mean {close[0]!r}?)' if close else ''}; known are {known}"
        )
    given = [form for form in _FORMS if entry.get(form) is not None]
    if given != ["string"] or not isinstance(entry["string"], str) or set(entry) - {"name", *_FORMS}:
        raise UsageError(f"plugin parameter {name!r} takes `string: …` and nothing else")
    return name, entry["string"]


def _only(values: Mapping[str, str], name: str) -> bool:
    """Whether `name` is given; its one legal value is the strict one."""
    if name in values and values[name] != _KNOWN[name]:
        raise UsageError(
            f"plugin parameter {name!r} can only be {_KNOWN[name]!r}, not {values[name]!r}: an Application may tighten, never loosen"
        )
    return name in values


def _flag(values: Mapping[str, str], name: str) -> bool:
    value = values.get(name, "false")
    if value not in ("true", "false"):
        raise UsageError(f"plugin parameter {name!r} is {_KNOWN[name]}, not {value!r}")
    return value == "true"
