"""What `generate` does with its streams: manifests to one, the report to the other."""

import os
import sys
from pathlib import Path

from argocd_provenance.cli import gate, streams
from argocd_provenance.cli.operations import Watch
from argocd_provenance.errors import Error, OperatorError
from argocd_provenance.report.model import stopped


def generate(
    source: str,
    config: Path | None = None,
    output: str = "text",
    report_file: Path | None = None,
    *,
    explain: bool = False,
    offline: bool = False,
) -> int:
    """Print manifests, or nothing, and the report; return the exit code. Raises `OperatorError`."""
    progress, watch = streams.Progress(), Watch()
    manifests = None
    try:
        versions = output == "json" or report_file is not None
        manifests, report = gate.generate(
            source, sys.stdin.buffer, config, os.environ, progress, watch, offline=offline, versions=versions
        )
    except OperatorError:
        raise
    except Error as error:
        report = stopped(error, os.environ.get("ARGOCD_APP_NAME", ""))
    if report_file is not None:
        streams.write_file(report_file, streams.rendered(report, "json"))
    if manifests is not None and report.exit_code == 0:
        streams.write_output(manifests)
    streams.write_report(report, output, explain=explain)
    watch.record(report)
    return report.exit_code
