"""``demo``: the whole product on loopback; nothing leaves this machine."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Leave all files in DIR, for a look with other tools.",
    metavar="DIR",
)
@click.option("--serve", is_flag=True, help="Keep the demo's registry running until interrupted.")
def command(keep: Path | None, *, serve: bool) -> None:
    """Show the whole product on loopback, without network, in a few seconds.

    A virtual Sigstore signs, a registry in this process stores, and `generate` decides about an app with a good image,
    an unsigned one, one signed by a fork's workflow, and one whose tag was moved after signing.
    """
    from argocd_provenance.demo.story import tell
    from argocd_provenance.errors import UsageError

    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise UsageError(f"--keep: {keep} is not empty; name a new folder")
    # The commands that it shows run in other folders.
    click.get_current_context().exit(tell(click.echo, keep.absolute() if keep is not None else None, serve=serve))
