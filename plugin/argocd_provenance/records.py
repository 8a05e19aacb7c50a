"""`dataclass` for classes with slots, which makes their methods itself, and only when the first instance is made.

Python 3.11 takes half a millisecond to make the methods of one data class, and nine to import ``dataclasses``: with two
hundred classes, of which a run uses a third, that was a third of the time that it took to start. The law: a class behaves
as one of ``dataclasses.dataclass`` does, for ``dataclasses.fields``, ``replace`` and ``asdict`` too, and type checkers are
told that it is one. What no class here needs (``InitVar``, ``kw_only``, classes without slots) there is not.
"""

import _thread
import reprlib
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter, eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["dataclass", "field", "make_all", "replace"]

_MADE_LATER = ("__match_args__", "__init__")
_FOR_DATACLASSES = ("__dataclass_fields__", "__dataclass_params__")
_ORDER = {"__lt__": lt, "__le__": le, "__gt__": gt, "__ge__": ge}
_making = _thread.RLock()
_waiting: "list[_Record]" = []
_records: "dict[type, _Record]" = {}


def make_all() -> None:
    """Make the methods of all classes that there are: for a process whose forks should not each make them."""
    while _waiting:
        _waiting.pop().make()


def _replace(record: Any, /, **changes: Any) -> Any:
    """A new instance of the class of `record`, with the same fields but for `changes`, as ``dataclasses.replace``."""
    cls = record.__class__
    kept = {name: getattr(record, name) for name in cls.__match_args__ if name not in changes}
    return cls(**kept, **changes)


class _Given:
    """What stands in a class for the default of a field: the options of ``dataclasses.field`` that somebody named."""

    def __init__(self, **options: Any) -> None:
        self.options = options


class _Factory:
    """Stands in a signature for a default that is made anew for each instance."""

    def __repr__(self) -> str:
        return "<factory>"


_MADE = _Factory()


class _Field:
    """A field of a class."""

    def __init__(self, name: str, kind: Any, body: Mapping[str, Any]) -> None:
        given = body.get(name)
        options = given.options if isinstance(given, _Given) else {"default": given} if name in body else {}
        self.name, self.kind = name, kind
        self.default = (
            (_MADE,) if "default_factory" in options else (options["default"],) if "default" in options else ()
        )
        self.factory = options.get("default_factory")
        self.init, self.shown = options.get("init", True), options.get("repr", True)
        self.compared = options.get("compare", True)
        hashed = options.get("hash")
        self.hashed = self.compared if hashed is None else hashed


def _dataclass(**options: bool) -> Callable[[type], type]:
    """The decorator for these options of ``dataclasses.dataclass``: ``slots``, and any of ``frozen``, ``eq`` and ``order``."""
    if not options.get("slots") or options.keys() - {"slots", "frozen", "eq", "order"}:
        raise TypeError("a data class here has slots, and may be frozen, ordered, or without comparison")

    def decorated(cls: type) -> type:
        body = {name: value for name, value in vars(cls).items() if name not in {"__dict__", "__weakref__"}}
        kinds = body.get("__annotations__", {})
        bare = {name: value for name, value in body.items() if name not in kinds}
        if "__init__" in body or any(type(body.get(name)).__module__ == "dataclasses" for name in kinds):
            raise TypeError(f"{cls.__qualname__}: use records.field, and __post_init__")
        inherited = {name for base in cls.__mro__ for name in vars(base).get("__slots__", ())}
        if options.get("frozen"):
            bare |= {"__setattr__": _assigned, "__delattr__": _deleted}
        made = type(cls)(cls.__name__, cls.__bases__, {
            **bare, "__qualname__": cls.__qualname__, "__setstate__": _restored,
            "__slots__": tuple(name for name in kinds if name not in inherited),
        })  # fmt: skip
        record = _records[made] = _Record(made, body, options)
        _waiting.append(record)
        for name in _MADE_LATER:
            setattr(made, name, _Later(name, record.make))
        for name in _FOR_DATACLASSES:
            setattr(made, name, _Later(name, record.tell_dataclasses))
        return made

    return decorated


