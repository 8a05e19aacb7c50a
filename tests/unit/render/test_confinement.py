"""What a renderer's program reaches, and that nothing of it is left behind.

The programs are Python; what they try is what code in a chart would try if a renderer ever ran it. What the kernel
under the tests does not have cannot be tried; CI's has all of it.
"""

import os
import resource
import select
import signal
import socket
import stat
import struct
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import DeadlineExceeded, RenderError
from argocd_provenance.render import confinement, landlock, seccomp
from argocd_provenance.render.confinement import Fences, fences
from argocd_provenance.render.process import run
from support.processes import wait_for

HERE = fences()
landlocked = pytest.mark.skipif(not HERE.landlock, reason="this kernel has no Landlock")
socketless = pytest.mark.skipif(not HERE.sockets, reason="no seccomp filter for this machine")


def program(folder: Path, body: str) -> str:
    """A program that runs the Python of `body`."""
    path = folder / "program"
    path.write_text(f"#!{sys.executable} -ISE\n{textwrap.dedent(body)}")
    path.chmod(stat.S_IRWXU)
    return str(path)


def tried(tmp_path: Path, action: str, *, network: bool = False, **names: object) -> str:
    """What a program says that tries `action`: its value, or the name of its error."""
    source = tmp_path / "source"
    source.mkdir(exist_ok=True)
    told = "".join(f"{name} = {value!r}\n" for name, value in names.items())
    body = f"import os, socket, subprocess\n{told}try:\n    print({action})\nexcept OSError as error:\n    print(type(error).__name__)\n"
    place = program(tmp_path, body)
    return run([place], source, lambda _: {}, [source], Deadline(60), network=network).strip()


