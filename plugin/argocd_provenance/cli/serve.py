"""``serve``: a resident process that runs `generate` for the plugin, with everything imported already."""

from pathlib import Path

import click

from argocd_provenance.cli import options


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@options.socket("Where to listen, in a folder of our user alone, which is made where it is absent.")
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

    With COMMAND it becomes COMMAND, whatever else goes wrong, and serves in the background, for an image's entry point.
    It serves its own user only, on a socket in a folder that nobody else can enter, and each request in a process of its
    own.
    """
    from argocd_provenance.cli import serving

    if then:  # the entry point takes away what stands behind `--`
        raise click.UsageError(f"write -- before the command: serve … -- {' '.join(then)}")
    if (metrics is None) != (metrics_file is None):
        raise click.UsageError("--metrics and --metrics-file go together")
    serving.serve(path, metrics, metrics_file)
