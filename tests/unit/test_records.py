"""Data classes whose methods are made late are data classes in every other way."""

import copy
import dataclasses
import inspect
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

from argocd_provenance import records
from argocd_provenance.records import dataclass as late
from argocd_provenance.records import make_all, replace

Decorator = Callable[..., Any]


def _pair(decorator: Decorator) -> Any:
    field: Any = dataclasses.field if decorator is dataclasses.dataclass else records.field

    @decorator(frozen=True, slots=True, order=True)
    class Pair:
        """Two of a kind."""

        first: int
        second: tuple[int, ...] = (1,)
        third: list[int] = field(default_factory=list, compare=False)
        fourth: int = field(default=4, repr=False, hash=False)
        fifth: int = field(init=False, repr=False, compare=False)

        def __post_init__(self) -> None:
            if self.first < 0:
                raise ValueError("negative")
            object.__setattr__(self, "fifth", self.first + 4)

        @property
        def total(self) -> int:
            return self.first + sum(self.second)

    return Pair


@late(frozen=True, slots=True)
class Kept:
    """Stands in a module, so that pickle finds it."""

    name: str
    size: int = 3


def _what_it_does(cls: Any) -> list[object]:
    one, other = cls(1), cls(1, (2,), [5])
    return [
        repr(one), one == cls(1, third=[9]), one == other, one < other, one <= other, one > other, one >= other, one.total,
        hash(one) == hash(cls(1)), hash(one) == hash(cls(1, fourth=5)), one == cls(1, fourth=5), one.fifth,
        dataclasses.replace(other, first=4) == cls(4, (2,)), replace(other, first=4) == cls(4, (2,)),
        dataclasses.asdict(other), dataclasses.astuple(one), dataclasses.is_dataclass(cls), dataclasses.is_dataclass(one),
        [field.name for field in dataclasses.fields(cls)], cls.__match_args__, str(inspect.signature(cls)), cls.__doc__,
        cls.__slots__, hasattr(one, "__dict__"), copy.copy(one) == one, copy.deepcopy(other).third,
        cls.__qualname__, cls.__module__, one == object(), cls.__init__.__qualname__,
    ]  # fmt: skip


def _mutable(decorator: Decorator) -> Any:
    @decorator(slots=True)
    class Base:
        """A name."""

        name: str

    @decorator(slots=True)
    class Count(Base):
        """A name, and a number."""

        count: int = 0

    return Base, Count


def _odd(decorator: Decorator) -> Any:
    @decorator(frozen=True, slots=True)
    class Nothing:
        """Has no field."""

    @decorator(frozen=True, slots=True)
    class Alike:
        """Is what every other one is."""

        name: str

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Alike)

        def __hash__(self) -> int:
            return 7

    @decorator(slots=True, eq=False)
    class Only:
        """Is itself."""

        inner: object = None

    return Nothing, Alike, Only


def _what_others_do(decorator: Decorator) -> list[object]:
    base, count = _mutable(decorator)
    nothing, alike, only = _odd(decorator)
    changed, circle = count("a"), only()
    changed.count = 3
    circle.inner = circle
    return [
        repr(changed), changed == count("a", 3), changed == base("a"), base("a") == base("a"), base("a") == base("b"),
        count.__hash__, count.__match_args__, count.__slots__, str(inspect.signature(count)), copy.copy(changed) == changed,
        nothing() == nothing(), hash(nothing()) == hash(nothing()), repr(nothing()),
        alike("a") == alike("b"), hash(alike("a")), only() == only(), hash(circle) == hash(circle), repr(circle),
    ]  # fmt: skip


def test_a_late_class_does_what_a_data_class_does() -> None:
    """The same class by both decorators answers alike, whatever it is asked."""
    assert _what_it_does(_pair(late)) == _what_it_does(_pair(dataclasses.dataclass))


def test_classes_that_change_or_compare_their_own_way_do_what_data_classes_do() -> None:
    """Mutable ones, those with a base, without fields, with a comparison of their own, and without any."""
    assert _what_others_do(late) == _what_others_do(dataclasses.dataclass)


def test_a_late_class_has_slots_and_no_option_that_was_not_thought_of() -> None:
    """What this decorator does not make, it refuses when the class is made, not when it is used."""
    for options in ({"frozen": True}, {"slots": True, "kw_only": True}):
        with pytest.raises(TypeError, match="has slots"):
            late(**options)(type("Other", (), {}))
    with pytest.raises(TypeError, match=r"records\.field"):
        late(slots=True)(
            type("Mixed", (), {"__annotations__": {"a": list}, "a": dataclasses.field(default_factory=list)})
        )


@pytest.mark.parametrize("decorator", [late, dataclasses.dataclass])
@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda cls: cls(), TypeError),
        (lambda cls: cls(-1), ValueError),
        (lambda cls: cls(1, nonsense=2), TypeError),
        (lambda cls: setattr(cls(1), "first", 2), dataclasses.FrozenInstanceError),
        (lambda cls: delattr(cls(1), "first"), dataclasses.FrozenInstanceError),
        (lambda cls: cls(1) < 3, TypeError),
    ],
)
def test_a_late_class_refuses_what_a_data_class_refuses(
    decorator: Decorator, act: Callable[[Any], object], error: type[Exception]
) -> None:
    """Wrong arguments, assignments and comparisons are errors of the same kinds."""
    with pytest.raises(error):
        act(_pair(decorator))


def test_the_fields_are_there_before_the_first_instance() -> None:
    """Whoever asks a class for its fields first gets them, and its base's as well."""
    base = _pair(late)

    @late(frozen=True, slots=True)
    class More(base):  # type: ignore[misc]
        sixth: str = "d"

    assert [field.name for field in dataclasses.fields(More)] == [
        "first",
        "second",
        "third",
        "fourth",
        "fifth",
        "sixth",
    ]
    assert More(1).sixth == "d"
    assert not hasattr(More(1), "__dict__")


def test_methods_are_made_with_the_first_instance() -> None:
    """A class that nobody uses costs nothing but its body."""
    cls = _pair(late)
    assert "__eq__" not in vars(cls)
    cls(1)
    assert "__eq__" in vars(cls)


def test_a_process_that_forks_can_have_all_methods_made() -> None:
    """Then no fork of it makes them again."""
    cls = _pair(late)
    make_all()
    assert "__eq__" in vars(cls)


def test_a_pickled_instance_is_the_same_again() -> None:
    """What comes out of a pickle has the fields that went in."""
    assert pickle.loads(pickle.dumps(Kept("a"))) == Kept("a")  # noqa: S301 - our own


def test_what_pickle_restores_first_is_compared_by_its_fields() -> None:
    """A process that reads an instance before it has made one gets the methods as well."""
    cls = _pair(late)
    one, other = (cls.__new__(cls) for _ in range(2))
    for restored in (one, other):
        restored.__setstate__((None, {"first": 1, "second": (2,), "third": [], "fourth": 4, "fifth": 5}))
    assert one == other


def test_many_threads_may_make_the_first_instance() -> None:
    """Nobody sees a class half made."""
    for _ in range(20):
        cls, together, found = _pair(late), threading.Barrier(8), []

        def make(cls: Any = cls, together: threading.Barrier = together, found: list[Any] = found) -> None:
            together.wait()
            found.append(cls(2))

        threads = [threading.Thread(target=make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [cls(2)] * 8