@landlocked
class TestFiles:
    """A program sees its source, the installed system and its home."""

    def test_the_source_is_read(self, tmp_path: Path) -> None:
        """That is what it is for."""
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / "a").write_text("text")

        assert tried(tmp_path, "open('a').read()") == "text"

    @pytest.mark.parametrize("name", ["config.yaml", "policies/shop.yaml", "key", "cache/entry", "other/values.yaml"])
    def test_nothing_beside_it_is(self, tmp_path: Path, name: str) -> None:
        """Neither the operator's files nor our key and cache, nor another Application's source."""
        path = tmp_path / "beside" / name
        path.parent.mkdir(parents=True)
        path.write_text("secret")

        assert tried(tmp_path, "open(path).read()", path=str(path)) == "PermissionError"

    def test_not_by_a_link_either(self, tmp_path: Path) -> None:
        """A link is a name; what counts is where it ends."""
        (tmp_path / "secret").write_text("secret")
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / "link").symlink_to(tmp_path / "secret")

        assert tried(tmp_path, "open('link').read()") == "PermissionError"

    @pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ", "/proc/1/environ", "/var", "/root"])
    def test_nothing_of_the_machine_that_is_not_installed(self, tmp_path: Path, path: str) -> None:
        """Other processes' environments hold credentials, other folders other people's files."""
        assert tried(tmp_path, "os.listdir(p) if os.path.isdir(p) else open(p).read()", p=path) == "PermissionError"

    @pytest.mark.parametrize(
        "action",
        ["open('new', 'w')", "open('a', 'a')", "os.unlink('a')", "os.mkdir('b')", "os.symlink('a', 'c')", "os.truncate('a', 0)"],
    )  # fmt: skip
    def test_the_source_is_not_changed(self, tmp_path: Path, action: str) -> None:
        """What is verified is what was rendered, by a program that had no say in it."""
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / "a").write_text("text")

        assert tried(tmp_path, action) == "PermissionError"
        assert (tmp_path / "source" / "a").read_text() == "text"

    def test_the_home_is_written_and_gone_afterwards(self, tmp_path: Path) -> None:
        """Renderers keep files while they run."""
        home = Path(tried(tmp_path, "open(os.environ['HOME'] + '/a', 'w').write('x') and os.environ['HOME']"))

        assert home.name.startswith("argocd-provenance-")
        assert not home.exists()

    @pytest.mark.parametrize("place", ["os.environ['HOME'] + '/a'", "'./a'"])
    def test_only_what_is_installed_is_executed(self, tmp_path: Path, place: str) -> None:
        """Neither a file that it wrote nor one that the repository brought becomes a program."""
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / "a").write_text("#!/bin/sh\necho ran\n")
        (tmp_path / "source" / "a").chmod(0o755)
        copy = "(open(p, 'w').write(open('a').read()), os.chmod(p, 0o755)) if p != './a' else 0"

        assert tried(tmp_path, f"(p := {place}, {copy}, subprocess.run([p]))") == "PermissionError"

    @pytest.mark.skipif(HERE.landlock < 6, reason="this kernel's Landlock keeps no signals inside")
    def test_nobody_outside_is_signalled(self, tmp_path: Path) -> None:
        """Neither we nor the supervisor can be killed from inside."""
        assert tried(tmp_path, "os.kill(os.getppid(), 0)") == "PermissionError"
        assert tried(tmp_path, "os.kill(pid, 0)", pid=os.getpid()) == "PermissionError"

    def test_a_fence_that_the_kernel_refuses_stops_the_program(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There is no half of a confinement."""
        monkeypatch.setattr(landlock, "_RESTRICT_SELF", 1023)  # no such system call

        with pytest.raises(RenderError, match="cannot be started behind its fences"):
            tried(tmp_path, "1")


class TestNetwork:
    """Rendering needs no network, so there is none."""

    @socketless
    @pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX"])
    @pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM"])
    def test_no_socket_is_opened(self, tmp_path: Path, family: str, kind: str) -> None:
        """No connection, no name that is looked up, and no server behind a path: Argo CD's plugins listen there."""
        assert tried(tmp_path, f"socket.socket(socket.{family}, socket.{kind})") == "PermissionError"

    @pytest.mark.skipif(HERE.landlock < 4, reason="this kernel's Landlock knows no network")
    def test_no_connection_is_made_where_there_is_no_filter(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Landlock denies TCP on machines that our table of system calls does not have."""
        monkeypatch.setattr(seccomp, "_ARCHITECTURES", {})
        with socket.create_server(("127.0.0.1", 0)) as server:
            said = tried(tmp_path, "socket.create_connection(at)", at=server.getsockname())

        assert said == "PermissionError"

    def test_whoever_fetches_may_connect(self, tmp_path: Path) -> None:
        """A program whose business is the network gets it."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            said = tried(tmp_path, "socket.create_connection(at) and 1", network=True, at=server.getsockname())

        assert said == "1"


class TestLimits:
    """A program takes a bounded share of the machine."""

    @pytest.mark.parametrize(
        ("limit", "most"),
        [
            ("RLIMIT_AS", 16 << 30), ("RLIMIT_DATA", 2 << 30), ("RLIMIT_FSIZE", 256 << 20), ("RLIMIT_NOFILE", 1024),
            ("RLIMIT_NPROC", 4096), ("RLIMIT_CORE", 0),
        ],
    )  # fmt: skip
    def test_are_hard(self, tmp_path: Path, limit: str, most: int) -> None:
        """Soft and hard limit are one, so that it cannot be lifted from inside; a lower one of ours stays."""
        ours = resource.getrlimit(getattr(resource, limit))[1]
        most = most if ours == resource.RLIM_INFINITY else min(most, ours)

        assert tried(tmp_path, f"__import__('resource').getrlimit({getattr(resource, limit)})") == str((most, most))

    def test_processor_time_is_the_time_left_on_every_core(self, tmp_path: Path) -> None:
        """Should every other clock fail, the kernel's does not."""
        said = tried(tmp_path, "__import__('resource').getrlimit(0)[1]")

        assert 0 < int(said) <= 61 * (os.cpu_count() or 1)

    def test_memory_ends(self, tmp_path: Path) -> None:
        """A render that wants everything fails, and the machine lives on."""
        place = program(tmp_path, "bytearray(3 << 30)")

        with pytest.raises(RenderError, match="MemoryError"):
            run([place], tmp_path, lambda _: {}, [tmp_path], Deadline(60))

    def test_no_new_privileges(self, tmp_path: Path) -> None:
        """No set-uid program makes anybody of it."""
        assert tried(tmp_path, "__import__('ctypes').CDLL(None).prctl(39, 0, 0, 0, 0)") == "1"


DAEMONS = """\
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
here, there = os.pipe()
def live():
    os.write(os.open(os.environ["PIPE"], os.O_WRONLY), b"x")
    os.write(there, b"x")
if not os.fork():
    os.setsid()
    if not os.fork():
        os.setpgid(0, 0)
        for stream in (0, 1, 2):
            os.close(stream)
    live()
    time.sleep(600)
while len(os.read(here, 1)) + len(os.read(here, 1)) < 2:
    pass
"""
"""Two that live on when their program ends: a session's leader, and its child in a group of its own."""


class TestWhatIsLeft:
    """A child in its own session and group, its child too, deaf to SIGTERM: they end with the program, and with us."""

    @pytest.fixture
    def pipe(self, tmp_path: Path) -> Path:
        """Where each process says that it lives; it reaches its end when none is left."""
        (tmp_path / "pipes").mkdir()
        os.mkfifo(tmp_path / "pipes" / "alive")
        return tmp_path / "pipes" / "alive"

    @pytest.fixture
    def reader(self, pipe: Path) -> Iterator[int]:
        opened = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        yield opened
        os.close(opened)

    @staticmethod
    def start(pipe: Path, body: str, deadline: Deadline) -> str:
        folder = pipe.parent
        place = program(folder.parent, body)
        return run([place], folder, lambda _: {"PIPE": str(pipe)}, [folder], deadline, writable=[folder])

    @staticmethod
    def ended(reader: int) -> int:
        """How many have lived, once none does; -1 if somebody still does after ten seconds."""
        lived = 0
        while select.select([reader], [], [], 10)[0]:
            said = os.read(reader, 16)
            if not said:
                return lived
            lived += len(said)
        return -1

    def test_when_the_program_ends(self, pipe: Path, reader: int) -> None:
        """A daemon that it started does not outlive it."""
        self.start(pipe, DAEMONS, Deadline(20))

        assert self.ended(reader) == 2

    def test_when_the_time_is_over(self, pipe: Path, reader: int) -> None:
        """The deadline ends them all."""
        waits = "print('there', flush=True)\ntime.sleep(600)\n"
        times = iter([0.0, 0.0, 0.0])

        with pytest.raises(DeadlineExceeded, match="before program was done"):
            # The clock is late when it is asked again after what the program has said.
            self.start(pipe, DAEMONS + waits, Deadline(60, clock=lambda: next(times, 100.0)))

        assert self.ended(reader) == 2

    @pytest.mark.parametrize("whom", ["us", "our group"])
    def test_when_we_are_killed(self, pipe: Path, reader: int, whom: str) -> None:
        """Argo CD kills us without warning, the leader first and then its group; the home goes, too."""
        homes = pipe.parent / "homes"
        homes.mkdir()
        ours = os.fork()
        if not ours:
            os.setpgid(0, 0)
            os.environ["TMPDIR"] = str(homes)
            self.start(pipe, DAEMONS + "live()\ntime.sleep(600)\n", Deadline(60))
            os._exit(0)
        said = 0
        while said < 3 and select.select([reader], [], [], 10)[0]:
            said += len(os.read(reader, 1))
        assert list(homes.iterdir())
        (os.kill if whom == "us" else os.killpg)(ours, signal.SIGKILL)
        os.waitpid(ours, 0)

        assert (said, self.ended(reader)) == (3, 0)
        wait_for("the home's end", lambda: not list(homes.iterdir()), seconds=10)

    @pytest.mark.parametrize(
        ("end", "said"), [("raise SystemExit(3)", r"failed \(exit 3\)"), ("import os\nos.kill(os.getpid(), 6)", "signal 6")]
    )  # fmt: skip
    def test_its_end_is_reported_as_it_was(self, tmp_path: Path, end: str, said: str) -> None:
        """The supervisor ends as the program did."""
        with pytest.raises(RenderError, match=said):
            run([program(tmp_path, end)], tmp_path, lambda _: {}, [tmp_path], Deadline(60))


class TestWithoutTheKernel:
    """Where the kernel has no fence, we render all the same, and say so to who looks after the installation."""

    def test_a_program_runs_without_landlock(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An old kernel, or a container's profile, answers that there is no such call."""
        monkeypatch.setattr(landlock, "_CREATE_RULESET", 1023)
        (tmp_path / "beside").write_text("open")

        assert landlock.abi() == 0
        assert tried(tmp_path, "open(path).read()", path=str(tmp_path / "beside")) == "open"

    @pytest.mark.parametrize(
        ("has", "said"),
        [
            (Fences(7, sockets=True), "renderers run under Landlock (ABI 7); they can open no socket"),
            (Fences(3, sockets=True), "cannot keep signals inside before ABI 6"),
            (Fences(0, sockets=True), "without Landlock"),
            (Fences(7, sockets=False), "they can open no TCP connection, but UDP"),
            (Fences(0, sockets=False), "they can open connections to any place"),
        ],
    )
    def test_is_said(self, has: Fences, said: str) -> None:
        """In one sentence."""
        assert said in str(has)


class TestRuleset:
    """A ruleset names what the kernel of each ABI knows, and no more: an older one refuses the rest."""

    @pytest.mark.parametrize(
        ("abi", "size", "files", "tcp", "scoped"),
        [(1, 8, 13, 0, 0), (2, 8, 14, 0, 0), (3, 8, 15, 0, 0), (4, 16, 15, 3, 0), (5, 16, 16, 3, 0), (6, 24, 16, 3, 3), (7, 24, 16, 3, 3), (99, 24, 16, 3, 3)],
    )  # fmt: skip
    def test_of_each_abi(self, abi: int, size: int, files: int, tcp: int, scoped: int) -> None:
        """The first bits of the files' rights, TCP since 4, scopes since 6; of a newer kernel, what we know."""
        handled = landlock.Handled.of(abi, network=False)

        assert (handled.files, handled.network, handled.scoped) == ((1 << files) - 1, tcp, scoped)
        assert len(handled.packed(abi)) == size

    def test_of_who_uses_the_network(self) -> None:
        """TCP is not handled, so it is not denied."""
        assert landlock.Handled.of(7, network=True).network == 0

    @landlocked
    def test_this_kernel_takes_it(self, tmp_path: Path) -> None:
        """Files and folders, links and what is not there."""
        (tmp_path / "file").touch()
        (tmp_path / "link").symlink_to("file")
        paths = [tmp_path, tmp_path / "file", tmp_path / "link", tmp_path / "none", tmp_path / "file" / "below"]

        ruleset = landlock.Ruleset(
            landlock.abi(), [(right, paths) for right in (landlock.READ, landlock.RUN, landlock.WRITE)], network=False
        )

        ruleset.close()


class TestFilter:
    """The filter is right for every number, of which a running kernel tries few."""

    X86, ARM = seccomp._ARCHITECTURES["x86_64"], seccomp._ARCHITECTURES["aarch64"]

    @staticmethod
    def answer(instructions: Sequence[seccomp.Instruction], audit: int, number: int) -> int:
        """What the kernel's interpreter returns for a call: ``Documentation/networking/filter.rst``."""
        data, at, accumulator = struct.pack("=II", number, audit), 0, 0
        while True:
            code, yes, no, operand = instructions[at]
            at += 1
            if code == 0x20:
                (accumulator,) = struct.unpack_from("=I", data, operand)
            elif code == 0x06:
                return operand
            else:
                holds = accumulator == operand if code == 0x15 else accumulator >= operand
                at += yes if holds else no

    @pytest.mark.parametrize("of", [X86, ARM])
    def test_denies_sockets_and_nothing_else(self, of: seccomp.Calls) -> None:
        """Read, write, execve and the rest pass; socket and io_uring, by which sockets are made as well, fail."""
        instructions = seccomp.no_sockets(of)

        denied = {n for n in range(600) if self.answer(instructions, of.audit, n) != 0x7FFF0000}

        assert denied == {of.socket, of.io_uring_setup}
        assert self.answer(instructions, of.audit, of.socket) == 0x00050000 | 1

    @pytest.mark.parametrize(("audit", "number"), [(0x40000003, 102), (0x40000003, 0), (0xC000003E, 0x40000000 + 41)])
    def test_no_other_convention_leads_around_it(self, audit: int, number: int) -> None:
        """The 32-bit and the x32 tables have other numbers for the same calls, so none of theirs passes."""
        assert self.answer(seccomp.no_sockets(self.X86), audit, number) == 0x00050000 | 1

    def test_an_unknown_machine_has_none(self) -> None:
        """Better none than one with another machine's numbers."""
        assert seccomp.calls("riscv128") is None


@pytest.mark.parametrize(
    "secret", ["/etc/argocd-provenance", "/var/cache/argocd-provenance", "/var/lib/argocd-provenance", "/var/run", "/proc"]
)  # fmt: skip
def test_what_is_installed_holds_no_secret(secret: str) -> None:
    """Neither the operator's files nor our cache and key lie at, above or below what every renderer may see."""
    permitted = [Path(name) for name in (*confinement._INSTALLED, *confinement._SETTINGS, *confinement._DEVICES)]

    assert not [path for path in permitted if path.is_relative_to(secret) or Path(secret).is_relative_to(path)]
