"""The resident process: the same bytes, verdicts and isolation as a process of one's own, or no service at all."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from argocd_provenance.deadline import Deadline
from argocd_provenance.render import process
from argocd_provenance.render.confinement import fences
from argocd_provenance.resident import client, place, wire
from support.otlp import collector
from support.resident import GENERATE, SERVE, handed_over, served, serving
from support.scenario import Scenario
from support.shop import API, WEB, pod, shop

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CASES = sorted(path for path in GOLDEN.iterdir() if (path / "source").is_dir())


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
    where = ["--socket", str(path)] if path is not None else []
    command = [*GENERATE, *arguments, *where]
    return subprocess.run(command, cwd=folder, env=told, capture_output=True, timeout=60, check=False)


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
            told = {"PATH": os.environ["PATH"], "ARGOCD_PROVENANCE_CONFIG": str(scenario.folder / "config.yaml")}
            command = ["sh", "-c", 'exec "$@" >&-', "sh", *GENERATE, "source", "--socket", str(resident)]
            done = subprocess.run(
                command, cwd=scenario.folder, env=told, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False
            )

        assert done.returncode == 3
        assert b"standard output could not be written" in done.stderr

    def test_a_collector_is_told_of_a_served_run(self, tmp_path: Path, resident: Path) -> None:
        """By the fork, once its answer is out; one that does not answer holds nobody up."""
        with collector() as told, collector(silent=True) as mute:
            for each in (told, mute):
                config = f"otel: {{endpoint: '{each.url}', timeout: {'10s' if each is told else '500ms'}}}\n"
                (tmp_path / each.url[-5:]).mkdir()
                with shop(
                    tmp_path / each.url[-5:], images=[WEB], source={"web.yaml": pod("acme/web:v1")}, config=config
                ) as scenario:
                    code, manifests, report = served(
                        resident, scenario.folder, scenario.folder / "config.yaml", "source"
                    )
                assert (code, "verified" in manifests) == (0, True)
                assert ("note: otel" in report) == (each is mute)

        assert [len(told.requests), len(mute.requests)] == [1, 1]
        assert told.spans[0].name == "generate"


# What the resident process has done before it forks, then a run; printed: what the run still had to import, or to make.
_AS_IN_A_FORK = """
import importlib, io, os, sys
from argocd_provenance import records
from argocd_provenance.cli import serving
for name in serving._READY:
    importlib.import_module(name)
