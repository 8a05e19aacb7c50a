"""The commands as click knows them. Imported for everything but the plainest call of `generate`."""

import importlib
from typing import Any

import click

from argocd_provenance import __version__
from argocd_provenance.cli import COMMANDS
from argocd_provenance.errors import Error


class _Commands(click.Group):
    """Commands are imported when they are called: no command pays for another's imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"argocd_provenance.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Error as error:
            from argocd_provenance.cli.streams import write_fault

            write_fault(error)
            ctx.exit(error.exit_code)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="argocd-provenance")
def group() -> None:
    """Prove that each image is the one your own pipeline built, or stop the sync and say why.

    Exit codes: 0 allowed, 2 usage, config or policy file, 3 could not check, 4 denied.
    """
