"""Runs a renderer's program, and nothing of ours goes with it.

The law: an argument list and no shell, an environment we wrote, no input, a home that is deleted afterwards, limits on
time and output, and the fences of `confinement`. Whatever the program started dies with it, and with us.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.records import dataclass
from argocd_provenance.render.confinement import Access, Confinement
from argocd_provenance.render.launch import Launched
from argocd_provenance.render.temporary import temporary

_STDERR_QUOTED = 1500

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
        for place in (Path(entry, self.name) for entry in entries):
            if place.is_file() and os.access(place, os.X_OK):
                return str(place)
        raise RenderError(
            f"{self.name} is not installed, and this folder needs it",
            fix=f"it is in argocd-provenance's image, elsewhere install {self.name} {self.version}",
        )


@contextlib.contextmanager
def started(
    arguments: Sequence[str],
    cwd: Path,
    environment: Callable[[Path], Mapping[str, str]],
    folders: Sequence[Path],
    deadline: Deadline,
    *,
    writable: Sequence[Path] = (),
    network: bool = False,
    called: str = "",
) -> Iterator[Callable[[], str]]:
    """Start a program; what the context gives waits for it, and returns what it printed. It ends with the context.

    `environment` gets the child's home, a folder that is deleted afterwards, and returns what the child sees beside
    it. The child reads `folders` and `writable`, writes `writable` and its home, and opens a socket only where the
    `network` is its business. Paths of all these folders are left out of what is quoted. Messages name it as it is `called`.

    Raises `RenderError` if it fails, and `DeadlineExceeded` once the time is over: by the context, or by what it gives.
    """
    name, program = called or Path(arguments[0]).name, Path(os.path.realpath(arguments[0]))
    with temporary() as home:
        access = Access((*folders, cwd), tuple(writable), network=network)
        variables = {**_base(home), **environment(home)}
        try:
            confinement = Confinement(program, access, home, deadline.remaining())
            try:
                child = Launched(arguments, cwd, variables, confinement.enter)
            finally:
                confinement.close()
        except OSError as error:
            raise _unfenced(program, error) from error

        def printed() -> str:
            try:
                out, err = child.output(name, deadline)
            except OSError as error:
                raise _unfenced(program, error) from error
            return _text(name, child.status, out, _quoted(err, [*folders, *writable, home]))

        try:
            yield printed
        finally:
            child.end()


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
    """What the program printed; arguments and errors are those of `started`."""
    with started(
        arguments, cwd, environment, folders, deadline, writable=writable, network=network, called=called
    ) as printed:
        return printed()


def _unfenced(program: Path, error: OSError) -> RenderError:
    return RenderError(f"{program.name} cannot be started behind its fences: {error}")


def _text(name: str, status: int | None, out: bytes, said: str) -> str:
    """What it printed as text; raises `RenderError` where it failed, with what it `said`."""
    if status:
        how = f"was ended by signal {-status}" if status < 0 else f"failed (exit {status})"
        raise RenderError(f"{name} {how}: {said or 'it said nothing'}")
    try:
        return out.decode()
    except UnicodeDecodeError as error:
        raise RenderError(f"{name} printed something that is not UTF-8 (byte {error.start})") from error


def _base(home: Path) -> dict[str, str]:
    """The child's environment: nothing of ours. Its PATH is a folder that is not there, so it finds no git and no plugin."""
    folders = {name: str(home / name.lower()) for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    return {
        "PATH": str(home / "bin"),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LC_ALL": "C.UTF-8",
        **folders,
        **_NO_NETWORK,
    }


def _quoted(stderr: bytes, masked: Sequence[Path]) -> str:
    """The child's words on one screen: no paths of ours, no control characters."""
    text = stderr.decode(errors="replace")
    for folder in sorted({str(path) for path in masked}, key=len, reverse=True):
        text = text.replace(folder + "/", "").replace(folder, ".")
    text = "".join(c if c.isprintable() or c == "\n" else "�" for c in text).strip()
    return text if len(text) <= _STDERR_QUOTED else f"{text[:_STDERR_QUOTED]} … ({len(text)} characters)"
