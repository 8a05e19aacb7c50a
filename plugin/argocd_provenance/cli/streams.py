"""What leaves the process: standard output whole or not at all, the report on standard error.

Argo CD shows standard error to everybody who sees the Application, so what is written there when it runs us is capped
and names no path of the folder that it unpacked our source into.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from argocd_provenance.errors import Error, UsageError
from argocd_provenance.report.model import Report

# File names and JSON may hold lone surrogates, which have no UTF-8; escaped like this they are JSON still.
_ODD = "backslashreplace"


def write_output(text: str, errors: str = "strict") -> None:
    """Write `text` to standard output in one piece; raise `Error` when it cannot be written."""
    if sys.stdout is None:  # closed before we began
        raise Error("standard output could not be written: it is closed")
    try:
        sys.stdout.buffer.write(text.encode(errors=errors))
        sys.stdout.buffer.flush()
    except OSError as error:
        # What the reader of a broken pipe got is not ours to mend, but it must not look like success.
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - so that the interpreter's last flush says nothing
        raise Error(f"standard output could not be written: {error.strerror}") from error


def write_report(
    report: Report, form: str, *, explain: bool = False, to_stdout: bool = False, limit: int | None = 4096
) -> None:
    """Print `report` in `form` (text, json, sarif, junit); colours only for a person at a terminal.

    As text on standard error it is at most `limit` bytes (None: no limit) where it is no terminal.
    """
    stream = sys.stdout if to_stdout else sys.stderr
    if form == "text":
        from argocd_provenance.report import text

        colour = stream is not None and stream.isatty() and "NO_COLOR" not in os.environ
        said = text.render(
            report, explain=explain, colour=colour, limit=None if to_stdout or limit is None else _limit()
        )
    else:
        said = rendered(report, form)
    if to_stdout:
        write_output(said, _ODD)
    else:
        _write_error(said)


def write_fault(error: Error) -> None:
    """Say on standard error what stopped the run before there was a report."""
    from argocd_provenance.report import text

    _write_error(text.fault(error.code, str(error), _limit()))


def write_crash(error: Exception) -> None:
    """Say on standard error that we are at fault, first and last; between them, for the issue tracker, where."""
    import traceback

    from argocd_provenance.report import capped, text

    head = f"image policy: could not decide [internal] {type(error).__name__}: a fault in argocd-provenance"
    trace = "".join(traceback.format_exception(error)).splitlines()[-30:]
    lines = [capped.Line(text.safe(line[:300])) for line in trace]
    _write_error("\n".join(capped.fit(head, lines, _limit())) + "\n")


def error_text(report: Report) -> bytes:
    """`report` as it would be written to standard error, for whoever must write it without us."""
    from argocd_provenance.report import text

    return text.hide(text.render(report, limit=_limit()), work_folders()).encode(errors=_ODD)


def _limit() -> int | None:
    from argocd_provenance.report import text

    return None if sys.stderr.isatty() else text.LIMIT


def _write_error(said: str) -> None:
    from argocd_provenance.report import text

    sys.stderr.buffer.write(text.hide(said, work_folders()).encode(errors=_ODD))
    sys.stderr.flush()


def work_folders() -> Sequence[str]:
    """Where Argo CD unpacked our source: the root and the working folder; none where a person runs us."""
    if "ARGOCD_APP_NAME" not in os.environ:
        return ()
    from argocd_provenance.argocd.environment import source_root

    try:
        here = Path(os.path.realpath(os.curdir))
    except OSError:  # somebody has deleted it
        return ()
    return [str(here), str(source_root(here, os.environ.get("ARGOCD_APP_SOURCE_PATH", "")))]


def rendered(report: Report, form: str) -> str:
    """`report` as ``json``, ``sarif`` or ``junit`` text."""
    if form == "sarif":
        from argocd_provenance.report import sarif

        return sarif.render(report)
    if form == "junit":
        from argocd_provenance.report import junit

        return junit.render(report)
    from argocd_provenance.report import jsonreport

    return jsonreport.render(report)


def write_file(path: Path, text: str) -> None:
    """Write `text` to `path` whole or not at all: beside it first, then renamed over it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8", errors=_ODD)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"--report: cannot write {path}: {error.strerror}") from error


class Progress:
    """``checking 12 of 50 images`` on a terminal, nothing elsewhere."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        """Say how far we are; the last call wipes the line."""
        if self._shown:
            sys.stderr.write(f"\r\x1b[Kchecking {done} of {total} images" if done < total else "\r\x1b[K")
            sys.stderr.flush()
