"""The operator's config file."""

import pytest

from argocd_provenance.config import (
    Cache,
    ClusterObjects,
    Config,
    Hook,
    ImageRow,
    Operations,
    Otel,
    Redis,
    Trust,
    load_config,
)
from argocd_provenance.errors import FileFaults
from argocd_provenance.oci.settings import HostSettings

HEAD = "apiVersion: argocd-provenance.io/v1alpha1\nkind: Config\n"
PINNED = "ghcr.io/acme/argocd-provenance@sha256:" + "1a" * 32


def config(body: str, head: str = HEAD) -> Config:
    """The config with that body, read from ``/etc/ap/config.yaml``."""
    return load_config("/etc/ap/config.yaml", head + body)


def faults(body: str, head: str = HEAD) -> tuple[str, ...]:
    """Its faults."""
    with pytest.raises(FileFaults) as caught:
        config(body, head)
    return caught.value.faults


class TestConfig:
    def test_the_first_step_is_a_config_without_policies(self) -> None:
        """``policies: []`` with ``unmatched: pin`` is legal, and everything else has a default."""
        found = config("policies: []\nunmatched: pin\n")

        assert found == Config("/etc/ap/config.yaml", unmatched="pin", templated="report")
        assert (found.suspects, found.allow_empty, found.deadline, found.hook) == ("report", False, 40.0, Hook())
        assert found.cache == Cache(None, 30.0, None, None)

    @pytest.mark.parametrize(("unmatched", "templated"), [("deny", "deny"), ("pin", "report"), ("allow", "report")])
    def test_templated_follows_unmatched(self, unmatched: str, templated: str) -> None:
        """Deny is the default where unmatched images are denied."""
        assert config(f"policies: []\nunmatched: {unmatched}\n").templated == templated
        assert config(f"policies: []\nunmatched: {unmatched}\ntemplated: deny\n").templated == "deny"

    def test_paths_are_relative_to_the_file(self) -> None:
        """And absolute ones stay."""
        found = config(
            "policies: [policies/, ../more.yaml, /abs]\n"
            "trust: [{name: internal, trustedRoot: trust/i.json}, {name: github, trustedRoot: g.json, requires: [timestamp]}]\n"
            "registries: [{host: R.Example, caFile: ca.pem, clientCert: c.pem, realm: auth.example, tls: true}]\n"
            "cache: {path: cache, tags: 1m, keyFile: /k, redis: {url: 'redis://r:6379', passwordFile: p}}\n"
        )

        assert found.policies == ("/etc/ap/policies", "/etc/more.yaml", "/abs")
        assert found.trust == (
            Trust("internal", "/etc/ap/trust/i.json"),
            Trust("github", "/etc/ap/g.json", frozenset({"timestamp"})),
        )
        assert found.registries == (
            HostSettings(
                "r.example", ca_file="/etc/ap/ca.pem", client_cert="/etc/ap/c.pem", realm="auth.example", tls=True
            ),
        )
        assert found.cache == Cache("/etc/ap/cache", 60.0, "/k", Redis("redis://r:6379", "/etc/ap/p"))

    def test_everything_else_is_read(self) -> None:
        """Hook, rows, remotes, registries."""
        found = config(
            "policies: []\n"
            f"hook: {{enabled: true, proof: true, image: '{PINNED}', pullSecret: s, rollout: 10m, injected: ['istio-*']}}\n"
            "images: [{apiVersion: 'example.com/*', kind: Engine, path: $.spec.image}]\n"
            "render: {remotes: ['https://charts.example.com/**']}\n"
            "registries: [{host: docker.io, mirror: 'http://127.0.0.1:5000', fallback: true}, {host: '*', mirror: 'https://m'}]\n"
            "suspects: deny\nallowEmpty: true\ndeadline: 50s\n"
        )

        assert found.hook == Hook(True, True, PINNED, "s", 600.0, ("istio-*",))
        assert found.images == (ImageRow("example.com/*", "Engine", "$.spec.image"),)
        assert found.remotes == ("https://charts.example.com/**",)
        assert found.registries[0] == HostSettings("docker.io", mirrors=("http://127.0.0.1:5000",), fallback=True)
        assert (found.suspects, found.allow_empty, found.deadline) == ("deny", True, 50.0)

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (
                "policies: []\nunmatched: alow\n",
                "config.yaml:4: unmatched: is 'alow'; it must be deny, pin or allow; did you mean allow?",
            ),
            ("polices: []\n", "config.yaml:3: polices: there is no such field; did you mean policies?"),
            ("polices: []\n", "config.yaml:1: policies is missing"),
            ("policies: [1]\n", "policies[0]: 1 is a number"),
            ("policies: []\ntrust: [{name: public-good, trustedRoot: a}]\n", "public-good is built in"),
            ("policies: []\ntrust: [{name: a, trustedRoot: a}, {name: a, trustedRoot: b}]\n", "a stands twice"),
            ("policies: []\ntrust: [{name: a, trustedRoot: a, requires: [sct]}]\n", "needs a proof of time"),
            ("policies: []\ntrust: [{name: a, trustedRoot: a, requires: []}]\n", "is an empty list"),
            ("policies: []\nregistries: [{host: '*'}]\n", 'host: "*" is only for a mirror without fallback'),
            ("policies: []\nregistries: [{host: '*', mirror: 'https://m', fallback: true}]\n", 'host: "*" is only for'),
            ("policies: []\nregistries: [{host: 'https://r'}]\n", "without https:// and path"),
            ("policies: []\nregistries: [{host: r, mirror: 'https://u:p@m'}]\n", "without a user and a query"),
            ("policies: []\nregistries: [{host: r, fallback: true}]\n", "means nothing without a mirror"),
            ("policies: []\nregistries: [{host: r, plainHttp: true, caFile: a}]\n", "keep one of the two"),
            ("policies: []\nregistries: [{host: r}, {host: R}]\n", "r stands twice"),
            ("policies: []\nregistries: [{host: r, realm: 'http://x'}]\n", "it must be a host, or an https URL"),
            ("policies: []\nimages: [{apiVersion: a, kind: b, path: spec.x}]\n", "a JSONPath begins with $"),
            ("policies: []\nhook: {enabled: true}\n", "is enabled without an image"),
            ("policies: []\nhook: {image: ghcr.io/a/b:v1}\n", "has no digest"),
            ("policies: []\nhook: {proof: true}\n", "is enabled without an image"),
            ("policies: []\nhook: {pullSecret: 'a/b'}\n", "it must be the name of a Secret"),
            ("policies: []\nhook: {injected: ['*']}\n", "it must be the name of a container"),
            ("policies: []\nhook: {rollout: 2h}\n", "must be from 1s to 1h"),
            ("policies: []\ndeadline: 0s\n", "it must be a number with its unit"),
            ("policies: []\ndeadline: 2h\n", "must be from 1s to 1h"),
            ("policies: []\ncache: {redis: {url: 'http://x'}}\n", "must be redis://"),
            ("policies: []\notel: {}\n", "otel: endpoint is missing"),
            ("policies: []\notel: {endpoint: 'https://o', header: a}\n", "did you mean headersFile?"),
            ("policies: []\notel: {endpoint: 'o:4318'}\n", "it must be a URL such as"),
            ("policies: []\notel: {endpoint: 'https://u:p@o'}\n", "without a user and a query"),
            ("policies: []\notel: {endpoint: 'https://o?token=x'}\n", "without a user and a query"),
            ("policies: []\notel: {endpoint: 'file:///o'}\n", "of a collector that speaks OTLP over HTTP"),
            ("policies: []\notel: {endpoint: 'http://o', headersFile: h}\n", "plain http carries no credentials"),
            ("policies: []\notel: {endpoint: 'http://o', caFile: c}\n", "goes with https"),
            ("policies: []\notel: {endpoint: 'http://127.0.0.1', clientCert: c}\n", "goes with https"),
            ("policies: []\notel: {endpoint: 'https://o', timeout: 1m}\n", "must be from 100ms to 10s"),
            ("policies: []\notel: {endpoint: 'https://o', signals: [logs]}\n", "it must be traces or metrics"),
            ("policies: []\notel: {endpoint: 'https://o', signals: []}\n", "is an empty list"),
            ("policies: []\n---\npolicies: []\n", "document 2: a config file holds one document"),
        ],
    )
    def test_a_fault_names_its_place_and_the_remedy(self, body: str, said: str) -> None:
        """``FILE:LINE: path: what is wrong and what is right``."""
        assert any(said in fault for fault in faults(body)), faults(body)

    def test_who_is_told_is_read(self) -> None:
        """Metrics, log and the collector; offline nobody is told who is not a file."""
        found = config(
            "policies: []\nmetrics: {file: runs.prom}\nlog: {file: /proc/1/fd/2}\n"
            "otel: {endpoint: 'https://otel.example/base/', headersFile: h, caFile: ca.pem, clientCert: c.pem, timeout: 500ms,\n"
            "  signals: [metrics, traces, metrics]}\n"
        )
        collector = Otel(
            "https://otel.example/base", "/etc/ap/h", "/etc/ap/ca.pem", "/etc/ap/c.pem", 0.5, ("metrics", "traces")
        )

        assert found.operations == Operations("/etc/ap/runs.prom", "/proc/1/fd/2", collector)
        assert found.without_network().operations == Operations("/etc/ap/runs.prom", "/proc/1/fd/2")
        least = config("policies: []\notel: {endpoint: 'http://127.0.0.1:4318', headersFile: h}\n").operations.otel
        assert least == Otel("http://127.0.0.1:4318", "/etc/ap/h", timeout=1.0, signals=("traces",))

    def test_what_stands_for_a_cluster_is_read(self) -> None:
        """Files beside the config, by the names that ClusterImagePolicies use, and how CUE is decided."""
        found = config(
            "policies: []\nclusterImagePolicy:\n"
            "  secrets: {cosign: keys/cosign.pub, team/cosign: /abs/cosign.pub}\n"
            "  configMaps: {rules/builder.cue: builder.cue}\n"
            "  kms: {'awskms:///alias/sign': aws.pub}\n"
            "  remotes: {'https://example.com/rule.cue': rule.cue}\n"
            "  cueMissing: allow\n  cue: bin/cue\n"
        )

        assert found.cluster == ClusterObjects(
            secrets={"cosign": "/etc/ap/keys/cosign.pub", "team/cosign": "/abs/cosign.pub"},
            config_maps={"rules/builder.cue": "/etc/ap/builder.cue"},
            kms={"awskms:///alias/sign": "/etc/ap/aws.pub"},
            remotes={"https://example.com/rule.cue": "/etc/ap/rule.cue"},
            cue_missing="allow",
            cue="/etc/ap/bin/cue",
        )
        assert config("policies: []\n").cluster == ClusterObjects({}, {}, {}, {}, "deny", None)

    @pytest.mark.parametrize("name", ["secrets", "configMaps", "kms", "remotes"])
    @pytest.mark.parametrize(
        ("written", "said"),
        [
            ("[a]", ": is a list; it must be a mapping"),
            ("a.pub", ": is a text; it must be a mapping"),
            ("{a: 1}", ".a: 1 is a number; put it in quotes if it is meant as text"),
            ("{a: ''}", ".a: is an empty text"),
            ("{a: {key: b}}", ".a: is a mapping; it must be a text"),
        ],
    )
    def test_files_for_a_cluster_are_named_by_text(self, name: str, written: str, said: str) -> None:
        """Each table maps a name to a path."""
        body = f"policies: []\nclusterImagePolicy:\n  {name}: {written}\n"

        assert faults(body) == (f"/etc/ap/config.yaml:5: clusterImagePolicy.{name}{said}",)

    @pytest.mark.parametrize(
        ("written", "said"),
        [
            ("cueMissing: yes", "cueMissing: is 'yes'; it must be deny or allow"),
            ("cueMissing: alow", "cueMissing: is 'alow'; it must be deny or allow; did you mean allow?"),
            ("cueMissing:", "cueMissing: is empty; it must be deny or allow"),
            ("cue: [cue]", "cue: is a list; it must be a text"),
            ("cue: true", "cue: true is a boolean; put it in quotes if it is meant as text"),
            ("secret: {}", "secret: there is no such field; did you mean secrets?"),
        ],
    )
    def test_how_cue_is_decided_is_one_of_two(self, written: str, said: str) -> None:
        """And the binary is named by its path; there are no other fields."""
        body = f"policies: []\nclusterImagePolicy:\n  {written}\n"

        assert faults(body) == (f"/etc/ap/config.yaml:5: clusterImagePolicy.{said}",)

    def test_an_empty_file_is_unusable(self) -> None:
        """So is one without apiVersion and kind."""
        assert faults("", "") == ("/etc/ap/config.yaml:1: the file is empty; an empty file decides nothing",)
        assert len(faults("policies: []\n", "")) == 2
