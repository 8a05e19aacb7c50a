"""What operators watch, by whole runs."""

import fcntl
import http.client
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

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

    def test_every_request_to_a_registry_is_counted_by_kind_and_result(self, tmp_path: Path) -> None:
        """As many as the registry saw; the log says how many."""
        source = {"web.yaml": pod("acme/web:v1"), "none.yaml": pod("acme/none:v1", name="none")}
        with shop(tmp_path, images=[WEB], source=source, config=CONFIG) as scenario:
            assert scenario.generate()[0] == 3
            seen = len(scenario.registry.requests)
            text = (scenario.folder / "runs.prom").read_text()
            said = json.loads((scenario.folder / "runs.jsonl").read_text())
        counted = {
            tuple(sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "argocd_provenance_registry_requests_total"
        }

        assert sum(counted.values()) == seen == said["requests"]
        assert counted["tag", "ok"] >= 1
        assert counted["tag", "absent"] >= 1
        assert counted["blob", "ok"] >= 1

    def test_a_process_that_stopped_while_it_counted_holds_nobody_up(self, tmp_path: Path) -> None:
        """After a moment the run goes on uncounted, and says so."""
        config = "metrics: {file: runs.prom}\n"
        with shop(tmp_path, images=[WEB], source={"web.yaml": pod("acme/web:v1")}, config=config) as scenario:
            with (scenario.folder / ".runs.prom.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                end = threading.Timer(30, fcntl.flock, (lock, fcntl.LOCK_UN))  # whoever waits so long counts, and fails
                end.start()
                code, manifests, report = scenario.generate()
                end.cancel()
            assert not (scenario.folder / "runs.prom").exists()

        assert code == 0
        assert "verified" in manifests
        assert (
            "note: metrics.file: FOLDER/runs.prom: another process keeps .runs.prom.lock; this run is not counted"
            in report
        )

    def test_a_pipe_in_the_place_of_the_metrics_holds_nobody_up(self, tmp_path: Path) -> None:
        """Reading it would never end."""
        config = "metrics: {file: runs.prom}\nlog: {file: runs.jsonl}\n"
        with shop(tmp_path, images=[WEB], source={"web.yaml": pod("acme/web:v1")}, config=config) as scenario:
            for name in ("runs.prom", "runs.jsonl"):
                os.mkfifo(scenario.folder / name)
            code, _, report = scenario.generate()

        assert code == 0
        assert "note: metrics.file: FOLDER/runs.prom: is no file" in report
        assert "note: log.file: FOLDER/runs.jsonl: " in report

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
