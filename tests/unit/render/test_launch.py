"""How a program is started, and what it gets of us: three streams, and nothing else."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import DeadlineExceeded, RenderError
from argocd_provenance.render.process import run, started

# Started by nobody who has a standard stream: what is opened gets their numbers.
CLOSED = """
import os
from pathlib import Path
from argocd_provenance.deadline import Deadline
from argocd_provenance.render.process import run
for number in {closed}:
    os.close(number)
text = run([{program!r}], Path({folder!r}), lambda _: {{}}, [Path({folder!r})], Deadline(60))
Path({said!r}).write_text(text)
"""


def program(folder: Path, body: str) -> str:
    """A program that runs the Python of `body`."""
    place = folder / "program"
    place.write_text(f"#!{sys.executable} -ISE\nimport os, sys\n{body}\n")
    place.chmod(0o755)
    return str(place)


def test_no_descriptor_of_ours_is_handed_on(tmp_path: Path) -> None:
    """Neither one that we opened nor one that whoever started us left open: it might lead to a secret."""
    (tmp_path / "secret").write_text("secret")
    opened = os.open(tmp_path / "secret", os.O_RDONLY)
    os.set_inheritable(opened, True)
    tries = f"for number in range(3, {opened + 8}):\n try: os.fstat(number); print(number)\n except OSError: pass"

    try:
        assert run([program(tmp_path, tries)], tmp_path, lambda _: {}, [tmp_path], Deadline(60)) == ""
    finally:
        os.close(opened)


@pytest.mark.parametrize("closed", [(0,), (1,), (0, 1), (1, 2), (0, 1, 2)])
def test_the_program_has_its_streams_where_we_have_none(tmp_path: Path, closed: tuple[int, ...]) -> None:
    """What it prints is read, and what it reads is empty, whatever of ours was closed."""
    place = program(tmp_path, "sys.stderr.write('words')\nprint(repr(sys.stdin.read()))")
    script = CLOSED.format(closed=closed, program=place, folder=str(tmp_path), said=str(tmp_path / "said"))

    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)

    assert (tmp_path / "said").read_text() == "''\n"


def test_a_program_may_print_more_than_anybody_reads_at_once(tmp_path: Path) -> None:
    """It waits until somebody reads, and nothing is lost."""
    place = program(tmp_path, "print('x' * 3_000_000, end='')")

    with started([place], tmp_path, lambda _: {}, [tmp_path], Deadline(60)) as printed:
        assert printed() == "x" * 3_000_000


def test_a_program_that_nobody_waits_for_ends_with_its_context(tmp_path: Path) -> None:
    """Where something else stops the run, the renderer stays behind neither as a process nor in its home."""
    place = program(tmp_path, "print(os.environ['HOME'], flush=True)\nimport time\ntime.sleep(600)")

    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    others = set(listed.read_text().split())

    with contextlib.suppress(ZeroDivisionError), started([place], tmp_path, lambda _: {}, [tmp_path], Deadline(60)):
        children = set(listed.read_text().split()) - others
        raise ZeroDivisionError

    assert children
    assert not [child for child in children if Path("/proc", child).exists()]


@pytest.mark.parametrize("begin", ["not executable", "no program"])
def test_what_cannot_be_started_is_said_when_it_is_waited_for(tmp_path: Path, begin: str) -> None:
    """Nothing that it might have printed is taken for a render."""
    place = tmp_path / "program"
    if begin == "not executable":
        place.write_text("#!/bin/sh\n")

    with (
        started([str(place)], tmp_path, lambda _: {}, [tmp_path], Deadline(60)) as printed,
        pytest.raises(RenderError, match=r"program cannot be started behind its fences: .*(denied|No such)"),
    ):
        printed()


def test_a_folder_for_temporary_files_is_named_by_an_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative one would lie in the repository."""
    place = program(tmp_path, "print(os.environ['HOME'])")
    homes = []
    for named in (str(tmp_path), "relative", ""):
        monkeypatch.setenv("TMPDIR", named)
        homes.append(Path(run([place], tmp_path, lambda _: {}, [tmp_path], Deadline(60)).strip()))

    usual = Path("/tmp").resolve()  # noqa: S108 - that is the question
    assert [home.parent for home in homes] == [tmp_path, usual, usual]
    assert not [home for home in homes if home.exists()]


def test_a_program_that_closes_its_streams_and_lives_on_has_the_time_that_is_given(tmp_path: Path) -> None:
    """Nothing more is to be read from it, and it is not done."""
    place = program(tmp_path, "os.close(1)\nos.close(2)\nimport time\ntime.sleep(600)")

    with (
        pytest.raises(DeadlineExceeded, match="was done"),
        started([place], tmp_path, lambda _: {}, [tmp_path], Deadline(0.5)) as printed,
    ):
        printed()
