"""``policy``: what one does with policies before they decide anything."""

import os
from pathlib import Path

import click

from argocd_provenance.cli import options


@click.group()
def command() -> None:
    """Check policies, test them on recorded evidence, bring them from other tools."""


@command.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH...]")
@options.config
@click.option("--strict", is_flag=True, help="Fail (exit 4) for warnings too.")
@click.option(
    "--output",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="The form of the report.",
)
def check(paths: tuple[Path, ...], config: Path | None, *, strict: bool, output: str) -> None:
    """Say which rules can never match, and which match more than they seem to.

    PATH is a policy file, a folder of them, or a config; without one the operator's config and its policies are checked.
    Exit codes: 0 nothing worse than warnings, 2 files that do not load, 4 an error (with --strict: a warning).
    """
    from argocd_provenance.cli import checking, streams
    from argocd_provenance.lints import exit_code
    from argocd_provenance.report import lintreport

    checked = checking.check(paths, config, os.environ)
    code = exit_code(checked.found, strict=strict)
    streams.write_output(
        lintreport.render(checked.found, output, policies=checked.policies, exit_code=code), "backslashreplace"
    )
    click.get_current_context().exit(code)
