"""Regular expressions that are compiled late answer as those that were compiled at once."""

import re

import pytest

from argocd_provenance import regex as module
from argocd_provenance.regex import compile_all, regex


def test_an_expression_is_compiled_when_it_is_first_used() -> None:
    """Until then it costs nothing, even if it is none."""
    broken = regex("(")
    with pytest.raises(re.error):
        broken.search("(")
    del module._waiting[-1]


def test_it_answers_as_one_that_was_compiled_at_once() -> None:
    """Whatever its methods and attributes are asked, flags included."""
    late, early = regex("(?P<a>b)|c", re.IGNORECASE), re.compile("(?P<a>b)|c", re.IGNORECASE)
    assert (late.pattern, late.flags, late.groupindex) == (early.pattern, early.flags, early.groupindex)
    assert [m.span() for m in late.finditer("aBc")] == [m.span() for m in early.finditer("aBc")]
    assert (late.sub("x", "abc"), late.split("abc"), late.fullmatch("d")) == ("axx", early.split("abc"), None)


def test_bytes_are_matched_by_an_expression_of_bytes() -> None:
    """As in ``re``."""
    assert regex(rb"\d+").findall(b"1 22") == [b"1", b"22"]


def test_a_process_that_forks_can_have_all_compiled() -> None:
    """Every expression of every module compiles, and no fork does it again."""
    late = regex("a+")
    compile_all()
    assert "compiled" in vars(late)
