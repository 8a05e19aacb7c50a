"""The command line: streams and exit codes, no decisions. One file a command.

Exit codes: 0 allowed, 2 usage, config or policy file, 3 could not check, 4 denied; 1 is Python's own crash.
"""

import gc
import importlib
import os
import sys
import threading
from typing import Any

import click

from argocd_provenance import __version__
from argocd_provenance.errors import Error

_COMMANDS = {
    "generate": "Render, verify, pin and annotate an Application's manifests.",
    "verify": "Verify images, or one bundle offline, by policy.",
    "hook": "Verify again at sync time what generate verified.",
    "trust": "Show trusted roots and their age, refresh them, import others.",
    "demo": "Show the whole product on loopback, without network.",
}


class _Commands(click.Group):
    """Commands are imported when they are called: no command pays for another's imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"argocd_provenance.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Error as error:
            from argocd_provenance.cli.streams import write_fault

            write_fault(error)
            ctx.exit(error.exit_code)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="argocd-provenance")
def _group() -> None:
    """Prove that each image is the one your own pipeline built, or stop the sync and say why.

    Exit codes: 0 allowed, 2 usage, config or policy file, 3 could not check, 4 denied.
    """


def main() -> None:
    """Run the command line; a fault of our own says so first, then crashes as Python does (exit 1)."""
    # One run and the process ends: looking for cycles costs a fifth of the time that large manifests take to read.
    gc.disable()
    _open_closed_streams()
    try:
        _group(prog_name="argocd-provenance")
    except SystemExit as end:
        _leave(end)
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said, and nothing is deployed
        from argocd_provenance.cli.streams import write_crash

        write_crash(error)
        sys.exit(1)


def _open_closed_streams() -> None:
    """Without standard input there is nothing to read, and without standard error nobody who listens; both are legal."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115 - for as long as we run
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - for as long as we run


def _leave(end: SystemExit) -> None:
    """Leave at once where a thread still waits for a registry: Python would wait for it, and Argo CD would kill us."""
    if threading.active_count() > 1:
        if sys.stdout is not None:
            sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)
