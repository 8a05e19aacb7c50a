"""``generate``: what Argo CD's plugin runs. Render, verify, pin, annotate, print; or print nothing and say why."""

from pathlib import Path

import click

from argocd_provenance.cli import options
from argocd_provenance.cli.generating import generate


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
@options.socket("Where `serve` was told to listen, if it was; it does the work where it answers.")
def command(
    source: str, config: Path | None, output: str, report_file: Path | None, *, explain: bool, offline: bool, path: Path
) -> None:
    """Render DIR, or read manifests from standard input (-), and print them with verified digests.

    Standard output gets the manifests, whole or not at all; standard error gets the report, verdict first.
    """
    del path  # whoever is here was not served: `resident.client` has asked
    click.get_current_context().exit(generate(source, config, output, report_file, explain=explain, offline=offline))
