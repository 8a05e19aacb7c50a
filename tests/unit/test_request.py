"""What a request of a sidecar may take of it, and what it says where it takes longer."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from argocd_provenance.argocd import turn
from argocd_provenance.argocd.turn import Turns
from argocd_provenance.cli import request as limits
from argocd_provenance.config import Cache, Config
from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from support.shop import WEB, pod, shop


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """The folder of turns with every slot taken."""
    with ExitStack() as stack:
        for _ in range(turn.at_a_time()):
            stack.enter_context(Turns(folder, turn.at_a_time()).take(Deadline(60)))
        yield


def test_a_run_whose_turn_does_not_come_is_undecided_and_says_so(tmp_path: Path) -> None:
    """No manifests, exit 3, a code of its own, and how long it waited."""
    config = f"deadline: 1s\ncache: {{path: {tmp_path / 'cache'}}}\n"
    with shop(tmp_path, images=[WEB], source={"p.yaml": pod("acme/web:v1")}, config=config) as here:
        with full(tmp_path / "cache" / "turns"):
            code, out, said = here.generate()
        again = here.generate()

    assert (code, out) == (3, "")
    assert said.splitlines()[0].startswith("image policy: could not decide")
    assert "[busy] waited 1 s for its turn" in said
    assert again[0] == 0


def test_a_person_who_verifies_waits_for_nobody(tmp_path: Path) -> None:
    """Turns are for what Argo CD starts; `verify` is asked by hand."""
    config = f"cache: {{path: {tmp_path / 'cache'}}}\n"
    with shop(tmp_path, images=[WEB], config=config) as here, full(tmp_path / "cache" / "turns"):
        code, _, _ = here.run("verify", "REGISTRY/acme/web:v1")

    assert code == 0


def test_a_folder_of_turns_that_cannot_be_used_is_a_warning(tmp_path: Path) -> None:
    """The run goes on without a limit, and says why."""
    (tmp_path / "cache").write_text("no folder")
    config = f"cache: {{path: {tmp_path / 'cache'}}}\n"
    with shop(tmp_path, images=[WEB], source={"p.yaml": pod("acme/web:v1")}, config=config) as here:
        code, out, said = here.generate()

    assert code == 0
    assert "@sha256:" in out
    assert " note: requests are not limited" in said


@pytest.mark.parametrize("fails", [False, True])
def test_a_long_wait_is_noted_whatever_comes_of_it(tmp_path: Path, fails: bool) -> None:  # noqa: FBT001 - pytest calls it
    """An answer that came late, or an error, says that it waited."""
    folder, now = tmp_path / "turns", [0.0]
    holders = ExitStack()
    holders.enter_context(full(folder))

    def clock() -> float:
        """A second later each time it is asked; the slots are free after five."""
        now[0] += 1
        if now[0] == 5:
            holders.close()
        return now[0]

    config = Config("config.yaml", cache=Cache(str(tmp_path)))
    try:
        with limits.request(config, "shop", Deadline(60, clock=clock)) as notes:
            if fails:
                raise RenderError("no")  # noqa: TRY301 - what passes through is what this is about
        said = notes
    except RenderError as error:
        said = error.__notes__

    assert len(said) == 1
    assert said[0].startswith("waited ")


def test_an_answer_comes_at_the_end_of_the_time_whatever_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work that looks at no clock is ended, and the report is the usual one."""
    monkeypatch.setattr(limits, "_OVERTIME", 0.0)
    ours = os.fork()
    if not ours:
        os.dup2(os.open(tmp_path / "said", os.O_CREAT | os.O_WRONLY), 2)
        with limits.request(Config("config.yaml"), "shop", Deadline(0.05)):
            while True:
                pass
    _, status = os.waitpid(ours, 0)

    said = (tmp_path / "said").read_text()
    assert os.waitstatus_to_exitcode(status) == 3
    assert said.startswith("image policy: could not decide (app shop)\n ERROR [deadline] the time limit of 0.05 s")


def test_the_alarm_is_off_afterwards() -> None:
    """What follows is writing, which nobody must cut in two."""
    import signal

    with limits.request(Config("config.yaml"), "shop", Deadline(60)):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0

    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
