"""What leaves the process: standard output whole or not at all, the report on standard error."""

import os
import sys
from pathlib import Path

import click

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
    report: Report, form: str, *, explain: bool = False, to_stdout: bool = False, limit: int | None
) -> None:
    """Print `report` in `form` (text, json, sarif, junit); colours only for a person at a terminal."""
    stream = sys.stdout if to_stdout else sys.stderr
    if form == "text":
        from argocd_provenance.report import text

        colour = stream is not None and stream.isatty() and "NO_COLOR" not in os.environ
        said = text.render(report, explain=explain, colour=colour, limit=limit)
    else:
        said = rendered(report, form)
    if to_stdout:
        write_output(said, _ODD)
    else:
        stream.buffer.write(said.encode(errors=_ODD))
        stream.flush()


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
            click.echo(f"\r\x1b[Kchecking {done} of {total} images" if done < total else "\r\x1b[K", err=True, nl=False)