records.make_all()
ready = set(sys.modules)
from argocd_provenance.cli.generating import generate
said, sys.stdout = sys.stdout, io.TextIOWrapper(io.BytesIO())
code = generate(".")
sys.stdout = said
print(code, *sorted(set(sys.modules) - ready), *records._waiting)
"""


class TestReady:
    @pytest.mark.parametrize("runs", [1, 2], ids=["cold", "cached"])
    def test_a_fork_has_nothing_to_import(self, tmp_path: Path, runs: int) -> None:
        """Whoever is served waits for the work alone: an image that is verified anew, and one that is remembered."""
        config = "cache: {path: cache, keyFile: key}\n"
        with shop(tmp_path, images=[WEB], source={"web.yaml": pod("acme/web:v1")}, config=config) as scenario:
            told = {"PATH": os.environ["PATH"], "ARGOCD_PROVENANCE_CONFIG": str(scenario.folder / "config.yaml")}
            command = [sys.executable, "-I", "-c", _AS_IN_A_FORK]
            said = [
                subprocess.run(
                    command, cwd=scenario.folder / "source", env=told, capture_output=True, text=True, check=True
                ).stdout
                for _ in range(runs)
            ]

        assert said[-1].split() == ["0"]


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
        """They could put their own socket there, and answer in our name; to read it is what makes a client ours."""
        folder = tmp_path / "open"
        folder.mkdir()
        folder.chmod(0o777)
        command = [*SERVE, "--socket", str(folder / "socket")]

        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

        assert done.returncode == 2
        assert "closed to all others (0700)" in done.stderr

    def test_its_folder_is_made_for_our_user_alone(self, resident: Path) -> None:
        """In an emptyDir, where everybody may write, the folder of the socket is what keeps others out."""
        assert resident.parent.stat().st_mode & 0o777 == 0o700

    def test_a_link_is_no_folder_for_it(self, tmp_path: Path) -> None:
        """Who can make a link beside our files must not choose where we listen."""
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        (tmp_path / "link").symlink_to("elsewhere")

        done = subprocess.run(
            [*SERVE, "--socket", str(tmp_path / "link" / "socket")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert done.returncode == 2
        assert str(tmp_path / "link") in done.stderr
        assert list((tmp_path / "elsewhere").iterdir()) == []

    @pytest.mark.parametrize("how", ["open", "link"])
    def test_a_client_does_not_ask_where_others_can_answer(self, tmp_path: Path, how: str) -> None:
        """Neither in a folder that others can enter nor behind a link, whoever listens there."""
        with serving(tmp_path / "own") as (path, _):
            assert served(path, tmp_path, tmp_path, "--help")[0] == 0
            (tmp_path / "link").symlink_to("own")
            if how == "open":
                path.parent.chmod(0o755)

            asked = path if how == "open" else tmp_path / "link" / "socket"
            assert client.served(str(asked), ["generate", "--help"]) is None

    def test_nothing_in_the_environment_names_the_socket(self, tmp_path: Path) -> None:
        """Who verifies is as much a matter of trust as what is believed: the operator's plugin file says it."""
        with (
            shop(tmp_path, images=[WEB], source={"web.yaml": pod("acme/web:v1")}) as scenario,
            socket.socket(socket.AF_UNIX) as listener,
        ):
            place_of_another = tmp_path / "own" / "socket"
            place_of_another.parent.mkdir(mode=0o700)
            listener.bind(str(place_of_another))
            listener.listen(1)
            listener.setblocking(False)
            config = scenario.folder / "config.yaml"
            done = run(
                scenario.folder, "source", config=config, path=None, ARGOCD_PROVENANCE_SOCKET=str(place_of_another)
            )

            assert done.returncode == 0
            with pytest.raises(BlockingIOError):
                listener.accept()

    @pytest.mark.parametrize("words", [["--socket", "serve/socket"], ["--socket=socket"], ["--socket"]])
    def test_a_relative_place_is_a_usage_error(self, tmp_path: Path, words: list[str]) -> None:
        """It would begin in the repository."""
        done = subprocess.run([*GENERATE, ".", *words], cwd=tmp_path, capture_output=True, text=True, check=False)

        assert (done.returncode, done.stdout) == (2, "")
        assert "--socket" in done.stderr

    def test_a_second_one_at_the_same_place_is_refused(self, resident: Path) -> None:
        """It would take the socket away from the first."""
        command = [*SERVE, "--socket", str(resident)]

        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

        assert done.returncode == 2
        assert "already" in done.stderr


def renderers_child(folder: Path, body: str, *, network: bool) -> str:
    """What a program prints that runs as a renderer does, in an empty source."""
    place_of_it = folder / "program"
    place_of_it.write_text(f"#!{sys.executable} -ISE\nimport os, socket\n{textwrap.dedent(body)}")
    place_of_it.chmod(0o700)
    (folder / "empty").mkdir(exist_ok=True)
    return process.run(
        [str(place_of_it)], folder / "empty", lambda _: {}, [folder / "empty"], Deadline(60), network=network
    ).strip()


