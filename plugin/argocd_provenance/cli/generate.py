"""``generate``: what Argo CD's plugin runs. Render, verify, pin, annotate, print; or print nothing and say why."""

import os
import sys
from pathlib import Path

import click

from argocd_provenance.cli import options
from argocd_provenance.errors import Error, OperatorError
from argocd_provenance.report.model import Report
from argocd_provenance.verdict import CODES, Finding


@click.command()
@click.argument("source", default=".", metavar="[DIR|-]")
@options.config
@options.output
@options.explain
@options.offline
@click.option(
    "--report",
    "report_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the JSON report to FILE as well.",
)
def command(
    source: str, config: Path | None, output: str, report_file: Path | None, *, explain: bool, offline: bool
) -> None:
    """Render DIR, or read manifests from standard input (-), and print them with verified digests.

    Standard output gets the manifests, whole or not at all; standard error gets the report, verdict first.
    """
    from argocd_provenance.cli import gate, streams

    progress = streams.Progress()
    manifests = None
    try:
        manifests, report = gate.generate(source, sys.stdin.buffer, config, os.environ, progress, offline=offline)
    except OperatorError:
        raise
    except Error as error:
        finding = Finding(error.code if error.code in CODES else "internal", str(error))
        report = Report(
            errors=(finding,),
            application=os.environ.get("ARGOCD_APP_NAME", ""),
            notes=tuple(getattr(error, "__notes__", ())),
        )
    if report_file is not None:
        streams.write_file(report_file, streams.rendered(report, "json"))
    if manifests is not None and report.exit_code == 0:
        streams.write_output(manifests)
    streams.write_report(report, output, explain=explain)
    click.get_current_context().exit(report.exit_code)
