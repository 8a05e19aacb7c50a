"""CEL, the language of `where`: an expression over one piece of evidence.

Only the value ``true`` is true. An error that reaches the result, a missing key and any other value are failures.

Language: github.com/google/cel-spec.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

NAMES = ("predicate", "statement", "certificate", "image")

_MAX_EXPRESSION = 4096
_MACROS = frozenset({"all", "exists", "exists_one", "map", "filter", "reduce", "min"})
_TYPES = frozenset({
    "bool", "bytes", "double", "duration", "int", "list", "map", "null_type", "string", "timestamp", "type", "uint",
})  # fmt: skip
_MORE_FUNCTIONS = frozenset({"has", "dyn"})


class BadExpressionError(ValueError):
    """A text that is no expression, or one that can never be true; the message says why."""


@dataclass(frozen=True, slots=True)
class CelExpression:
    """A compiled expression."""

    text: str
    _program: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_program", _compiled(self.text))

    def failure(self, scope: Mapping[str, Any]) -> str | None:
        """Why the expression is not true of `scope`; None if it is."""
        from celpy.celtypes import BoolType  # noqa: PLC0415 - 100 ms that a policy without `where` never needs
        from celpy.evaluation import CELEvalError  # noqa: PLC0415 - as above

        try:
            result = self._program.evaluate(_values(scope))
        except CELEvalError as error:
            return f"error: {error.args[0] if error.args else error}"
        # What evidence holds is not ours: numbers beyond 64 bits, and texts that the library stumbles over.
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError) as error:
            return f"error: {type(error).__name__}: {error}"
        if isinstance(result, BoolType):
            return None if result == 1 else "it is false"
        return f"it is a {type(result).__name__.removesuffix('Type').lower()}, not true"


@functools.cache
def _text_type() -> Any:
    from celpy.celtypes import StringType  # noqa: PLC0415 - as above

    class Text(StringType):  # type: ignore[misc]  # the library has no types
        """A text that is no list: by the specification, macros and `in` over one are errors; celpy walks its letters."""

        def __iter__(self) -> Iterator[str]:
            raise TypeError("a text is no list")

    Text.__name__ = StringType.__name__
    return Text


def _type_of(value: Any) -> Any:
    from celpy import celtypes  # noqa: PLC0415 - as above

    return celtypes.StringType if isinstance(value, celtypes.StringType) else celtypes.TypeType(value)


def _values(scope: Mapping[str, Any]) -> dict[str, Any]:
    """`scope` as values of CEL."""
    from celpy import celtypes  # noqa: PLC0415 - as above
    from celpy.adapter import json_to_cel  # noqa: PLC0415 - as above

    text = _text_type()

    def value(said: Any) -> Any:
        if isinstance(said, str):
            return text(said)
        if isinstance(said, Mapping):
            return celtypes.MapType({celtypes.StringType(name): value(inner) for name, inner in said.items()})
        if isinstance(said, list | tuple):
            return celtypes.ListType([value(inner) for inner in said])
        return json_to_cel(said)

    return {name: value(said) for name, said in scope.items()}


def _compiled(text: str) -> Any:
    import celpy  # noqa: PLC0415 - as above
    from celpy.celparser import CELParseError  # noqa: PLC0415 - as above

    if not text.strip():
        raise BadExpressionError("is empty; an empty expression proves nothing")
    if len(text) > _MAX_EXPRESSION:
        raise BadExpressionError(f"is longer than {_MAX_EXPRESSION} characters")
    environment = celpy.Environment()
    try:
        tree = environment.compile(text)
    except CELParseError as error:
        place = f" (column {error.column})" if error.column else ""
        raise BadExpressionError(f"is no CEL expression{place}") from error
    except RecursionError as error:
        raise BadExpressionError("is nested too deeply") from error
    _refuse_unknown_names(tree)
    return environment.program(tree, functions={"type": _type_of})


def _refuse_unknown_names(tree: Any) -> None:
    """Raise `BadExpressionError` for a name or a function that no evidence can give a meaning."""
    from celpy.evaluation import base_functions  # noqa: PLC0415 - as above

    bound = set(_bound(tree))
    for node in tree.find_data("ident"):
        name = str(node.children[0])
        if name not in bound and name not in NAMES and name not in _TYPES:
            raise BadExpressionError(f"knows no {name}; it can speak of {', '.join(NAMES)}")
    for kind in ("ident_arg", "dot_ident_arg"):
        for node in tree.find_data(kind):
            name = str(node.children[0])
            if name not in base_functions and name not in _MORE_FUNCTIONS and name not in _TYPES:
                raise BadExpressionError(f"knows no function {name}")


def _bound(tree: Any) -> Iterator[str]:
    """The names that the macros of `tree` bind."""
    for node in tree.find_data("member_dot_arg"):
        if str(node.children[1]) in _MACROS and len(node.children) > 2:
            for ident in node.children[2].children[0].find_data("ident"):
                yield str(ident.children[0])
