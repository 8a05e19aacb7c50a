"""``serve -- COMMAND``, the entry point of the image: the command is what counts, and serving never gets in its way."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.processes import descendants, wait_for
from support.resident import GENERATE, SERVE, alive, answers, handed_over, resident, served, state
from support.shop import WEB, pod, shop

WAITS = ["sh", "-c", 'trap "exit 7" TERM; echo ready; while :; do read nothing || sleep 0.02; done']


@contextmanager
def beside(path: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    """The command, with somebody who serves at `path` beside it; both are ended."""
    begun = subprocess.Popen(
        [*SERVE, "--socket", str(path), "--", *command],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield begun
    finally:
        left = descendants(begun.pid)
        begun.kill()
        begun.communicate()
        wait_for("the end of who served", lambda: not any(alive(pid) for pid in left))


class TestTheCommand:
    def test_is_the_process_that_was_started_and_gets_its_signals(self, tmp_path: Path) -> None:
        """Process 1 of a container is what the container engine signals, and whose exit code counts."""
        with beside(tmp_path / "own" / "socket", *WAITS) as begun:
            assert begun.stdout is not None
            assert begun.stdout.readline() == "ready\n"
            assert Path(f"/proc/{begun.pid}/cmdline").read_bytes().split(b"\0")[0] == b"sh"
            begun.send_signal(signal.SIGTERM)

            assert begun.wait(30) == 7

    def test_starts_as_if_we_had_not_been_there(self, tmp_path: Path) -> None:
        """No signal is ignored that was not, no file is open that was not, and its streams are its own."""
        command = ["sh", "-c", "grep -E 'SigIgn|SigBlk' /proc/self/status; ls /proc/self/fd; cat"]
        alone = subprocess.run(command, input="said\n", capture_output=True, text=True, check=True)

        with beside(tmp_path / "own" / "socket", *command) as begun:
            out, _ = begun.communicate("said\n", timeout=60)

        assert "SigIgn" in out
        assert out == alone.stdout

    @pytest.mark.parametrize(("name", "code"), [("nowhere", 127), ("folder", 126), ("text", 126)])
    def test_that_cannot_be_started_is_said_as_a_shell_would(self, tmp_path: Path, name: str, code: int) -> None:
        """127 for what is not there, 126 for what is no program."""
        (tmp_path / "folder").mkdir()
        (tmp_path / "text").write_text("")

        with beside(tmp_path / "own" / "socket", str(tmp_path / name)) as begun:
            _, err = begun.communicate(timeout=60)

        assert begun.returncode == code
        assert f"argocd-provenance serve: cannot start {tmp_path / name}: " in err

    @pytest.mark.parametrize("streams", ["2>&-", "0<&- 1>&- 2>&-"])
    def test_starts_with_whatever_streams_there_are(self, tmp_path: Path, streams: str) -> None:
        """Nobody may hear that nobody can serve."""
        (tmp_path / "own").write_text("")
        words = [*SERVE, "--socket", str(tmp_path / "own" / "socket"), "--", "sh", "-c", "exit 5"]

        assert (
            subprocess.run(["sh", "-c", f'exec "$@" {streams}', "sh", *words], timeout=60, check=False).returncode == 5
        )

    def test_needs_two_dashes_before_it(self) -> None:
        """Else a mistyped option would be a command."""
        done = subprocess.run([*SERVE, "/bin/true"], capture_output=True, text=True, check=False)

        assert done.returncode == 2
        assert "serve … -- /bin/true" in done.stderr


class TestServing:
    def test_is_done_beside_it_and_ends_with_it(self, tmp_path: Path) -> None:
        """Whatever ends the command: nobody is left."""
        path = tmp_path / "own" / "socket"
        with beside(path, *WAITS) as begun:
            wait_for("the resident process", lambda: answers(path))
            left = descendants(begun.pid)

            assert served(path, tmp_path, tmp_path, "--help")[0] == 0
            assert len(left) == 2
            begun.kill()
            begun.wait(30)
            wait_for("the end of who served", lambda: not any(map(alive, left)))

    def test_begins_again_when_it_is_killed_and_leaves_no_zombie(self, tmp_path: Path) -> None:
        """The command waits for no child of ours; its children are not its business, dead or alive."""
        path = tmp_path / "own" / "socket"
        with (
            shop(tmp_path, images=[WEB], source={"web.yaml": pod("acme/web:v1")}) as scenario,
            beside(path, *WAITS) as begun,
        ):
            wait_for("the resident process", lambda: answers(path))
            first, told = resident(begun.pid), {"ARGOCD_PROVENANCE_CONFIG": str(scenario.folder / "config.yaml")}
            asking = subprocess.Popen(
                [*GENERATE, "-", "--socket", str(path)],
                env={"PATH": os.environ["PATH"], **told}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            fork = handed_over(asking, first)
            os.kill(first, signal.SIGKILL)
            out, _ = asking.communicate(timeout=60)

            assert (asking.returncode, out) == (3, b"")
            wait_for("the end of its fork", lambda: state(fork) == "")
            assert served(path, scenario.folder, scenario.folder / "config.yaml", "source")[0] in (0, 99)
            wait_for("another one", lambda: answers(path))
            second = resident(begun.pid)
            assert served(path, scenario.folder, scenario.folder / "config.yaml", "source")[0] == 0
            assert second != first
            assert [state(pid) for pid in (first, fork)] == ["", ""]
            assert all(map(alive, descendants(begun.pid)))
            begun.kill()
            _, err = begun.communicate()

        assert err.count("\n") == 1
        assert "it has ended (signal 9) and is started again in" in err

    @pytest.mark.parametrize("wrong", ["an open folder", "no folder above", "a file", "taken", "usage"])
    def test_that_cannot_begin_is_one_line_and_nothing_more(self, tmp_path: Path, wrong: str) -> None:
        """The plugin works without it, so the command runs, and whoever reads the log knows."""
        path, options = tmp_path / "own" / "socket", list[str]()
        if wrong == "an open folder":
            path.parent.mkdir()
            path.parent.chmod(0o777)
        elif wrong == "no folder above":
            path = tmp_path / "none" / "own" / "socket"
        elif wrong == "a file":
            path.parent.write_text("")
        elif wrong == "usage":
            options = ["--nonsense"]
        with beside(path, *WAITS) as first:
            if wrong == "taken":
                wait_for("the resident process", lambda: answers(path))
            begun = first
            if wrong in ("taken", "usage"):
                begun = subprocess.Popen(
                    [*SERVE, "--socket", str(path), *options, "--", *WAITS],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                )  # fmt: skip
            assert begun.stderr is not None
            assert begun.stdout is not None
            said = begun.stderr.readline()

            assert begun.stdout.readline() == "ready\n"
            assert said.startswith("argocd-provenance serve: ")
            assert said.endswith("; each run of the plugin does its own work\n")
            begun.send_signal(signal.SIGTERM)
            out, err = begun.communicate(timeout=60)
            assert (begun.returncode, out, err) == (7, "", "")

    @pytest.mark.parametrize(
        "lost", ["click", "argocd_provenance.cli.keeping", "argocd_provenance.cli.serving", "ctypes"]
    )
    def test_that_cannot_even_be_imported_keeps_nobody_from_starting(self, tmp_path: Path, lost: str) -> None:
        """A broken installation is the plugin's trouble, not that of Argo CD's server."""
        program = (
            f"import sys; sys.modules[{lost!r}] = None; sys.argv[1:] = {['serve', '--socket', str(tmp_path / 'own' / 'socket'), '--', *WAITS]!r}\n"
            "from argocd_provenance.__main__ import start; start()"
        )
        begun = subprocess.Popen(
            [sys.executable, "-I", "-c", program],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert begun.stderr is not None
        said = begun.stderr.readline()
        begun.send_signal(signal.SIGTERM)
        begun.communicate(timeout=60)

        assert begun.returncode in (7, -signal.SIGTERM)  # before or after the shell has set its trap
        assert "ModuleNotFoundError" in said
