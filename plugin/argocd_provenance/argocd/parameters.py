"""The plugin parameters of an Application: ``spec.source.plugin.parameters``.

The law: they say how to render, or make the run stricter. A Git commit can replace them (``.argocd-source.yaml``), so
no parameter loosens anything, and one that is unknown, doubled or of the wrong form is an error, not a silence.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from argocd_provenance.argocd import rendering
from argocd_provenance.argocd.forms import Given, read_form
from argocd_provenance.errors import UsageError
from argocd_provenance.records import dataclass, field
from argocd_provenance.render import DirectoryOptions, HelmOptions, KustomizeOptions
from argocd_provenance.render.settings import Kind

# The tightening ones: each has one legal value.
_STRICTER: Mapping[str, str] = {"policy.mode": "enforce", "policy.unmatched": "deny", "hook": "true"}
KNOWN: tuple[str, ...] = (*_STRICTER, *rendering.FORMS)
_FORMS = ("string", "array", "map")
# Linux hands over no longer text in an environment: MAX_ARG_STRLEN.
_LIMIT = 128 * 1024
_QUOTED = 100


@dataclass(frozen=True, slots=True)
class Parameters:
    """What an Application asks for: stricter policy, the check at sync time, and how its folder is rendered.

    `kind` is the type that it names by giving parameters of it; without any, the folder decides.
    """

    enforce: bool = False
    deny_unmatched: bool = False
    hook: bool = False
    kind: Kind | None = None
    directory: DirectoryOptions = field(default_factory=DirectoryOptions)
    helm: HelmOptions = field(default_factory=HelmOptions)
    kustomize: KustomizeOptions = field(default_factory=KustomizeOptions)


def parse_parameters(text: str) -> Parameters:
    """The parameters in `text`, the JSON of ``ARGOCD_APP_PARAMETERS`` (``null`` or nothing when there are none).

    Raises `UsageError` that says what is known.
    """
    if len(text) > _LIMIT:
        raise UsageError(f"ARGOCD_APP_PARAMETERS: longer than {_LIMIT} characters")
    try:
        listed = _read(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"ARGOCD_APP_PARAMETERS: not JSON ({error})") from error
    if not isinstance(listed, list | None):
        raise UsageError("ARGOCD_APP_PARAMETERS: not a list of parameters")
    if not all(_is_text(found) for found in _texts(listed)):
        raise UsageError("ARGOCD_APP_PARAMETERS: holds a NUL or half a character, which no program could be told")
    values: dict[str, Given] = {}
    for entry in listed or ():
        name, value = _parameter(entry)
        if name in values:
            raise UsageError(f"plugin parameter {name!r} is given twice")
        values[name] = value
    return Parameters(
        enforce=_only(values, "policy.mode"),
        deny_unmatched=_only(values, "policy.unmatched"),
        hook=_only(values, "hook"),
        kind=rendering.kind(values),
        directory=rendering.directory(values),
        helm=rendering.helm(values),
        kustomize=rendering.kustomize(values),
    )


def _read(text: str) -> Any:
    """The value that `text` spells; raises ValueError, RecursionError, or `UsageError`."""
    if text in ("", "null"):
        return None
    import json  # noqa: PLC0415 - for Applications that have parameters

    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose names stand once: of two, one reader takes the first, another one the last."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise UsageError(f"ARGOCD_APP_PARAMETERS: {name[:_QUOTED]!r} stands twice in one object")
        found[name] = value
    return found


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, names too."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one


def _is_text(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _parameter(entry: Any) -> tuple[str, Given]:
    """Name and value of one entry: ``{"name": …}`` and one of ``string``, ``array`` and ``map``."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise UsageError("a plugin parameter without a name")
    name = entry["name"]
    if name in rendering.REFUSED:
        raise UsageError(f"plugin parameter {name!r}: {rendering.REFUSED[name]}")
    if name not in KNOWN:
        import difflib  # noqa: PLC0415 - for who mistyped

        close = difflib.get_close_matches(name[:_QUOTED], KNOWN, n=1)
        raise UsageError(
            f"unknown plugin parameter {name[:_QUOTED]!r}{f' (did you mean {close[0]!r}?)' if close else ''}; known are {', '.join(KNOWN)}"
        )
    forms = rendering.FORMS.get(name, ("string",))
    given = [form for form in _FORMS if entry.get(form) is not None]
    if len(given) != 1 or given[0] not in forms or set(entry) - {"name", *_FORMS}:
        raise UsageError(
            f"plugin parameter {name!r} takes `{'` or `'.join(f'{form}: …' for form in forms)}` and nothing else"
        )
    return name, read_form(name, given[0], entry[given[0]])


def _only(values: Mapping[str, Given], name: str) -> bool:
    """Whether `name` is given; its one legal value is the strict one."""
    if name in values and values[name] != _STRICTER[name]:
        raise UsageError(
            f"plugin parameter {name!r} can only be {_STRICTER[name]!r}, not {str(values[name])[:_QUOTED]!r}: an Application may tighten, never loosen"
        )
    return name in values
