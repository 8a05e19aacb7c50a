"""Runs a renderer's program, and nothing of ours goes with it.

The law: an argument list and no shell, an environment we wrote, no input, a home that is deleted afterwards, limits on
time and output, and the fences of `confinement`. Whatever the program started dies with it, and with us.
"""

import os
import selectors
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import DeadlineExceeded, RenderError
from argocd_provenance.records import dataclass
from argocd_provenance.render.confinement import Access, Confinement

# Argo CD's own limit for a plugin's whole answer is 100 MB; no render comes near.
_OUTPUT_LIMIT = 64 * 1024 * 1024
_STDERR_KEPT = 64 * 1024
_STDERR_QUOTED = 1500
# Seconds in which a supervisor kills what it supervises; it takes milliseconds.
_SWEEP = 5.0

# Loopback's discard port: what a renderer would fetch, after all that was refused before, goes nowhere.
_NO_NETWORK = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")


@dataclass(frozen=True, slots=True)
class Program:
    """A renderer's program: the name it is looked up by, and what to say when it is not there."""

    name: str
    version: str

    def find(self, search_path: str) -> str:
        """Its absolute path by the absolute entries of `search_path`; raises `RenderError`."""
        entries = [entry for entry in search_path.split(os.pathsep) if Path(entry).is_absolute()]
        found = shutil.which(self.name, path=os.pathsep.join(entries)) if entries else None
        if found is None:
            raise RenderError(
                f"{self.name} is not installed, and this folder needs it",
                fix=f"it is in argocd-provenance's image, elsewhere install {self.name} {self.version}",
            )
        return found


def run(
    arguments: Sequence[str],
    cwd: Path,
    environment: Callable[[Path], Mapping[str, str]],
    folders: Sequence[Path],
    deadline: Deadline,
    *,
    writable: Sequence[Path] = (),
    network: bool = False,
    called: str = "",
) -> str:
    """What the program printed; raises `RenderError` if it fails, and `DeadlineExceeded` once the time is over.

    `environment` gets the child's home, a folder that is deleted afterwards, and returns what the child sees beside
    it. The child reads `folders` and `writable`, writes `writable` and its home, and opens a socket only where the
    `network` is its business. Paths of all these folders are left out of what is quoted. Messages name it as it is `called`.
    """
    name = called or Path(arguments[0]).name
    with tempfile.TemporaryDirectory(prefix="argocd-provenance-") as made:
        home = Path(os.path.realpath(made))
        access = Access((*folders, cwd), tuple(writable), network=network)
        child = _start(arguments, cwd, {**_base(home), **environment(home)}, access, home, deadline)
        try:
            out, err = _collect(child, name, deadline)
            status = child.wait()
        finally:
            _end(child)
    said = _quoted(err, [*folders, *writable, home])
    if status:
        how = f"was ended by signal {-status}" if status < 0 else f"failed (exit {status})"
        raise RenderError(f"{name} {how}: {said or 'it said nothing'}")
    try:
        return out.decode()
    except UnicodeDecodeError as error:
        raise RenderError(f"{name} printed something that is not UTF-8 (byte {error.start})") from error


def _start(
    arguments: Sequence[str], cwd: Path, variables: Mapping[str, str], access: Access, home: Path, deadline: Deadline
) -> subprocess.Popen[bytes]:
    """The program behind its fences, under a supervisor in a process group of its own."""
    program = Path(os.path.realpath(arguments[0]))
    try:
        confinement = Confinement(program, access, home, deadline.remaining())
        try:
            return subprocess.Popen(  # noqa: S603 - an argument list, by absolute path
                arguments,
                cwd=cwd,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                process_group=0,
                preexec_fn=confinement.enter,  # noqa: PLW1509 - system calls, made ready before the fork
            )
        finally:
            confinement.close()
    except (OSError, subprocess.SubprocessError) as error:
        raise RenderError(f"{program.name} cannot be started behind its fences: {error}") from error


def _base(home: Path) -> dict[str, str]:
    """The child's environment: nothing of ours. An empty folder is its PATH, so it finds no git and no plugin."""
    (home / "bin").mkdir()
    folders = {name: str(home / name.lower()) for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    return {
        "PATH": str(home / "bin"),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LC_ALL": "C.UTF-8",
        **folders,
        **_NO_NETWORK,
    }


def _collect(child: subprocess.Popen[bytes], name: str, deadline: Deadline) -> tuple[bytes, bytes]:
    """All that `child` prints on both streams, until both are closed."""
    assert child.stdout is not None  # noqa: S101 - both are pipes
    assert child.stderr is not None  # noqa: S101
    out, err = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector, child.stdout, child.stderr:
        selector.register(child.stdout, selectors.EVENT_READ, out)
        selector.register(child.stderr, selectors.EVENT_READ, err)
        while selector.get_map():
            ready = selector.select(deadline.remaining())
            if not ready:
                raise DeadlineExceeded(f"the time limit of {deadline.seconds:g} s was reached before {name} was done")
            for key, _ in ready:
                chunk = os.read(key.fd, 1 << 16)
                if not chunk:
                    selector.unregister(key.fileobj)
                elif key.data is out or len(err) < _STDERR_KEPT:
                    key.data.extend(chunk)
            if len(out) > _OUTPUT_LIMIT:
                raise RenderError(f"{name} printed more than {_OUTPUT_LIMIT} bytes")
    return bytes(out), bytes(err)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the program and all that it started, also when the program itself is done: nobody stays behind."""
    child.terminate()  # to the supervisor: it kills the others, and goes last
    try:
        child.wait(_SWEEP)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _quoted(stderr: bytes, masked: Sequence[Path]) -> str:
    """The child's words on one screen: no paths of ours, no control characters."""
    text = stderr.decode(errors="replace")
    for folder in sorted({str(path) for path in masked}, key=len, reverse=True):
        text = text.replace(folder + "/", "").replace(folder, ".")
    text = "".join(c if c.isprintable() or c == "\n" else "�" for c in text).strip()
    return text if len(text) <= _STDERR_QUOTED else f"{text[:_STDERR_QUOTED]} … ({len(text)} characters)"
