"""What operators watch, by whole runs."""

import http.client
import json
import multiprocessing
import os
import socket
import subprocess
import sys
from pathlib import Path

from argocd_provenance.cli.operations import Watch
from argocd_provenance.config import Operations
from argocd_provenance.report.model import Report
from support.shop import API, WEB, pod, shop

CONFIG = "metrics: {file: runs.prom}\nlog: {file: runs.jsonl}\n"


def _record(path: Path) -> None:
    watch = Watch()
    watch.wanted = Operations(metrics=str(path))
    watch.record(Report())


class TestOperations:
    def test_a_run_is_counted_and_logged_once_its_answer_is_out(self, tmp_path: Path) -> None:
        """Refused runs too."""
        source = {"web.yaml": pod("acme/web:v1"), "api.yaml": pod("acme/api:v1", name="api")}
        with shop(tmp_path, images=[WEB, API], source=source, config=CONFIG) as scenario:
            assert scenario.generate()[0] == 4
            assert scenario.generate()[0] == 4
            text = (scenario.folder / "runs.prom").read_text()
            lines = (scenario.folder / "runs.jsonl").read_text().splitlines()

        assert 'argocd_provenance_runs_total{verdict="denied"} 2\n' in text
        assert 'argocd_provenance_images_total{verdict="allowed"} 2\n' in text
        assert [json.loads(line)["verdict"] for line in lines] == ["denied", "denied"]

    def test_where_it_cannot_be_written_the_answer_is_the_same(self, tmp_path: Path) -> None:
        """A line on standard error says so."""
        config = "metrics: {file: nowhere/runs.prom}\nlog: {file: policy.yaml/log}\n"
        with shop(tmp_path, images=[WEB], source={"web.yaml": pod("acme/web:v1")}, config=config) as scenario:
            code, manifests, report = scenario.generate()

        assert code == 0
        assert "verified" in manifests
        assert "note: metrics.file" in report
        assert "note: log.file" in report

    def test_processes_that_count_at_once_lose_no_run(self, tmp_path: Path) -> None:
        """One adds after the other."""
        path = tmp_path / "runs.prom"
        with multiprocessing.get_context("fork").Pool(4) as pool:
            pool.map(_record, [path] * 40, chunksize=1)

        assert 'argocd_provenance_runs_total{verdict="allowed"} 40\n' in path.read_text()

    def test_a_resident_process_shows_the_metrics(self, tmp_path: Path) -> None:
        """Under /metrics, and nothing else."""
        (tmp_path / "own").mkdir(mode=0o700)
        (tmp_path / "runs.prom").write_text("argocd_provenance_x 1\n")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-I", "-m", "argocd_provenance", "serve", "--socket", str(tmp_path / "own" / "socket"),
                   "--metrics", f"127.0.0.1:{port}", "--metrics-file", str(tmp_path / "runs.prom")]  # fmt: skip
        process = subprocess.Popen(command, env={"PATH": os.environ["PATH"]})
        try:
            while process.poll() is None:
                try:
                    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                    connection.request("GET", "/metrics")
                    break
                except OSError:
                    continue
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"argocd_provenance_x 1\n")
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/../etc/passwd")
            assert connection.getresponse().status == 404
        finally:
            process.terminate()
            process.wait(10)
