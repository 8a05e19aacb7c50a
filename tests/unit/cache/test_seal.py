"""Seals and moments: what an entry of the cache is worth."""

import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argocd_provenance.cache import seal
from argocd_provenance.cache.moments import Moment
from argocd_provenance.cache.seal import Seal
from argocd_provenance.errors import OperatorError

SEAL = Seal(b"k" * 32)
MOMENT = Moment(1_800_000_000.0, 5000.0, b"b" * 16)
QUESTION = ("tag", "registry.example", "acme/web", "v1")
QUESTIONS = st.lists(st.text(max_size=8), max_size=5)


class TestSeal:
    @given(QUESTIONS, st.binary(max_size=64))
    def test_what_was_sealed_is_opened_by_the_same_question(self, question: list[str], answer: bytes) -> None:
        """An entry gives back moment and answer."""
        assert SEAL.open(question, SEAL.close(question, MOMENT, answer)) == (MOMENT, answer)

    @given(QUESTIONS, QUESTIONS, st.binary(max_size=16))
    def test_no_entry_answers_another_question(self, one: list[str], other: list[str], answer: bytes) -> None:
        """Parts that run together alike, or are as many, are different questions all the same."""
        entry = SEAL.close(one, MOMENT, answer)

        assert one == other or SEAL.open(other, entry) is None
        assert one == other or SEAL.name(one) != SEAL.name(other)

    @pytest.mark.parametrize("other", [("ab", "c"), ("abc",), ("a", "b", "c"), ("", "abc"), ("a", "bc", "")])
    def test_parts_do_not_run_together(self, other: tuple[str, ...]) -> None:
        """The same letters, cut elsewhere, are another question."""
        assert SEAL.name(("a", "bc")) != SEAL.name(other)
        assert SEAL.open(other, SEAL.close(("a", "bc"), MOMENT, b"x")) is None

    @given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
    def test_no_byte_of_an_entry_can_be_changed(self, position: int, change: int) -> None:
        """Version, seal, time and answer: a changed byte anywhere makes the entry nothing."""
        entry = bytearray(SEAL.close(QUESTION, MOMENT, b"sha256:abc"))
        entry[position % len(entry)] ^= change

        assert SEAL.open(QUESTION, bytes(entry)) is None

    @given(st.binary(max_size=200))
    def test_bytes_that_nobody_sealed_are_nothing(self, entry: bytes) -> None:
        """Any bytes give None, and no fault."""
        assert SEAL.open(QUESTION, entry) is None

    def test_another_key_opens_nothing(self) -> None:
        """Who does not read our key can seal nothing for us, and does not find our entries."""
        other = Seal(b"K" * 32)

        assert SEAL.open(QUESTION, other.close(QUESTION, MOMENT, b"x")) is None
        assert other.name(QUESTION) != SEAL.name(QUESTION)


class TestMoment:
    def test_age_is_the_longer_of_two_clocks(self) -> None:
        """A wall clock that was set back makes nothing young again."""
        assert MOMENT.age(Moment(MOMENT.wall + 5, MOMENT.since_boot + 90, MOMENT.boot)) == 90
        assert MOMENT.age(Moment(MOMENT.wall + 90, MOMENT.since_boot + 5, MOMENT.boot)) == 90

    def test_a_moment_in_the_future_has_no_age(self) -> None:
        """By either clock, of one machine."""
        assert MOMENT.age(Moment(MOMENT.wall - 1, MOMENT.since_boot + 1, MOMENT.boot)) is None
        assert MOMENT.age(Moment(MOMENT.wall + 1, MOMENT.since_boot - 1, MOMENT.boot)) is None

    def test_machines_compare_their_wall_clocks_only(self) -> None:
        """Seconds since a boot mean nothing elsewhere."""
        assert MOMENT.age(Moment(MOMENT.wall + 7, 1.0, b"c" * 16)) == 7


class TestKey:
    def test_an_absent_key_is_made_for_us_alone(self, tmp_path: Path) -> None:
        """Mode 0600, in a folder that is made for it, and the same the next time."""
        path = tmp_path / "lib" / "key"

        made = seal.load(path)

        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert seal.load(path) == made
        assert [found.name for found in path.parent.iterdir()] == ["key"]

    def test_processes_that_make_the_key_at_once_agree(self, tmp_path: Path) -> None:
        """One wins, and all have its key."""
        with multiprocessing.get_context("fork").Pool(8) as pool:
            made = pool.map(seal.load, [tmp_path / "key"] * 32, chunksize=1)

        assert len(set(made)) == 1
        assert [found.name for found in tmp_path.iterdir()] == ["key"]

    def test_whoever_comes_second_takes_the_key_of_the_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another process makes the key just before ours would be in its place."""
        made: list[bytes] = []
        sync = os.fsync

        def overtaken(descriptor: int) -> None:
            monkeypatch.setattr(os, "fsync", sync)
            made.append(seal.load(tmp_path / "key"))
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", overtaken)

        assert [seal.load(tmp_path / "key")] == made
        assert [seal.load(tmp_path / "key")] == made
        assert [found.name for found in tmp_path.iterdir()] == ["key"]

    def test_a_file_that_is_no_key_is_the_operators_fault(self, tmp_path: Path) -> None:
        """Empty, short or endless: nobody seals with it."""
        for content in (b"", b"short", b"x" * 5000):
            (tmp_path / "key").write_bytes(content)
            with pytest.raises(OperatorError, match="holds"):
                seal.load(tmp_path / "key")

    def test_a_pipe_in_its_place_holds_nobody_up(self, tmp_path: Path) -> None:
        """It is read without waiting for a writer."""
        os.mkfifo(tmp_path / "key")

        with pytest.raises(OperatorError):
            seal.load(tmp_path / "key")

    def test_where_no_key_can_be_made_there_is_none(self, tmp_path: Path) -> None:
        """A file where its folder should be."""
        (tmp_path / "lib").write_text("")

        with pytest.raises(OSError, match="lib"):
            seal.load(tmp_path / "lib" / "key")