class _Record:
    """What is known of `cls` beyond itself; `body` is what its author wrote."""

    def __init__(self, cls: type, body: dict[str, Any], options: dict[str, bool]) -> None:
        self._cls, self._body, self._options = cls, body, options
        self._made = False

    def make(self) -> type:
        """Give the class its methods, and return it. ``__init__`` comes last: other threads wait for it here."""
        with _making:
            if not self._made:
                fields = tuple(self.fields())
                for name, value in (*self._methods(fields), ("__init__", _init(self._cls, fields))):
                    if name not in self._body:
                        setattr(self._cls, name, value)
                self._made = True
            return self._cls

    def fields(self) -> "Iterator[_Field]":
        """Its fields, those of its bases first."""
        own = self._body.get("__annotations__", {})
        for base in self._cls.__bases__:
            if base in _records:
                yield from (field for field in _records[base].fields() if field.name not in own)
        yield from (_Field(name, kind, self._body) for name, kind in own.items())

    def _methods(self, fields: tuple[_Field, ...]) -> Iterator[tuple[str, Any]]:
        """All that it gets but ``__init__``."""
        yield "__match_args__", tuple(field.name for field in fields if field.init)
        yield "__repr__", _repr([field.name for field in fields if field.shown])
        if not self._options.get("eq", True):
            return
        compared = _values([field.name for field in fields if field.compared])
        yield "__eq__", _comparison(compared, eq)
        if self._options.get("order"):
            yield from ((name, _comparison(compared, by)) for name, by in _ORDER.items())
        if self._body.get("__hash__") is None:
            hashed = _values([field.name for field in fields if field.hashed])
            yield "__hash__", (lambda self: hash(hashed(self))) if self._options.get("frozen") else None

    def tell_dataclasses(self) -> type:
        """Give the class what the functions of ``dataclasses`` ask it for, and return it."""
        import dataclasses  # noqa: PLC0415 - which runs do without

        body = {n: dataclasses.field(**v.options) if isinstance(v, _Given) else v for n, v in self._body.items()}
        model: type = dataclasses.dataclass(**{**self._options, "slots": False})(
            type(self._cls)(self._cls.__name__, self._cls.__bases__, body)
        )
        for name in _FOR_DATACLASSES:
            setattr(self._cls, name, vars(model)[name])
        return self._cls


class _Later:
    """Stands in a class for the attribute `name`, until somebody asks for it and `make` makes it."""

    def __init__(self, name: str, make: Callable[[], type]) -> None:
        self._name, self._make = name, make

    def __get__(self, instance: object, owner: type) -> Any:
        found = vars(self._make())[self._name]
        return found.__get__(instance, owner) if hasattr(found, "__get__") else found


def _init(cls: type, fields: tuple[_Field, ...]) -> Callable[..., None]:
    """``__init__``, as its author would have written it. Values go through the slots themselves, which is quickest."""
    taken = [field for field in fields if field.init]
    lines = [f"def __init__({', '.join(['self', *(field.name for field in taken)])}):"]
    known: dict[str, Any] = {"_made": _MADE}
    for field in fields:
        if not field.init and not field.default:
            continue  # its class sets it
        known[f"_set_{field.name}"] = getattr(cls, field.name).__set__
        value = field.name if field.init else f"_default_{field.name}"
        known[f"_default_{field.name}"] = field.default[0] if field.default else None
        if field.factory is not None:
            known[f"_factory_{field.name}"] = field.factory
            value = f"_factory_{field.name}() if {value} is _made else {value}"
        lines.append(f" _set_{field.name}(self, {value})")
    lines.append(" self.__post_init__()" if hasattr(cls, "__post_init__") else " return None")
    exec("\n".join(lines), known)  # noqa: S102 - our own names of fields
    init: Any = known["__init__"]
    init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    init.__defaults__ = tuple(default for field in taken for default in field.default)
    init.__annotations__ = {**{field.name: field.kind for field in taken}, "return": None}
    return init  # type: ignore[no-any-return]


def _values(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the tuple of these attributes of an instance."""
    if len(names) > 1:
        return attrgetter(*names)
    if names:
        only = attrgetter(names[0])
        return lambda record: (only(record),)
    return lambda _: ()


def _comparison(values: Callable[[Any], tuple[Any, ...]], by: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compared(self: Any, other: Any) -> bool:
        return by(values(self), values(other)) if other.__class__ is self.__class__ else NotImplemented

    return compared


def _repr(names: list[str]) -> Callable[[Any], str]:
    @reprlib.recursive_repr()
    def shown(self: Any) -> str:
        return f"{self.__class__.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    return shown


def _assigned(self: object, name: str, value: object) -> NoReturn:  # noqa: ARG001 - what Python calls
    from dataclasses import FrozenInstanceError  # noqa: PLC0415 - which runs do without

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _deleted(self: object, name: str) -> NoReturn:  # noqa: ARG001 - as above
    from dataclasses import FrozenInstanceError  # noqa: PLC0415 - as above

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _restored(self: Any, state: tuple[None, dict[str, Any]]) -> None:
    """What pickle and copy do with an instance that they made without ``__init__``."""
    _records[type(self)].make()
    for name, value in state[1].items():
        object.__setattr__(self, name, value)


if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    dataclass, field, replace = _dataclass, _Given, _replace
