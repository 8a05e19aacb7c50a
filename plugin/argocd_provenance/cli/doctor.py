"""``doctor``: whether an installation is what its operator thinks it is."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from argocd_provenance.argocd.doctor import asking, sidecar
from argocd_provenance.argocd.doctor.complaint import Complaint, exit_code, in_order
from argocd_provenance.argocd.doctor.installation import judge_installation
from argocd_provenance.argocd.doctor.kubectl import read_installation
from argocd_provenance.cli import collector, edges, operator, options
from argocd_provenance.cli.remembering import KEY_FILE
from argocd_provenance.config import Config
from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import FileFaults, OperatorError
from argocd_provenance.evidence.trust import TrustDomain
from argocd_provenance.render.confinement import fences
from argocd_provenance.report import complaints

_SECONDS = 20.0  # for all registries together


@click.command()
@options.config
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Look at a cluster, by kubectl.",
)
@click.option("--context", metavar="NAME", help="The same, by a context of the usual kubeconfig.")
@click.option("--namespace", default="argocd", show_default=True, help="Argo CD's namespace in that cluster.")
@options.form("json")
@click.option("--plugin-file", type=click.Path(path_type=Path), hidden=True, help="Instead of the image's.")
@click.option("--sockets", type=click.Path(path_type=Path), hidden=True, help="Instead of the image's.")
def command(
    config: Path | None,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str,
    output: str,
    plugin_file: Path | None,
    sockets: Path | None,
) -> NoReturn:
    """Check an installation: from inside the sidecar, or with --kubeconfig or --context from anywhere.

    In the sidecar: `kubectl -n argocd exec deploy/argocd-repo-server -c argocd-provenance -- argocd-provenance doctor`.
    Exit codes: 0 nothing wrong (warnings may be), 2 config or policies cannot be used, 3 something could not be asked, 4 an error.
    """
    if kubeconfig is not None or context is not None:
        found = in_order(_cluster(kubeconfig, context, namespace))
    else:
        found = in_order(_sidecar(config, plugin_file, sockets))
    code = exit_code(found)
    click.echo(complaints.as_text(found) if output == "text" else complaints.as_json(found, code), nl=False)
    raise SystemExit(code)


def _cluster(kubeconfig: Path | None, context: str | None, namespace: str) -> Iterator[Complaint]:
    words = [*(["--kubeconfig", str(kubeconfig)] if kubeconfig else []), *(["--context", context] if context else [])]
    yield from judge_installation(read_installation(words, namespace))


def _sidecar(config: Path | None, plugin_file: Path | None, sockets: Path | None) -> Iterator[Complaint]:
    file, folder = plugin_file or sidecar.PLUGIN_FILE, sockets or sidecar.SOCKETS
    if not file.exists() and not folder.exists():
        yield Complaint(
            "not-a-sidecar",
            "here",
            "this is no sidecar of Argo CD",
            "run it in the sidecar, or name a cluster with --kubeconfig",
        )
    else:
        yield from sidecar.judge_plugin_file(file)
        yield from sidecar.judge_sockets(folder)
        yield from sidecar.judge_resident(file)
        yield from sidecar.judge_programs(os.environ.get("PATH", os.defpath))
        yield from sidecar.judge_fences(fences())
    yield from _operator(config)


def _operator(given: Path | None) -> Iterator[Complaint]:
    """Config and policies, and what they lead to."""
    try:
        ruled = operator.check_domains(operator.load(operator.config_path(given, os.environ)))
        domains = operator.domains(ruled)
    except FileFaults as error:
        yield from (
            Complaint("config-unusable", "config", fault, "correct it; until then every render is refused")
            for fault in error.faults
        )
        return
    except OperatorError as error:
        yield Complaint("config-unusable", "config", str(error), "until then every render is refused")
        return
    cache = ruled.config.cache
    yield from sidecar.judge_cache(cache.path, Path(cache.key_file or KEY_FILE))
    yield from _unmatched(ruled.config)
    yield from _collector(ruled.config)
    yield from _asked(ruled, domains)


def _unmatched(config: Config) -> Iterator[Complaint]:
    if config.unmatched != "deny":
        what = "gets its digest and nothing else" if config.unmatched == "pin" else "is deployed as it is written"
        yield Complaint(
            "unmatched-open",
            config.file,
            f"an image that no policy covers {what}",
            "`unmatched: deny`, once policies cover what you run",
        )


def _collector(config: Config) -> Iterator[Complaint]:
    if config.operations.otel is not None and (fault := collector.probe(config.operations.otel)):
        yield Complaint("collector", f"{config.file}: otel", fault, "correct it: runs are not told of, and wait for it")


def _asked(ruled: operator.Operator, domains: dict[str, TrustDomain]) -> Iterator[Complaint]:
    yield from asking.judge_roots(domains, operator.places_of_roots(ruled), datetime.now(UTC))
    hosts = ruled.config.registries
    with edges.registry(ruled.config, ruled.hosts(), Deadline(_SECONDS)) as registry:
        credentials = edges.credentials(os.environ).with_settings(hosts)
        yield from asking.judge_registries(asking.repositories(ruled.policies, hosts), registry, credentials, hosts)
