"""Options that several commands share."""

from pathlib import Path

import click

config = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The operator's config. [default: $ARGOCD_PROVENANCE_CONFIG, /etc/argocd-provenance/config.yaml]",
)
output = click.option(
    "--output",
    type=click.Choice(["text", "json", "sarif", "junit"]),
    default="text",
    show_default=True,
    help="The form of the report.",
)
offline = click.option(
    "--offline", is_flag=True, help="Ask nobody: what is not in files, or remembered, is not checked (exit 3)."
)
explain = click.option("--explain", is_flag=True, help="Print every check with its value and where it was read.")
