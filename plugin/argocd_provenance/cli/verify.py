"""``verify``: the decision of `generate` for references given by hand, or for one bundle, offline."""

import os
from pathlib import Path

import click

from argocd_provenance.cli import options


@click.command()
@click.argument("references", nargs=-1, metavar="[REF...|ARTIFACT]")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    **options.FILE,
    help="Judge by these policies only; repeats.",
)
@click.option("--certificate-identity", metavar="S", help="Who must have signed: the certificate's subject, exactly.")
@click.option(
    "--certificate-identity-regexp", metavar="RE", help="The same as a regular expression (RE2) for the whole subject."
)
@click.option("--certificate-oidc-issuer", metavar="URL", help="Who must have vouched for the signer.")
@click.option("--key", **options.FILE, help="The public key that must have signed.")
@click.option("--no-log", is_flag=True, help="With --key: do not demand a transparency log entry.")
@click.option(
    "--type",
    "predicate_type",
    metavar="signature|TYPE",
    help="What must be signed: a signature, or an attestation of TYPE (a predicate type, or cosign's short name).",
)
@click.option("--source-repository", metavar="URL", help="The repository that the build must have been made from.")
@click.option("--source-ref", metavar="REF", help="The Git ref that the build must have been made from.")
@click.option("--source-commit", metavar="SHA", help="The commit that the build must have been made from.")
@click.option("--builder-id", metavar="ID", help="The builder that must have built it.")
@click.option(
    "--bundle",
    **options.FILE,
    help="Judge this bundle offline; the argument is a file, sha256:HEX or sha512:HEX.",
)
@click.option(
    "--trusted-root",
    **options.FILE,
    help="Trust this Sigstore instance instead of every other.",
)
@click.option(
    "--record",
    **options.FOLDER | {"metavar": "DIR"},
    help="Write down what the registry has about each image, as cases for `policy test`.",
)
@click.option("--domain", metavar="NAME", help="The trust domain of the config to use. [default: public-good]")
@click.option(
    "--vsa",
    **options.FILE,
    help="Write the decision as a SLSA verification summary: an in-toto statement, unsigned.",
)
@click.option(
    "--verifier-id",
    metavar="URI",
    default="https://argocd-provenance.io/verify",
    show_default=True,
    help="With --vsa: who verified.",
)
@options.config
@options.output
@options.explain
@options.offline
def command(references: tuple[str, ...], config: Path | None, output: str, *, explain: bool, **demands: object) -> None:
    """Verify images by the operator's policies, by --policy files, or by demands given here.

    \b
    argocd-provenance verify REF...
    argocd-provenance verify REF... --policy FILE
    argocd-provenance verify REF... --certificate-identity S --certificate-oidc-issuer URL
    argocd-provenance verify REF... --key cosign.pub
    argocd-provenance verify --bundle FILE ARTIFACT --certificate-identity S --certificate-oidc-issuer URL
    """  # noqa: D301 - \b is click's mark for text that is not re-wrapped
    from argocd_provenance.cli import asking, streams
    from argocd_provenance.report.model import by_hand

    asked = asking.Asked(references=references, config=config, explain=explain, **demands)  # type: ignore[arg-type]
    report = by_hand(asking.answer(asked, os.environ, streams.Progress()))
    streams.write_report(report, output, explain=explain, to_stdout=True)
    click.get_current_context().exit(report.exit_code)
