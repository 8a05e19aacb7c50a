"""``serve``: a resident process that runs `generate` for the plugin, with everything imported already."""

import os
from pathlib import Path

import click


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--socket",
    "path",
    envvar="ARGOCD_PROVENANCE_SOCKET",
    type=click.Path(path_type=Path),
    required=True,
    metavar="PATH",
    help="Where to listen; the plugin finds it by the same variable. [env: ARGOCD_PROVENANCE_SOCKET]",
)
@click.option("--metrics", metavar="HOST:PORT", help="Answer http://HOST:PORT/metrics with the text in --metrics-file.")
@click.option(
    "--metrics-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The file that metrics.file in the config names.",
)
@click.argument("then", nargs=-1, metavar="[-- COMMAND...]", type=click.UNPROCESSED)
def command(path: Path, metrics: str | None, metrics_file: Path | None, then: tuple[str, ...]) -> None:
    """Keep a process ready that runs `generate` for the plugin.

    With COMMAND it serves in the background and becomes COMMAND, for an image's entry point. It serves its own user only,
    on a socket in a folder that nobody else can write, and each request in a process of its own.
    """
    from argocd_provenance.cli import serving

    if (metrics is None) != (metrics_file is None):
        raise click.UsageError("--metrics and --metrics-file go together")

    if then:
        if os.fork():
            os.execvp(then[0], then)  # noqa: S606 - what the operator's own entry point names
        os.setsid()
    serving.serve(path, metrics, metrics_file)
