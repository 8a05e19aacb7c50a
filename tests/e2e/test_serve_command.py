"""The resident process: the same bytes, verdicts and isolation as a process of one's own, or no service at all."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from argocd_provenance.resident import client, wire
from support.scenario import Scenario
from support.shop import API, WEB, pod, shop

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CASES = sorted(path for path in GOLDEN.iterdir() if (path / "source").is_dir())
GENERATE = [sys.executable, "-I", "-m", "argocd_provenance", "generate"]


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """The resident process at a socket in `folder`."""
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "socket"
    # What the client's environment must replace: were any of it seen, every run would fail.
    wrong = {"PATH": os.environ["PATH"], "ARGOCD_PROVENANCE_CONFIG": "/nonexistent", "ARGOCD_APP_PARAMETERS": "wrong"}
    command = [*GENERATE[:-1], "serve", "--socket", str(path)]
    process = subprocess.Popen(command, env=wrong, cwd="/", stdin=subprocess.DEVNULL)
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(60)
            while True:
                assert process.poll() is None
                try:
                    probe.connect(str(path))
                    break
                except OSError:
                    process.poll()
        yield path, process
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def resident(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a resident process."""
    with serving(tmp_path_factory.mktemp("resident") / "own") as (path, _):
        yield path


def run(
    folder: Path, *arguments: str, config: Path, path: Path | None, **more: str
) -> subprocess.CompletedProcess[bytes]:
    """`generate` in `folder`, by itself or through the resident process at `path`."""
    told = {"PATH": os.environ["PATH"], "ARGOCD_PROVENANCE_CONFIG": str(config), "ARGOCD_APP_NAME": "golden", **more}
    if path is not None:
        told["ARGOCD_PROVENANCE_SOCKET"] = str(path)
    return subprocess.run([*GENERATE, *arguments], cwd=folder, env=told, capture_output=True, timeout=60, check=False)


def served(path: Path, folder: Path, config: Path, *arguments: str) -> tuple[int, str, str]:
    """What the resident process did, and nobody else: the client would come back without an answer otherwise."""
    program = (
        "import sys; from argocd_provenance.resident.client import served\n"
        "code = served(sys.argv[1], sys.argv[2:]); sys.exit(99 if code is None else code)"
    )
    told = {"PATH": os.environ["PATH"], "ARGOCD_PROVENANCE_CONFIG": str(config), "ARGOCD_APP_NAME": "golden"}
    told["ARGOCD_APP_NAMESPACE"] = "shop"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(path), "generate", *arguments],
        cwd=folder, env=told, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class TestSameBytes:
    @pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
    def test_the_resident_process_prints_what_a_process_of_its_own_prints(
        self, case: Path, tmp_path: Path, resident: Path
    ) -> None:
        """Exit code and both streams of every golden case."""
        with Scenario(case, tmp_path) as scenario:
            alone = scenario.generate(environment={"ARGOCD_APP_NAMESPACE": "shop"})
            found = served(resident, tmp_path / "source", tmp_path / "config.yaml", ".")
            neutral = found[0], scenario._neutral(found[1]), scenario._neutral(found[2])

        assert neutral == alone

    def test_options_streams_and_folder_are_the_clients(self, tmp_path: Path, resident: Path) -> None:
        """Standard input, a relative report file, other forms of the report, usage errors."""
        with shop(tmp_path, images=[WEB, API], source={"web.yaml": pod("acme/web:v1")}) as scenario:
            folder, config = scenario.folder, scenario.folder / "config.yaml"
            for arguments in (["source", "--output", "json"], ["--nonsense"], ["--help"], ["nowhere"]):
                alone = run(folder, *arguments, config=config, path=None)
                found = run(folder, *arguments, config=config, path=resident)
                assert (found.returncode, found.stdout, found.stderr) == (alone.returncode, alone.stdout, alone.stderr)
            assert served(resident, folder, config, "source", "--report", "out.json")[0] == 0

        assert '"verdict": "allowed"' in (folder / "out.json").read_text()

    def test_a_closed_stream_stays_closed(self, tmp_path: Path, resident: Path) -> None:
        """Manifests that nobody can read are an error there, too."""
        with shop(tmp_path, images=[WEB], source={"web.yaml": pod("acme/web:v1")}) as scenario:
            told = {
                "PATH": os.environ["PATH"],
                "ARGOCD_PROVENANCE_CONFIG": str(scenario.folder / "config.yaml"),
                "ARGOCD_PROVENANCE_SOCKET": str(resident),
            }
            command = ["sh", "-c", 'exec "$@" >&-', "sh", *GENERATE, "source"]
            done = subprocess.run(
                command, cwd=scenario.folder, env=told, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False
            )

        assert done.returncode == 3
        assert b"standard output could not be written" in done.stderr


