"""``demo``: the whole product on loopback."""

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from argocd_provenance.cli.group import group


def run(*arguments: str) -> Result:
    """The command line, in this process; the demo itself starts the installed program."""
    return CliRunner().invoke(group, arguments, prog_name="argocd-provenance", env={"ARGOCD_PROVENANCE_CONFIG": None})


def test_the_demo_tells_three_acts_and_leaves_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It exits 0; the command that it prints for the files it kept, word by word, is allowed."""
    folder = tmp_path / "a" / "kept"
    monkeypatch.chdir(tmp_path)

    told = run("demo", "--keep", "a/kept")

    assert told.exit_code == 0, told.output
    assert "Everything went as it should." in told.stdout
    acts = [line[:2] for line in told.stdout.splitlines() if line[:2] in ("1.", "2.", "3.")]
    assert acts == ["1.", "2.", "3."]
    assert all(code in told.stdout for code in ("[unsigned]", "[wrong-signer]", "exit code 4, 0 bytes of manifests"))
    assert "+          image: 127.0.0.1:" in told.stdout
    assert "1.3.6.1.4.1.57264.1.12" in told.stdout
    monkeypatch.chdir(folder)
    printed = (
        told.stdout[told.stdout.index("  argocd-provenance verify --bundle") :].replace("\\\n", " ").splitlines()[0]
    )
    again = run(*shlex.split(printed)[1:])
    assert (again.exit_code, again.stdout.splitlines()[0][:30]) == (0, "image policy: 1 image verified")


@pytest.mark.parametrize("place", ["full", "full/file", "full/file/below"])
def test_a_place_that_cannot_be_filled_is_refused(tmp_path: Path, place: str) -> None:
    """Nobody's files are written over: exit 2 before anything is done."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")

    told = run("demo", "--keep", str(tmp_path / place))

    assert (told.exit_code, told.stdout) == (2, "")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["file"]
