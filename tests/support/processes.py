"""Servers for tests: each in a `Bench`, which has one folder for all their files and ends them by process id.

    with Bench(folder) as bench:
        port = free_port()
        redis = bench.start("redis", ["redis-server", "--port", str(port)])
        wait_for("redis-server", lambda: answers(port), redis)

What a server prints is in `folder`/NAME.log; pytest keeps the folder of a failed test.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")
_PAUSE = 0.02  # seconds between two looks at a server that is not ours to notify us


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody accepts connections on this port of 127.0.0.1."""
    with socket.socket() as client:
        client.settimeout(0.5)
        return client.connect_ex(("127.0.0.1", port)) == 0


def program(name: str, comes_by: str) -> str:
    """The path of a real peer; where it is missing the test fails and says what installs it."""
    found = shutil.which(name)
    assert found, f"{name} is missing: {comes_by} installs it"
    return found


class Process:
    """A server that we started; what it prints goes to the file `log`."""

    def __init__(self, name: str, argv: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name, self.log = name, log
        with log.open("wb") as out:
            self._popen = subprocess.Popen(
                list(argv), env=dict(environment), cwd=log.parent, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        self.pid = self._popen.pid

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._popen.poll() is None

    def text(self) -> str:
        """All that it printed so far."""
        return self.log.read_text(errors="replace")

    def stop(self) -> None:
        """End it and what it started, at once: nothing that it holds outlives the test."""
        left = descendants(self.pid)
        self._popen.kill()
        self._popen.wait()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Bench:
    """A folder and the servers that live in it; leaving the context ends them, last started first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, Process] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self.processes.values()):
            process.stop()

    def start(self, name: str, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> Process:
        """Start a server with an environment of its own: PATH, HOME and TMPDIR, and what is given."""
        own = {"PATH": os.environ["PATH"], "HOME": str(self.made("home")), "TMPDIR": str(self.made("tmp"))}
        process = Process(name, argv, {**own, **(environment or {})}, self.folder / f"{name}.log")
        self.processes[name] = process
        return process

    def made(self, *parts: str) -> Path:
        """A folder below ours, made if need be."""
        path = self.folder.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path


def descendants(pid: int) -> list[int]:
    """The process ids below `pid`, parents first, as /proc tells it (proc_pid_stat(5): field 4 is the parent)."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for known in found:
        found += children.get(known, [])
    return found[1:]


def leftovers(folder: Path) -> list[str]:
    """The command lines of processes whose working folder lies below `folder`, removed or not."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # it has just ended
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(folder):
                found.append((entry / "cmdline").read_text().replace("\0", " "))
    return found


def running(words: str) -> list[int]:
    """The processes whose command line is `words`."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # it has just ended
            if entry.name.isdigit() and (entry / "cmdline").read_text().replace("\0", " ").strip() == words:
                found.append(int(entry.name))
    return found


def wait_for(what: str, ready: Callable[[], T], process: Process | None = None, *, seconds: float = 60) -> T:
    """What `ready` answers as soon as it is true; fails when the process dies or the time is over.

    Other people's servers do not tell us when something has happened, so they are asked until it has.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := ready():
            return answer
        if process is not None and not process.alive():
            raise AssertionError(f"{process.name} has ended:\n{process.text()[-3000:]}")
        time.sleep(_PAUSE)
    log = f":\n{process.text()[-3000:]}" if process is not None else ""
    raise AssertionError(f"{what}: not within {seconds:g} s{log}")
