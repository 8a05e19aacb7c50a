"""The resident process, piece by piece."""

import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from argocd_provenance.cli import serving
from argocd_provenance.errors import OperatorError
from argocd_provenance.resident import beside, place, wire


class TestServing:
    def test_a_folder_that_others_may_write_is_no_place_for_the_socket(self, tmp_path: Path) -> None:
        """They could put their own socket there, and answer in our name."""
        tmp_path.chmod(0o777)

        with pytest.raises(OperatorError, match="closed to all others"), serving._alone(tmp_path / "socket"):
            pass

    def test_a_run_has_the_clients_environment_and_nothing_of_ours(self, tmp_path: Path) -> None:
        """What the client did not send is not there, and its folder is the working folder."""
        child = os.fork()
        if not child:
            os.environ["STRAY"] = "ours"
            nothing, folder = os.open(os.devnull, os.O_RDWR), os.open(tmp_path, os.O_PATH)
            streams = [os.dup(nothing) for _ in range(3)]
            code = serving._run([b"22", b"1", b"--help", b"SENT=1"], [0, 1, 2], [folder, *streams])
            os._exit(code if dict(os.environ) == {"SENT": "1"} and Path.cwd() == tmp_path.resolve() else 9)

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def test_who_never_ends_a_sentence_is_ended(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The time is for all that a client has to say: a byte now and then does not renew it."""
        monkeypatch.setattr(serving, "_PATIENCE", 0.1)
        ours, theirs = socket.socketpair()
        child = os.fork()
        if not child:
            theirs.close()
            with suppress(BaseException):
                serving._heard(ours, place.opened(str(tmp_path)))
            os._exit(0)
        ours.close()
        door = place.opened(str(tmp_path))
        wire.send(theirs, wire.packed([b"x" * 100_000])[: wire.HEAD], [door])
        with suppress(BrokenPipeError, ConnectionResetError):
            while True:
                theirs.sendall(b"x")
                if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                    break
        os.close(door)
        theirs.close()

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGALRM

    def test_the_folder_is_opened_by_who_asks(self, tmp_path: Path) -> None:
        """To have found it (O_PATH) opens nothing, and another folder is another folder."""
        (tmp_path / "other").mkdir(mode=0o700)
        own, found, other = (
            os.open(tmp_path / name, how) for name, how in (("", os.O_RDONLY), ("", os.O_PATH), ("other", os.O_RDONLY))
        )

        assert serving._opens([own], own)
        assert [serving._opens(doors, own) for doors in ([found], [other], [], [own, own])] == [False] * 4
        for number in (own, found, other):
            os.close(number)

    def test_who_cannot_open_the_folder_is_not_heard(self, tmp_path: Path) -> None:
        """Not a word of it is read."""
        ours, theirs = socket.socketpair()
        door, found = place.opened(str(tmp_path)), os.open(tmp_path, os.O_PATH)
        frame = wire.packed([b"22", b"1", b"--version"])
        wire.send(theirs, frame[: wire.HEAD], [found])
        theirs.sendall(frame[wire.HEAD :])
        theirs.shutdown(socket.SHUT_WR)

        with pytest.raises(ValueError, match="cannot open our folder"):
            serving._heard(ours, door)

        signal.setitimer(signal.ITIMER_REAL, 0)
        assert ours.recv(100) == frame[wire.HEAD :]
        for number in (door, found):
            os.close(number)
        ours.close()
        theirs.close()

    def test_another_user_is_hung_up_on(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The kernel says who asks, before a fork is made for it."""
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as asking:
            listener.bind(str(tmp_path / "socket"))
            listener.listen(1)
            asking.connect(str(tmp_path / "socket"))
            monkeypatch.setattr(os, "geteuid", lambda: 4242)
            loop = serving._Loop(listener, (-1, -1), None)
            loop._accept()

            assert loop._requests == {}
            assert asking.recv(1) == b""


class TestPlace:
    @pytest.mark.parametrize(
        ("words", "found", "rest"),
        [
            (["generate", "."], place.USUAL, ["generate", "."]),
            (["generate", ".", "--socket", "/s"], "/s", ["generate", "."]),
            (["generate", "--socket=/s", "."], "/s", ["generate", "."]),
            (["generate", "--socket", "/s", ".", "--socket", "/t"], "/t", ["generate", "."]),
            (["generate", "--", "--socket", "/s"], place.USUAL, ["generate", "--", "--socket", "/s"]),
            (["generate", ".", "--socket", "s"], place.USUAL, ["generate", ".", "--socket", "s"]),
            (["generate", ".", "--socket="], place.USUAL, ["generate", ".", "--socket="]),
            (["generate", ".", "--socket"], place.USUAL, ["generate", ".", "--socket"]),
            (["generate", ".", "--sockets", "/s"], place.USUAL, ["generate", ".", "--sockets", "/s"]),
        ],
    )
    def test_is_read_from_the_command_line(self, words: list[str], found: str, rest: list[str]) -> None:
        """What cannot be meant stays, for the command to explain."""
        assert place.named(words) == (found, rest)

    def test_is_a_folder_of_our_own_that_is_closed_to_others(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not a link to one, not one that others may read, and not another user's."""
        folder = tmp_path / "own"
        folder.mkdir(mode=0o700)
        (tmp_path / "link").symlink_to("own")
        os.close(place.opened(str(folder)))

        with pytest.raises(OSError):
            place.opened(str(tmp_path / "link"))
        folder.chmod(0o710)
        with pytest.raises(PermissionError):
            place.opened(str(folder))
        folder.chmod(0o700)
        monkeypatch.setattr(os, "geteuid", lambda: 4242)
        with pytest.raises(PermissionError):
            place.opened(str(folder))

    def test_is_fixed_in_a_volume_of_the_sidecars_own(self) -> None:
        """Where no renderer, and no other container, writes."""
        assert place.USUAL == "/var/lib/argocd-provenance/serve/socket"


class TestBeside:
    def test_the_command_starts_where_no_process_can_be_made_for_us(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """A limit on processes is no reason to keep Argo CD's server from starting."""

        def fail() -> int:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        class Became(Exception):
            pass

        def become(*words: object) -> None:
            raise Became(*words)

        monkeypatch.setattr(os, "fork", fail)
        monkeypatch.setattr(os, "execvp", become)
        pipe = signal.getsignal(signal.SIGPIPE)
        try:
            with pytest.raises(Became) as became:
                beside.begin(["/bin/server", "-x"])
        finally:
            signal.signal(signal.SIGPIPE, pipe)

        assert became.value.args == ("/bin/server", ["/bin/server", "-x"])
        assert (
            capfd.readouterr().err
            == "argocd-provenance serve: cannot serve beside /bin/server: Resource temporarily unavailable\n"
        )

    @pytest.mark.parametrize(
        ("words", "before", "command"),
        [
            (["serve", "--", "a", "-b", "--", "c"], ["serve"], ["a", "-b", "--", "c"]),
            (["serve", "--socket", "/s", "--", "a"], ["serve", "--socket", "/s"], ["a"]),
            (["serve", "a"], ["serve", "a"], []),
            (["serve", "--"], ["serve"], []),
            (["generate", "--", "a"], ["generate", "--", "a"], []),
        ],
    )
    def test_what_stands_behind_two_dashes_is_the_command(
        self, words: list[str], before: list[str], command: list[str]
    ) -> None:
        """Its own options and dashes are its own."""
        assert beside.split(words) == (before, command)
