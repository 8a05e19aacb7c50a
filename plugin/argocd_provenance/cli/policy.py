"""``policy``: what one does with policies before they decide anything."""

import os
import sys
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
@options.form("json", "sarif")
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


@command.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@options.config
@click.option(
    "--policy",
    "policies",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Judge by these policies (files or folders) instead of the config's; repeats.",
)
@options.form("json", "junit")
def test(folder: Path, config: Path | None, policies: tuple[Path, ...], output: str) -> None:
    """Judge the recorded cases in DIR by the policies as they are now; nobody is asked.

    `verify IMAGE --record DIR` records a case. Exit codes: 0 every case came out as expected, 2 files that do not load, 4
    a case did not.
    """
    from argocd_provenance.cli import operator, streams, testing

    path = operator.config_path(config, os.environ)
    if config is None and policies and not path.exists():
        ruled = operator.without_config(policies)
    else:
        ruled = operator.load(path, policies or None)
    tested = testing.judge_cases(folder, ruled)
    streams.write_output(testing.render(tested, output), "backslashreplace")
    click.get_current_context().exit(0 if all(one.passed for one in tested) else 4)


@command.command("import", context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True, metavar="FILE|- | -- COMMAND...")
def import_(words: tuple[str, ...]) -> None:
    """Print the ImagePolicy that another tool's policy is: it decides the same or stricter, and says where.

    FILE holds a ClusterImagePolicy, a Kyverno ClusterPolicy with verifyImages or an ImageValidatingPolicy; COMMAND is a
    command line of `cosign verify`, `cosign verify-attestation`, `gh attestation verify` or `slsa-verifier verify-image`.
    Exit code 2: something cannot be carried over; all of it is named.
    """
    from argocd_provenance.cli import importing, streams

    streams.write_output(importing.imported(words, sys.stdin.buffer))
