"""The forms that a plugin parameter can have: a text, a list of texts, a map of texts.

Schema: Argo CD's ``ApplicationSourcePluginParameter``. The law: what has another form is an error that names it.
"""

from collections.abc import Mapping
from typing import Any, Literal

import yaml

from argocd_provenance.errors import UsageError

Form = Literal["string", "array", "map"]
Given = str | tuple[str, ...] | Mapping[str, str]


def read_form(name: str, form: str, value: Any) -> Given:
    """`value` of the parameter `name` as its `form` has it; raises `UsageError`."""
    if form == "string" and isinstance(value, str):
        return value
    if form == "array" and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if form == "map" and isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return value
    texts = {"string": "a text", "array": "a list of texts", "map": "a map of texts"}
    raise UsageError(f"plugin parameter {name!r} takes `{form}: …`, which is {texts[form]}")


def text(values: Mapping[str, Given], name: str) -> str:
    """The text of `name`; empty where it is not given."""
    value = values.get(name, "")
    return value if isinstance(value, str) else ""


def texts(values: Mapping[str, Given], name: str) -> tuple[str, ...]:
    """The list of `name`."""
    value = values.get(name, ())
    return value if isinstance(value, tuple) else ()


def pairs(values: Mapping[str, Given], name: str) -> Mapping[str, str]:
    """The map of `name`."""
    value = values.get(name, {})
    return value if isinstance(value, Mapping) else {}


def flag(values: Mapping[str, Given], name: str) -> bool:
    """Whether `name` is ``"true"``; raises `UsageError` for what is neither that nor ``"false"``."""
    value = values.get(name, "false")
    if value not in ("true", "false"):
        raise UsageError(f'plugin parameter {name!r} is "true" or "false", not {str(value)[:100]!r}')
    return value == "true"


def parsed(name: str, written: str) -> Any:
    """The YAML, or JSON, in the text of a parameter; raises `UsageError`."""
    try:
        return yaml.load(written, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"plugin parameter {name!r}: not YAML ({str(error).partition(chr(10))[0]})") from error
