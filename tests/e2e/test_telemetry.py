"""A collector of OpenTelemetry is told of runs, and can do nothing to them."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from argocd_provenance.cli.operations import Watch
from argocd_provenance.config import Config, Operations, Otel
from argocd_provenance.report.model import Report
from support.certificates import Authority
from support.otlp import Answer, Told, attributes, collector
from support.scenario import Scenario
from support.shop import API, WEB, pod, shop

ROOT = Path(__file__).resolve().parents[2]
LINE: list[str] = yaml.safe_load((ROOT / "argocd" / "plugin.yaml").read_text())["spec"]["generate"]["command"]
SECRET = "correct-horse-battery-staple"
SOURCE = {"web.yaml": pod("acme/web:v1")}


@pytest.fixture
def told() -> Iterator[Told]:
    """A collector that takes everything."""
    with collector() as told:
        yield told


def config(told: Told, more: str = ", timeout: 10s") -> str:
    """A config that names the collector, and leaves a busy machine time for it."""
    return f"otel: {{endpoint: '{told.url}'{more}}}\n"


def plugin(scenario: Scenario, *blocked: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The plugin's own line in the scenario's source; modules that are `blocked` are not installed."""
    command = [sys.executable, *LINE[1:]]
    if blocked:
        program = (
            f"import sys; sys.modules |= dict.fromkeys({blocked!r})\nfrom argocd_provenance.cli import main; main()"
        )
        command = [sys.executable, "-I", "-c", program, *LINE[LINE.index("generate") :]]
    known = {"PATH": os.environ["PATH"], "ARGOCD_PROVENANCE_CONFIG": str(scenario.folder / "config.yaml")}
    return subprocess.run(
        command, cwd=scenario.folder / "source", env={**known, "ARGOCD_APP_NAME": "shop", **environment},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


class TestTraces:
    def test_a_run_is_one_trace_of_its_stages_and_images(self, tmp_path: Path, told: Told) -> None:
        """By the plugin's own line: when each was done, below whom, and what came of it."""
        source = {**SOURCE, "api.yaml": pod("acme/api:v1", name="api")}
        with shop(tmp_path, images=[WEB, API], source=source, config=config(told)) as scenario:
            done = plugin(scenario)
            host, asked = scenario.registry.host, len(scenario.registry.requests)

        assert (done.returncode, "note" in done.stderr) == (4, False)
        (request,) = told.requests
        assert (request.method, request.path) == ("POST", "/v1/traces")
        assert request.headers["Content-Type"] == "application/x-protobuf"
        whole, *rest = told.spans
        stages = {span.name: span for span in rest if span.name != "image"}
        images = {attributes(span)["argocd_provenance.reference"]: span for span in rest if span.name == "image"}
        assert list(stages) == ["config", "turn", "charts", "render", "read", "decide", "emit"]
        assert attributes(whole) == {
            "argocd.application": "shop",
            "argocd_provenance.verdict": "denied",
            "argocd_provenance.exit_code": 4,
            "argocd_provenance.codes": [],
            "argocd_provenance.images": 2,
            "argocd_provenance.cache.hits": 0,
            "argocd_provenance.cache.misses": 0,
            "argocd_provenance.registry.requests": asked,
        }
        good, bad = images[f"{host}/acme/web:v1"], images[f"{host}/acme/api:v1"]
        assert attributes(good)["argocd_provenance.verdict"] == "allowed"
        assert attributes(good)["argocd_provenance.digest"].startswith("sha256:")
        assert attributes(bad)["argocd_provenance.codes"] == ["unsigned"]
        assert [span.status.code for span in (whole, good, bad)] == [2, 0, 2]
        assert {span.trace_id for span in rest} == {whole.trace_id}
        assert whole.parent_span_id == b""
        assert {span.parent_span_id for span in stages.values()} == {whole.span_id}
        assert {span.parent_span_id for span in images.values()} == {stages["decide"].span_id}
        assert len({span.span_id for span in told.spans}) == len(told.spans)

    def test_the_times_are_those_of_the_run(self, tmp_path: Path, told: Told) -> None:
        """Stages follow each other without a gap inside the whole, images lie within the decision and take time."""
        with shop(tmp_path, images=[WEB], source=SOURCE, config=config(told)) as scenario:
            assert scenario.generate()[0] == 0
        whole, *rest = told.spans
        stages = [span for span in rest if span.name != "image"]
        (image,) = [span for span in rest if span.name == "image"]
        (decide,) = [span for span in stages if span.name == "decide"]
        edges = [(span.start_time_unix_nano, span.end_time_unix_nano) for span in stages]

        assert [end for _, end in edges[:-1]] == [begin for begin, _ in edges[1:]]
        assert whole.start_time_unix_nano <= edges[0][0]
        assert edges[-1][1] == whole.end_time_unix_nano
        assert decide.start_time_unix_nano < image.start_time_unix_nano < image.end_time_unix_nano
        assert image.end_time_unix_nano < decide.end_time_unix_nano

    def test_a_run_that_could_not_decide_is_told_with_its_code(self, tmp_path: Path, told: Told) -> None:
        """The stage in which it ended is the last."""
        with shop(tmp_path, source={"empty.yaml": ""}, config=config(told)) as scenario:
            assert scenario.generate()[0] == 3

        assert attributes(told.spans[0])["argocd_provenance.codes"] == ["empty-render"]
        assert told.spans[-1].name == "read"

    def test_who_tells_is_named(self, tmp_path: Path, told: Told) -> None:
        """Program, version and host: which of the replicas."""
        with shop(tmp_path, images=[WEB], source=SOURCE, config=config(told)) as scenario:
            scenario.generate()

        assert told.resource == {
            "service.name": "argocd-provenance",
            "service.version": told.resource["service.version"],
            "host.name": socket.gethostname(),
        }


class TestMetrics:
    def test_what_a_run_adds_to_counters_is_sent_as_a_delta(self, tmp_path: Path, told: Told) -> None:
        """On request, with the names and labels of the metrics' file; a process that ends knows no sums."""
        source = {**SOURCE, "api.yaml": pod("acme/api:v1", name="api")}
        more = ", timeout: 10s, signals: [metrics]"
        with shop(tmp_path, images=[WEB, API], source=source, config=config(told, more)) as scenario:
            assert scenario.generate()[0] == 4
            asked = len(scenario.registry.requests)
        counters = {
            name.removeprefix("argocd_provenance_"): {
                tuple(attributes(point).values()): point.as_int for point in metric.sum.data_points
            }
            for name, metric in told.metrics.items()
            if metric.HasField("sum")
        }
        took = told.metrics["argocd_provenance_run_seconds"].histogram

        assert told.spans == []
        assert counters["runs"] == {("denied",): 1}
        assert counters["images"] == {("allowed",): 1, ("denied",): 1}
        assert counters["findings"] == {("unsigned",): 1}
        assert sum(counters["registry_requests"].values()) == asked
        assert all(m.sum.is_monotonic for m in told.metrics.values() if m.HasField("sum"))
        assert {m.sum.aggregation_temporality or took.aggregation_temporality for m in told.metrics.values()} == {1}
        (point,) = took.data_points
        assert sum(point.bucket_counts) == point.count == 1
        assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
        within = [point.sum <= bound for bound in point.explicit_bounds] + [True]
        assert point.bucket_counts[within.index(True)] == 1
        assert 0 < point.start_time_unix_nano < point.time_unix_nano

    def test_both_are_sent_where_both_are_wanted(self, tmp_path: Path, told: Told) -> None:
        """One request each."""
        more = ", timeout: 10s, signals: [traces, metrics]"
        with shop(tmp_path, images=[WEB], source=SOURCE, config=config(told, more)) as scenario:
            assert "note" not in scenario.generate()[2]

        assert [request.path for request in told.requests] == ["/v1/traces", "/v1/metrics"]


class TestSecrets:
    def test_nothing_that_others_wrote_is_sent(self, tmp_path: Path, told: Told) -> None:
        """No message, no text that only stands where an image should, no credential; the headers go to the collector alone."""
        (tmp_path / "headers").write_text(f"# for the team's own\nX-Team: acme\nAuthorization: Bearer {SECRET}\n")
        (tmp_path / "password").write_text(f"password-{SECRET}")
        source = {
            **SOURCE,
            "hidden.yaml": f"apiVersion: v1\nkind: Pod\nmetadata: {{name: odd}}\nspec: {{containers: [{{name: a, image: 'https://u:text-{SECRET}@r/x?token=1'}}]}}\n",
        }
        more = f", timeout: 10s, headersFile: {tmp_path / 'headers'}"
        with shop(tmp_path, images=[WEB], source=source, config=config(told, more)) as scenario:
            host = scenario.registry.host
            text = (scenario.folder / "config.yaml").read_text()
            named = f'{{host: "{host}", username: me, passwordFile: {tmp_path / "password"}}}'
            (scenario.folder / "config.yaml").write_text(text.replace(f'{{host: "{host}"}}', named))
            done = plugin(scenario, SOME_TOKEN=SECRET)

        assert (done.returncode, "note" in done.stderr) == (3, False)
        (request,) = told.requests
        assert request.headers["Authorization"] == f"Bearer {SECRET}"
        assert request.headers["X-Team"] == "acme"
        assert SECRET.encode() not in request.body
        assert [
            attributes(span).get("argocd_provenance.codes")
            for span in told.spans
            if span.name == "image" and "argocd_provenance.reference" not in attributes(span)
        ] == [["invalid-reference"]]

    @pytest.mark.parametrize(
        ("headers", "said"),
        [
            (f"Authorization {SECRET}", ":1: is not `Name: value`"),
            (f"Fine: yes\nX: {SECRET}\x01", ":2: is not `Name: value`"),
            (f"Host: {SECRET}", ":1: Host is not yours to set; remove the line"),
            (f"content-length: {SECRET}", ":1: content-length is not yours to set"),
            (None, "No such file or directory"),
        ],
    )
    def test_headers_that_cannot_be_sent_send_nothing_and_are_not_told(
        self, tmp_path: Path, told: Told, headers: str | None, said: str
    ) -> None:
        """The note names the line, and quotes nothing of it."""
        if headers is not None:
            (tmp_path / "headers").write_text(headers)
        more = f", timeout: 10s, headersFile: {tmp_path / 'headers'}"
        with shop(tmp_path, images=[WEB], source=SOURCE, config=config(told, more)) as scenario:
            code, _, report = scenario.generate()

        assert (code, told.requests) == (0, [])
        assert f" note: otel: headersFile: {tmp_path / 'headers'}" in report
        assert said in report
        assert SECRET not in report

    def test_a_redirect_is_not_followed(self, tmp_path: Path) -> None:
        """The headers are the collector's, and so is what is said."""
        (tmp_path / "headers").write_text(f"Authorization: Bearer {SECRET}\n")
        with collector(host="127.0.0.2") as elsewhere:
            answer: Answer = (307, {"Location": f"{elsewhere.url}/v1/traces"}, b"")
            with collector(answer) as told:
                more = f", timeout: 10s, headersFile: {tmp_path / 'headers'}"
                with shop(tmp_path, images=[WEB], source=SOURCE, config=config(told, more)) as scenario:
                    code, _, report = scenario.generate()

        assert (code, len(told.requests), elsewhere.requests) == (0, 1, [])
        assert f"note: otel: {told.url}/v1/traces: answers 307" in report


class TestTls:
    def test_a_private_authority_and_our_certificate_are_named_in_the_config(self, tmp_path: Path) -> None:
        """Mutual TLS, as in a mesh of one's own."""
        authority = Authority(tmp_path)
        tls = authority.server("127.0.0.1", client_ca=authority.ca)
        ours = authority.issue("sidecar.test", client=True)
        with collector(tls=tls) as told:
            more = f", timeout: 10s, caFile: {authority.ca}, clientCert: {ours}"
            with shop(tmp_path, images=[WEB], source=SOURCE, config=config(told, more)) as scenario:
                assert "note" not in scenario.generate()[2]

        assert len(told.requests) == 1

    @pytest.mark.parametrize("other", ["", "other"])
    def test_a_collector_that_nobody_vouches_for_is_told_nothing(self, tmp_path: Path, other: str) -> None:
        """By an unknown authority, or by another than the one that is named; no header reaches it."""
        (tmp_path / "headers").write_text(f"Authorization: Bearer {SECRET}\n")
        authority = Authority(tmp_path)
        more = f", timeout: 10s, headersFile: {tmp_path / 'headers'}"
        more += f", caFile: {Authority(tmp_path, other).ca}" if other else ""
        with (
            collector(tls=authority.server("127.0.0.1")) as told,
            shop(tmp_path, images=[WEB], source=SOURCE, config=config(told, more)) as scenario,
        ):
            code, _, report = scenario.generate()

        assert (code, told.requests) == (0, [])
        assert f" note: otel: {told.url}/v1/traces: TLS: " in report

    def test_files_that_cannot_be_used_are_named(self, tmp_path: Path) -> None:
        """As otel's, not as a registry's."""
        with collector() as plain:
            told = Told(plain.url.replace("http:", "https:"))
            more = f", timeout: 10s, caFile: {tmp_path / 'none.pem'}"
            with shop(tmp_path, images=[WEB], source=SOURCE, config=config(told, more)) as scenario:
                code, _, report = scenario.generate()

        assert code == 0
        assert f" note: otel: caFile: {tmp_path / 'none.pem'}: No such file or directory\n" in report


class TestNothingIsLost:
    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            ((503, {"Retry-After": "60"}, SECRET.encode()), "answers 503"),
            ((500, {}, SECRET.encode()), "answers 500"),
            ((401, {"WWW-Authenticate": "Basic"}, SECRET.encode()), "answers 401"),
            ((200, {}, b"\xff" * 100 + SECRET.encode()), "answers what is not OTLP"),
            ((200, {}, b"\n\x04\x08\x03\x12\x00"), "3 were not taken"),
            ((200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"), "sends a compressed body that nobody asked for"),
            ((200, {"Content-Length": "99999999"}, b""), "sends more than 65536 bytes"),
        ],
    )
    def test_whatever_a_collector_answers_costs_one_line(self, tmp_path: Path, answer: Answer, said: str) -> None:
        """Asked once; nothing that it says is repeated; the manifests are the same."""
        with (
            collector(answer) as told,
            shop(tmp_path, images=[WEB], source=SOURCE, config=config(told)) as scenario,
        ):
            code, manifests, report = scenario.generate()

        assert (code, len(told.requests)) == (0, 1)
        assert "verified" in manifests
        assert report.count(" note: ") == 1
        assert f" note: otel: {told.url}/v1/traces: {said}" in report
        assert SECRET not in report

    def test_a_dead_collector_costs_one_line(self, tmp_path: Path) -> None:
        """Nobody listens."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            told = Told(f"http://127.0.0.1:{taken.getsockname()[1]}")
            with shop(tmp_path, images=[WEB], source=SOURCE, config=config(told)) as scenario:
                done = plugin(scenario)

        assert (done.returncode, "verified" in done.stdout) == (0, True)
        assert f" note: otel: {told.url}/v1/traces: Connection refused\n" in done.stderr

    def test_a_collector_that_does_not_answer_delays_no_byte_and_is_left_in_time(self, tmp_path: Path) -> None:
        """The manifests are read to their end, and the report, while it is still being told; then the run ends by itself."""
        with (
            collector(silent=True) as told,
            shop(
                tmp_path, images=[WEB], source=SOURCE, config=config(told, ", timeout: 1s") + "deadline: 9s\n"
            ) as scenario,
        ):
            done = plugin(scenario)

        assert (done.returncode, "verified" in done.stdout) == (0, True)
        assert len(told.requests) == 1
        assert done.stderr.splitlines()[0].startswith("image policy: 1 image verified")
        assert re.search(r"\n note: otel: .*\b(limit of|within) 1 s\b.*\n$", done.stderr)

    def test_a_run_waits_no_longer_than_it_may(self, capsys: pytest.CaptureFixture[str]) -> None:
        """As long as the config says."""
        with collector(silent=True) as told:
            watch = Watch()
            watch.told(Config("-", deadline=5, operations=Operations(otel=Otel(told.url, timeout=0.25))))
            watch.record(Report())

        assert re.search(r"^ note: otel: .*\b(limit of|within) 0\.25 s\b", capsys.readouterr().err)

    def test_a_run_whose_time_is_over_tells_nobody(self, told: Told, capsys: pytest.CaptureFixture[str]) -> None:
        """A collector may take of the run's time what is left of it."""
        watch = Watch()
        watch.told(Config("-", deadline=40, operations=Operations(otel=Otel(told.url, timeout=10))))
        watch.moments.began -= 40
        watch.record(Report())

        assert told.requests == []
        assert capsys.readouterr().err == " note: otel: not told, for the run has no time left\n"

    def test_without_the_extra_it_is_refused_by_name(self, tmp_path: Path, told: Told) -> None:
        """What to install; the images are judged all the same."""
        with shop(tmp_path, images=[WEB], source=SOURCE, config=config(told)) as scenario:
            done = plugin(scenario, "opentelemetry")

        assert (done.returncode, "verified" in done.stdout, told.requests) == (0, True, [])
        assert (
            " note: otel: the Python package opentelemetry-proto is not installed; install argocd-provenance[otel]\n"
            in done.stderr
        )


class TestOnlyTheConfigDecides:
    def test_the_environment_changes_nothing(self, tmp_path: Path, told: Told) -> None:
        """No variable of OpenTelemetry, and no proxy, for a collector on this machine is never asked through another."""
        with (
            collector() as other,
            shop(tmp_path, images=[WEB], source=SOURCE, config=config(told)) as scenario,
        ):
            environment = {
                "OTEL_SDK_DISABLED": "true",
                "OTEL_SERVICE_NAME": SECRET,
                "OTEL_RESOURCE_ATTRIBUTES": f"team={SECRET}",
                "OTEL_EXPORTER_OTLP_ENDPOINT": other.url,
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": other.url,
                "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={SECRET}",
                "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
                "OTEL_TRACES_SAMPLER": "always_off",
                "OTEL_TRACES_EXPORTER": "none",
                "OTEL_PROPAGATORS": "none",
                "OTEL_PYTHON_CONTEXT": SECRET,
                "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process,os,host",
                "TRACEPARENT": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
                "http_proxy": other.url,
                "HTTP_PROXY": other.url,
                "ALL_PROXY": other.url,
            }
            done = plugin(scenario, **environment)
            alone = plugin(scenario)

        assert (done.returncode, done.stdout, done.stderr) == (alone.returncode, alone.stdout, alone.stderr)
        assert other.requests == []
        changed, usual = told.requests
        assert changed.headers == usual.headers | {"Content-Length": changed.headers["Content-Length"]}
        assert SECRET.encode() not in changed.raw()
        half = len(told.spans) // 2
        assert [span.name for span in told.spans[:half]] == [span.name for span in told.spans[half:]]
        assert told.spans[0].trace_id != bytes.fromhex("0123456789abcdef0123456789abcdef")

    def test_a_collector_elsewhere_is_asked_through_the_proxy_of_registries(self, tmp_path: Path, told: Told) -> None:
        """One rule for all that leaves; NO_PROXY counts, too."""
        elsewhere = Told("http://collector.test:4318")
        with shop(tmp_path, images=[WEB], source=SOURCE, config=config(elsewhere)) as scenario:
            proxied = plugin(scenario, http_proxy=told.url)
            direct = plugin(scenario, http_proxy=told.url, no_proxy=".test")

        assert "note" not in proxied.stderr
        assert [request.path for request in told.requests] == ["http://collector.test:4318/v1/traces"]
        assert "note: otel: http://collector.test:4318/v1/traces: the name is unknown" in direct.stderr

    def test_the_environment_alone_sends_nothing(self, tmp_path: Path, told: Told) -> None:
        """Who sets variables is not who decides what leaves."""
        with shop(tmp_path, images=[WEB], source=SOURCE) as scenario:
            done = plugin(scenario, OTEL_EXPORTER_OTLP_ENDPOINT=told.url, OTEL_TRACES_EXPORTER="otlp")

        assert (done.returncode, told.requests) == (0, [])

    def test_offline_nobody_is_told(self, tmp_path: Path, told: Told) -> None:
        """Not one packet leaves."""
        with shop(tmp_path, images=[WEB], source=SOURCE, config=config(told)) as scenario:
            code, _, report = scenario.generate("--offline")

        assert (code, told.requests, "otel" in report) == (3, [], False)

    def test_it_is_imported_after_the_answer_and_only_where_it_is_configured(self, tmp_path: Path, told: Told) -> None:
        """Whoever does not use it does not pay for it, and nobody waits for it."""
        with shop(tmp_path, images=[WEB], source=SOURCE, config=config(told)) as scenario:
            program = (
                "import sys; from argocd_provenance.cli import main, streams\n"
                "before = streams.write_report\n"
                "def write_report(*given, **named):\n"
                "    before(*given, **named)\n"
                "    print('early', [name for name in sys.modules if 'telemetry' in name], file=sys.stderr, flush=True)\n"
                "streams.write_report = write_report\n"
                "main()"
            )
            known = {"PATH": os.environ["PATH"], "ARGOCD_PROVENANCE_CONFIG": str(scenario.folder / "config.yaml")}
            done = subprocess.run(
                [sys.executable, "-I", "-c", program, "generate", "."], cwd=scenario.folder / "source", env=known,
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip

        assert "early []\n" in done.stderr
        assert len(told.requests) == 1