class TestIsolation:
    def test_nothing_of_one_application_reaches_the_next(self, tmp_path: Path, resident: Path) -> None:
        """Environment, folder and mask are those of each request alone."""
        with shop(tmp_path, images=[WEB, API], source={"web.yaml": pod("acme/api:v1")}) as scenario:
            config = scenario.folder / "config.yaml"
            first = run(scenario.folder / "source", ".", config=config, path=resident, ARGOCD_APP_NAME="one")
            second = run(scenario.folder / "source", ".", config=config, path=resident, ARGOCD_APP_NAME="two")

        assert b"app one" in first.stderr
        assert b"app two" in second.stderr

    def test_the_operators_files_are_read_afresh(self, tmp_path: Path, resident: Path) -> None:
        """A policy that was made stricter counts at once."""
        with shop(tmp_path, images=[WEB], source={"web.yaml": pod("acme/web:v1")}) as scenario:
            config = scenario.folder / "config.yaml"
            before = served(resident, scenario.folder, config, "source")[0]
            policy = scenario.folder / "policy.yaml"
            policy.write_text(policy.read_text().replace("acme/shop", "acme/other"))
            after = served(resident, scenario.folder, config, "source")[0]

        assert (before, after) == (0, 4)

    def test_the_socket_is_for_our_user_alone(self, resident: Path) -> None:
        """0600, and whoever else connects is not heard."""
        assert resident.stat().st_mode & 0o777 == 0o600

    def test_a_folder_that_others_may_write_is_refused(self, tmp_path: Path) -> None:
        """They could put their own socket there, and answer in our name."""
        folder = tmp_path / "open"
        folder.mkdir()
        folder.chmod(0o777)
        command = [*GENERATE[:-1], "serve", "--socket", str(folder / "socket")]

        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

        assert done.returncode == 2
        assert "others may write" in done.stderr

    def test_a_second_one_at_the_same_place_is_refused(self, resident: Path) -> None:
        """It would take the socket away from the first."""
        command = [*GENERATE[:-1], "serve", "--socket", str(resident)]

        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

        assert done.returncode == 2
        assert "already" in done.stderr


class TestBadDays:
    @pytest.mark.parametrize("what", ["absent", "a file", "not a folder"])
    def test_without_a_resident_process_the_work_is_done_here(self, tmp_path: Path, what: str) -> None:
        """Whatever stands at the place of the socket."""
        path = tmp_path / "socket"
        if what == "a file":
            path.write_text("")
        if what == "not a folder":
            (tmp_path / "file").write_text("")
            path = tmp_path / "file" / "socket"
        with shop(tmp_path, images=[WEB], source={"web.yaml": pod("acme/web:v1")}) as scenario:
            done = run(scenario.folder, "source", config=scenario.folder / "config.yaml", path=path)

        assert done.returncode == 0
        assert b"verified" in done.stdout

    @pytest.mark.parametrize("answer", [b"", b"X", wire.BUSY], ids=["nothing", "nonsense", "busy"])
    def test_a_process_that_does_not_say_ready_gets_no_streams(self, tmp_path: Path, answer: bytes) -> None:
        """Hung, broken or busy: the client walks away before anybody could write to its output."""
        path = tmp_path / "socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(1)
            child = os.fork()
            if not child:
                connection, _ = listener.accept()
                if answer:
                    wire.frame(connection)
                    connection.sendall(answer)
                signal.pause()
            try:
                assert client.served(str(path), ["generate", "."]) is None
            finally:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)

    def test_a_process_of_another_user_is_not_asked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The kernel says whose it is."""
        path = tmp_path / "socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(1)
            monkeypatch.setattr(os, "geteuid", lambda: 4242)

            assert client.served(str(path), ["generate", "."]) is None
            connection, _ = listener.accept()
            assert connection.recv(1) == b""
            connection.close()

    def test_the_work_ends_with_its_client(self, tmp_path: Path, resident: Path) -> None:
        """Argo CD kills a client that takes too long; what it asked for does not go on."""
        with shop(tmp_path, images=[WEB], source={"web.yaml": pod("acme/web:v1")}) as scenario:
            told = {
                "PATH": os.environ["PATH"],
                "ARGOCD_PROVENANCE_CONFIG": str(scenario.folder / "config.yaml"),
                "ARGOCD_PROVENANCE_SOCKET": str(resident),
            }
            # It waits for a standard input that never ends; the write end's last other holder is the work itself.
            source, sink = os.pipe()
            alive, held = os.pipe()
            process = subprocess.Popen(
                [*GENERATE, "-"], cwd=scenario.folder, env=told, stdin=source, stdout=held, stderr=subprocess.PIPE
            )
            os.close(source)
            os.close(held)
            os.write(sink, b"# begun\n")
            process.kill()
            process.communicate()
            # Only when nobody holds the client's standard output any more does reading it end.
            assert os.read(alive, 1) == b""
            os.close(alive)
            os.close(sink)

    def test_when_the_resident_process_is_killed_nobody_is_told_a_verdict(self, tmp_path: Path) -> None:
        """It may have printed already, so that the client does not begin anew: could not check, exit 3."""
        with (
            shop(tmp_path, images=[WEB], source={"web.yaml": pod("acme/web:v1")}) as scenario,
            serving(tmp_path / "own") as (path, resident),
        ):
            told = {
                "PATH": os.environ["PATH"],
                "ARGOCD_PROVENANCE_CONFIG": str(scenario.folder / "config.yaml"),
                "ARGOCD_PROVENANCE_SOCKET": str(path),
            }
            process = subprocess.Popen(
                [*GENERATE, "-"], env=told, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            forks = Path(f"/proc/{resident.pid}/task/{resident.pid}/children")
            while not forks.read_text().split():
                assert process.poll() is None
            resident.terminate()
            resident.wait(10)
            out, err = process.communicate(timeout=60)

        assert (process.returncode, out) == (3, b"")
        assert b"try again" in err
