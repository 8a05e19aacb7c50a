"""The resident process under test, and what it does for clients."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.processes import wait_for

GENERATE = [sys.executable, "-I", "-m", "argocd_provenance", "generate"]
SERVE = [*GENERATE[:-1], "serve"]


def answers(path: Path) -> bool:
    """Whether somebody listens there."""
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.connect(str(path))
        return True
    return False


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """The resident process at a socket in `folder`."""
    path = folder / "socket"
    # What the client's environment must replace: were any of it seen, every run would fail.
    wrong = {"PATH": os.environ["PATH"], "ARGOCD_PROVENANCE_CONFIG": "/nonexistent", "ARGOCD_APP_PARAMETERS": "wrong"}
    command = [*SERVE, "--socket", str(path)]
    process = subprocess.Popen(command, env=wrong, cwd="/", stdin=subprocess.DEVNULL)
    try:
        wait_for("the resident process", lambda: answers(path) or process.poll() is not None)
        assert process.poll() is None
        yield path, process
    finally:
        process.terminate()
        process.wait(10)


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


def handed_over(client: subprocess.Popen[bytes], resident: int) -> int:
    """The process id of the fork that has the client's streams: as soon as its standard input is the client's."""
    theirs = os.readlink(f"/proc/{client.pid}/fd/0")  # noqa: PTH115 - a pipe's name is no path
    while True:
        assert client.poll() is None
        for fork in children(resident):
            with suppress(OSError):
                if os.readlink(f"/proc/{fork}/fd/0") == theirs:  # noqa: PTH115 - as above
                    return fork


def alive(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    return state(pid) not in ("", "Z")


def state(pid: int) -> str:
    """One letter: proc_pid_stat(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def resident(command: int) -> int:
    """The process that serves: the only child of the only child of the command."""
    (keeper,) = children(command)
    (serving,) = children(keeper)
    return serving


def children(pid: int) -> list[int]:
    """The process ids of those whose parent it is, as long as its threads have none."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
