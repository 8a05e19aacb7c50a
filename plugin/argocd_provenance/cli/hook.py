"""``hook``: the check at sync time, as the Pod runs it that `generate` added."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import click

from argocd_provenance.cli import options
from argocd_provenance.errors import DeadlineExceeded, Error
from argocd_provenance.report.model import Report, stopped

# Where Kubernetes reads what Argo CD shows (`terminationMessagePath`), and how much of it.
_TERMINATION_LOG = Path("/dev/termination-log")
_MESSAGE_LIMIT = 4096


@click.command()
@click.option("--payload", required=True, metavar="TEXT", help="What `generate` put into the Pod.")
@click.option("--proof", is_flag=True, help="Compare what runs with what was verified, instead of verifying again.")
@click.option(
    "--service-account",
    **options.FOLDER,
    help="With --proof: where token, namespace and ca.crt are. [default: where Kubernetes mounts them]",
)
@click.option(
    "--termination-log",
    **options.FILE,
    help=f"Where the verdict is written. [default: {_TERMINATION_LOG}, if it is there]",
)
@options.output
@options.explain
def command(
    payload: str,
    service_account: Path | None,
    termination_log: Path | None,
    output: str,
    *,
    proof: bool,
    explain: bool,
) -> None:
    """Verify again, by digest, what `generate` verified when it made the manifests that are about to be applied.

    `generate` adds a Pod that runs this (`hook` in the config, or the plugin parameter of that name). It reads nothing but
    its command line: no config, and no cluster without --proof. The whole report goes to standard error, its beginning to the termination log.
    """
    from argocd_provenance.cli import streams
    from argocd_provenance.report import text

    with _told_when_it_must_end():
        try:
            report, exit_code = _answer(payload, service_account, proof=proof)
        except Exception:
            _write(
                termination_log,
                "image policy: could not decide [internal]: a fault in argocd-provenance, see the log\n",
            )
            raise
    _write(termination_log, text.render(report, limit=_MESSAGE_LIMIT))
    streams.write_report(report, output, explain=explain, limit=None)
    click.get_current_context().exit(exit_code)


def _answer(payload: str, account: Path | None, *, proof: bool) -> tuple[Report, int]:
    """The report, and the exit code: an operator's files can be wrong here too, if they came from another version."""
    from argocd_provenance.cli import streams

    try:
        if proof:
            from argocd_provenance.argocd.cluster import ACCOUNT
            from argocd_provenance.cli import proving

            report = proving.answer(payload, os.environ, account or ACCOUNT)
        else:
            from argocd_provenance.cli import rechecking

            report = rechecking.answer(payload, streams.Progress())
    except Error as error:
        return stopped(error), error.exit_code
    return report, report.exit_code


@contextlib.contextmanager
def _told_when_it_must_end() -> Iterator[None]:
    """SIGTERM raises `DeadlineExceeded`: the first process of a container, as we are, would not even end by it."""

    def end(_number: int, _frame: object) -> NoReturn:
        raise DeadlineExceeded("the Pod was told to end before everything was checked")

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _write(path: Path | None, message: str) -> None:
    """Write the termination message; where that fails the report still stands in the log."""
    if path is None and not _TERMINATION_LOG.exists():
        return
    try:
        (path or _TERMINATION_LOG).write_text(message, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        click.echo(f"{path or _TERMINATION_LOG}: cannot be written: {error.strerror}", err=True)
