"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from argocd_provenance.resident import place

# What an option's value is, for `click.option`: a file or a folder, which need not be there.
FILE: dict[str, Any] = {"type": click.Path(path_type=Path, dir_okay=False), "metavar": "FILE"}
FOLDER: dict[str, Any] = {"type": click.Path(path_type=Path, file_okay=False), "metavar": "FOLDER"}

config = click.option(
    "--config",
    **FILE,
    help="The operator's config. [default: $ARGOCD_PROVENANCE_CONFIG, /etc/argocd-provenance/config.yaml]",
)


def form(*others: str) -> Callable[[Any], Any]:
    """``--output``, with text and the `others` to choose from."""
    return click.option(
        "--output",
        type=click.Choice(["text", *others]),
        default="text",
        show_default=True,
        help="The form of the report.",
    )


output = form("json", "sarif", "junit")
offline = click.option(
    "--offline", is_flag=True, help="Ask nobody: what is not in files, or remembered, is not checked (exit 3)."
)
explain = click.option("--explain", is_flag=True, help="Print every check with its value and where it was read.")


def socket(said: str) -> Callable[[Any], Any]:
    """``--socket PATH``, with the help `said`."""
    return click.option(
        "--socket",
        "path",
        type=click.Path(path_type=Path),
        callback=_absolute,
        default=place.USUAL,
        show_default=True,
        metavar="PATH",
        help=said,
    )


def _absolute(_context: click.Context, _option: click.Parameter, path: Path) -> Path:
    if not path.is_absolute():
        raise click.BadParameter(f"{path} must be an absolute path")
    return path