class TestRenderers:
    """A renderer has our user, so the kernel's word for who asks is not enough."""

    ASK = """
    def ask(door):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(path)
            socket.send_fds(connection, [frame[:4]], [door])
            connection.sendall(frame[4:])
            try:
                return connection.recv(1)
            except ConnectionError:
                return b""
    def tried(action):
        try:
            return action()
        except OSError as error:
            return type(error).__name__
    """

    def asking(self, path: Path, action: str) -> str:
        frame = wire.packed([b"22", b"1", b"--version"])
        told = f"path, folder, frame = {str(path)!r}, {str(path.parent)!r}, {frame!r}\n"
        return told + textwrap.dedent(self.ASK) + f"print(tried(lambda: {action}))\n"

    @pytest.mark.skipif(not fences().sockets, reason="no seccomp filter for this machine")
    def test_a_renderer_opens_no_socket_to_it(self, tmp_path: Path, resident: Path) -> None:
        """Both kustomize and helm render without a socket of any kind."""
        body = self.asking(resident, "ask(0)")

        assert renderers_child(tmp_path, body, network=False) == "PermissionError"

    @pytest.mark.skipif(not fences().landlock, reason="this kernel has no Landlock")
    @pytest.mark.parametrize(
        ("action", "said"),
        [
            ("ask(os.open(folder, os.O_RDONLY))", "PermissionError"),
            ("ask(os.open(folder, os.O_PATH))", "b''"),
            ("ask(os.open('.', os.O_RDONLY))", "b''"),
            ("socket.socket(socket.AF_UNIX).bind(folder + '/other')", "PermissionError"),
            ("os.unlink(path)", "PermissionError"),
            ("os.rename(folder, folder + '-')", "PermissionError"),
        ],
        ids=[
            "opens the folder",
            "finds the folder",
            "opens another",
            "listens beside it",
            "removes it",
            "moves the folder",
        ],
    )
    def test_who_fetches_for_a_renderer_is_not_served(
        self, tmp_path: Path, resident: Path, action: str, said: str
    ) -> None:
        """It may open sockets, and the request would be done outside of its fence: its own config, any file, any program."""
        assert renderers_child(tmp_path, self.asking(resident, action), network=True) == said
        assert served(resident, tmp_path, tmp_path, "--version")[0] != 99

    def test_who_has_the_folder_is(self, tmp_path: Path, resident: Path) -> None:
        """The same words from outside of a fence, so that the tests above fail for the reason that they name."""
        done = subprocess.run(
            [sys.executable, "-I", "-c", "import os, socket\n" + self.asking(resident, "ask(os.open(folder, os.O_RDONLY))")],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip

        assert done.stdout.strip() == "b'R'"


class TestBadDays:
    def test_who_says_nothing_keeps_nobody_waiting(self, tmp_path: Path, resident: Path) -> None:
        """Clients that connect and stop there, at whatever word, are each heard by a fork of their own."""
        with ExitStack() as stack:
            door = place.opened(str(resident.parent))
            stack.callback(os.close, door)
            for words in range(12):
                slow = stack.enter_context(socket.socket(socket.AF_UNIX))
                slow.connect(str(resident))
                if words % 3:
                    wire.send(slow, wire.packed([b"x" * 9])[: words % 4 + 1], [door])
            assert served(resident, tmp_path, tmp_path, "--help")[0] == 0

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

    @pytest.mark.parametrize("answer", [b"", b"X", None], ids=["nothing", "nonsense", "goes away"])
    def test_a_process_that_does_not_say_ready_gets_no_streams(self, tmp_path: Path, answer: bytes) -> None:
        """Hung, broken or busy: the client walks away before anybody could write to its output."""
        tmp_path.chmod(0o700)
        path = tmp_path / "socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(1)
            child = os.fork()
            if not child:
                connection, _ = listener.accept()
                if answer is None:
                    connection.close()
                elif answer:
                    wire.body(connection, wire.received(connection, wire.HEAD))
                    connection.sendall(answer)
                signal.pause()
            try:
                assert client.served(str(path), ["generate", "."]) is None
            finally:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)

    def test_a_process_of_another_user_is_not_asked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The kernel says whose it is, whatever folder the socket lies in."""
        path = tmp_path / "socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(1)
            monkeypatch.setattr(place, "opened", lambda folder: os.open(folder, os.O_RDONLY))
            monkeypatch.setattr(os, "geteuid", lambda: 4242)

            assert client.served(str(path), ["generate", "."]) is None
            connection, _ = listener.accept()
            assert connection.recv(1) == b""
            connection.close()

    def test_the_work_ends_with_its_client(self, tmp_path: Path) -> None:
        """Argo CD kills a client that takes too long; what it asked for does not go on."""
        with (
            shop(tmp_path, images=[WEB], source={"web.yaml": pod("acme/web:v1")}) as scenario,
            serving(tmp_path / "own") as (path, resident),
        ):
            told = {"PATH": os.environ["PATH"], "ARGOCD_PROVENANCE_CONFIG": str(scenario.folder / "config.yaml")}
            # It waits for a standard input that never ends; the write end's last other holder is the work itself.
            source, sink = os.pipe()
            alive, held = os.pipe()
            asking = subprocess.Popen(
                [*GENERATE, "-", "--socket", str(path)], env=told, stdin=source, stdout=held, stderr=subprocess.PIPE
            )
            os.close(source)
            os.close(held)
            handed_over(asking, resident.pid)
            asking.kill()
            asking.communicate()
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
            told = {"PATH": os.environ["PATH"], "ARGOCD_PROVENANCE_CONFIG": str(scenario.folder / "config.yaml")}
            asking = subprocess.Popen(
                [*GENERATE, "-", "--socket", str(path)],
                env=told, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            handed_over(asking, resident.pid)
            resident.terminate()
            resident.wait(10)
            out, err = asking.communicate(timeout=60)

        assert (asking.returncode, out) == (3, b"")
        assert b"try again" in err
