"""`dataclass`, which makes the methods of a frozen class when its first instance is made.

Python 3.11 takes half a millisecond to make the methods of one data class: for two hundred classes, of which a run uses
a third, that was a third of the time that it took to start. The law: apart from that moment nothing differs from
``dataclasses.dataclass``, and type checkers are told that it is that.
"""

import dataclasses
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["dataclass", "make_all"]

_MADE_LATER = ("__dataclass_fields__", "__match_args__", "__init__")
_making = threading.RLock()
_waiting: "list[_Methods]" = []


def make_all() -> None:
    """Make the methods of all classes that there are: for a process whose forks should not each make them."""
    while _waiting:
        _waiting.pop().make()


def _dataclass(**options: bool) -> Callable[[type], type]:
    """The decorator for these options of ``dataclasses.dataclass``; frozen classes with slots are those that can wait."""

    def decorated(cls: type) -> type:
        if not (options.get("frozen") and options.get("slots")) or "__init__" in vars(cls):
            return dataclasses.dataclass(**options)(cls)
        body = {name: value for name, value in vars(cls).items() if name not in {"__dict__", "__weakref__"}}
        names = body.get("__annotations__", {})
        bare = {name: value for name, value in body.items() if name not in names}
        inherited = {name for base in cls.__mro__ for name in vars(base).get("__slots__", ())}
        made = type(cls)(cls.__name__, cls.__bases__, {
            **bare, "__qualname__": cls.__qualname__, "__slots__": tuple(name for name in names if name not in inherited),
            "__setattr__": _assigned, "__delattr__": _deleted, "__setstate__": _restored,
        })  # fmt: skip
        methods = _Methods(made, body, {**options, "slots": False})
        _waiting.append(methods)
        for name in _MADE_LATER:
            setattr(made, name, _Later(name, methods))
        return made

    return decorated


class _Methods:
    """The methods of `cls`, which are not made yet; `body` is what its author wrote."""

    def __init__(self, cls: type, body: dict[str, Any], options: dict[str, bool]) -> None:
        self._cls, self._body, self._options = cls, body, options
        self._made = False

    def make(self) -> type:
        """Give `cls` its methods, and return it. ``__init__`` comes last: other threads wait for it here."""
        with _making:
            if self._made:
                return self._cls
            body = {**self._body, "__qualname__": self._cls.__qualname__}
            model: type = dataclasses.dataclass(**self._options)(
                type(self._cls)(self._cls.__name__, self._cls.__bases__, body)
            )
            own = {"__setattr__", "__delattr__", "__dict__", "__weakref__", *self._body.get("__annotations__", ())}
            new = {n: v for n, v in vars(model).items() if n not in own and v is not self._body.get(n)}
            for name, value in sorted(new.items(), key=lambda item: item[0] == "__init__"):
                setattr(self._cls, name, value)
            self._made = True
            return self._cls


class _Later:
    """Stands in a class for the attribute `name`, until somebody asks for it."""

    def __init__(self, name: str, methods: _Methods) -> None:
        self._name, self._methods = name, methods

    def __get__(self, instance: object, owner: type) -> Any:
        found = vars(self._methods.make())[self._name]
        return found.__get__(instance, owner) if hasattr(found, "__get__") else found


def _assigned(self: object, name: str, value: object) -> NoReturn:  # noqa: ARG001 - what Python calls
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _deleted(self: object, name: str) -> NoReturn:  # noqa: ARG001 - as above
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _restored(self: Any, state: tuple[None, dict[str, Any]]) -> None:
    """What pickle and copy do with an instance that they made without ``__init__``."""
    for field in dataclasses.fields(self):
        object.__setattr__(self, field.name, state[1][field.name])


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _dataclass
