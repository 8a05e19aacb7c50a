"""Where images stand in kinds whose places the pod template does not tell.

A row names kinds and one JSONPath. Rows are tried on an object only when its apiVersion and kind match; the operator's
rows come behind the built-in ones and say the same things. jsonpath-ng is imported only for paths that are more than
names, ``[*]`` and ``..``.
"""

import fnmatch
import functools
from collections.abc import Iterator
from typing import Any, Final

from argocd_provenance.documents.values import Path
from argocd_provenance.records import dataclass, field
from argocd_provenance.regex import regex

_SIMPLE = regex(r"\$(?:\.\.?[A-Za-z_][A-Za-z0-9_]*(?:\[\*\])?|\.\*)+")
_STEP = regex(r"(\.\.?)([A-Za-z_][A-Za-z0-9_]*|\*)(\[\*\])?")

CORE: Final = frozenset(
    {
        ("v1", "Pod"),
        ("v1", "PodTemplate"),
        ("v1", "ReplicationController"),
        ("batch/v1", "Job"),
        ("batch/v1", "CronJob"),
        ("batch/v1beta1", "CronJob"),
        *(
            (f"apps/{v}", k)
            for v in ("v1", "v1beta1", "v1beta2")
            for k in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
        ),
        ("extensions/v1beta1", "Deployment"),
        ("extensions/v1beta1", "DaemonSet"),
        ("extensions/v1beta1", "ReplicaSet"),
    },
)


@dataclass(frozen=True, slots=True)
class Row:
    """`path` (a JSONPath) leads to images in objects whose apiVersion matches the glob and whose kind is `kind` (or any, if that is ``*``).

    Raises ValueError when the path is no JSONPath. An empty path marks a kind that keeps its images in pod templates.
    """

    api_version: str
    kind: str
    path: str
    parsed: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parsed", _steps(self.path))

    @property
    def word(self) -> str | None:
        """The key under which the path ends, if that can be told; scanning looks for it."""
        if not self.path:
            return "image"
        return self.parsed[-1][1] if isinstance(self.parsed, list) and self.parsed[-1][1] != "*" else None

    def covers(self, api_version: str, kind: str) -> bool:
        """Whether this row speaks about such objects."""
        return self.kind in (kind, "*") and fnmatch.fnmatchcase(api_version, self.api_version)

    def paths(self, data: Any) -> Iterator[Path]:
        """Where `path` leads in an object."""
        if isinstance(self.parsed, list):
            yield from _follow(data, (), self.parsed)
            return
        for match in self.parsed.find(data):
            yield _full_path(match)


@functools.cache  # many rows have the same path
def _steps(path: str) -> Any:
    if not path or _SIMPLE.fullmatch(path):
        return [match.groups() for match in _STEP.finditer(path)]
    from jsonpath_ng.exceptions import JSONPathError  # noqa: PLC0415  nobody else needs it
    from jsonpath_ng.ext import parse  # noqa: PLC0415

    try:
        return parse(path)
    except (JSONPathError, AttributeError, TypeError) as error:
        raise ValueError(f"not a JSONPath: {path!r}: {error}") from error


def _follow(data: Any, at: Path, steps: list[tuple[str, str, str | None]]) -> Iterator[Path]:
    if not steps:
        # A row without a path is a mark, not a place.
        if at:
            yield at
        return
    (deep, name, each), rest = steps[0], steps[1:]
    if deep == "..":
        children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
        for key, child in children:
            yield from _follow(child, (*at, key), steps)
    if not isinstance(data, dict):
        return
    for key in data if name == "*" else (name,) if name in data else ():
        value = data[key]
        if not each:
            yield from _follow(value, (*at, key), rest)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from _follow(item, (*at, key, index), rest)


def _full_path(match: Any) -> Path:
    steps: list[str | int] = []
    while match.context is not None:
        step = match.path
        if hasattr(step, "fields"):
            steps.append(step.fields[0])
        elif hasattr(step, "indices"):
            steps.append(step.indices[0])
        else:
            steps.append(step.index)
        match = match.context
    return tuple(reversed(steps))


def _rows(api_version: str, kinds: str, *paths: str) -> list[Row]:
    return [Row(api_version, kind, path) for kind in kinds.split() for path in paths]


BUILT_IN: Final[tuple[Row, ...]] = (
    # Argo Workflows, Events: https://argo-workflows.readthedocs.io/en/latest/fields/
    *_rows(
        "argoproj.io/*",
        "Workflow CronWorkflow WorkflowTemplate ClusterWorkflowTemplate WorkflowEventBinding Sensor EventSource",
        "$..container.image",
        "$..script.image",
        "$..sidecars[*].image",
    ),
    # Argo Rollouts keep pod templates.
    *_rows("argoproj.io/*", "Rollout Experiment AnalysisTemplate ClusterAnalysisTemplate AnalysisRun", ""),
    # Tekton: https://tekton.dev/docs/pipelines/pipeline-api/
    *_rows("tekton.dev/*", "*", "$..steps[*].image", "$..sidecars[*].image", "$..stepTemplate.image"),
    *_rows("tekton.dev/*", "StepAction", "$.spec.image"),
    *_rows("triggers.tekton.dev/*", "*", "$..steps[*].image", "$..sidecars[*].image", "$..stepTemplate.image"),
    # Knative
    *_rows("serving.knative.dev/*", "*", ""),
    *_rows("sources.knative.dev/*", "*", ""),
    *_rows("caching.internal.knative.dev/*", "Image", "$.spec.image"),
    # Prometheus operator: https://prometheus-operator.dev/docs/api-reference/api/
    *_rows("monitoring.coreos.com/*", "Prometheus PrometheusAgent Alertmanager ThanosRuler", "$.spec.image"),
    *_rows("monitoring.coreos.com/*", "Prometheus", "$.spec.thanos.image"),
    *_rows("keda.sh/*", "ScaledJob", ""),
    *_rows("opentelemetry.io/*", "OpenTelemetryCollector TargetAllocator OpAMPBridge", "$.spec.image"),
    *_rows("opentelemetry.io/*", "OpenTelemetryCollector", "$.spec.targetAllocator.image"),
    *_rows("opentelemetry.io/*", "Instrumentation", "$.spec.*.image"),
    # Elastic Cloud on Kubernetes
    *_rows("*.k8s.elastic.co/*", "*", "$.spec.image"),
    *_rows("postgresql.cnpg.io/*", "Cluster", "$.spec.imageName"),
    *_rows("postgresql.cnpg.io/*", "ImageCatalog ClusterImageCatalog", "$.spec.images[*].image"),
    *_rows("postgresql.cnpg.io/*", "Pooler", ""),
    *_rows("acid.zalan.do/*", "postgresql", "$.spec.dockerImage"),
    *_rows(
        "postgres-operator.crunchydata.com/*",
        "PostgresCluster PGAdmin PGUpgrade",
        "$.spec.image",
        "$.spec.backups.pgbackrest.image",
        "$.spec.proxy.pgBouncer.image",
    ),
    # Strimzi; the image that KafkaConnect's `build.output` names is pushed, not run.
    *_rows(
        "kafka.strimzi.io/*",
        "Kafka",
        "$.spec.kafka.image",
        "$.spec.zookeeper.image",
        "$.spec.entityOperator.topicOperator.image",
        "$.spec.entityOperator.userOperator.image",
        "$.spec.cruiseControl.image",
        "$.spec.kafkaExporter.image",
    ),
    *_rows("kafka.strimzi.io/*", "KafkaConnect KafkaBridge KafkaMirrorMaker KafkaMirrorMaker2", "$.spec.image"),
    *_rows("rabbitmq.com/*", "RabbitmqCluster", "$.spec.image"),
    *_rows("jaegertracing.io/*", "Jaeger", "$.spec.*.image"),
    *_rows(
        "sparkoperator.k8s.io/*",
        "SparkApplication ScheduledSparkApplication",
        "$..driver.image",
        "$..executor.image",
        "$.spec.image",
        "$.spec.template.image",
    ),
    # Packages of Crossplane and OLM run as Deployments made from the image.
    *_rows("pkg.crossplane.io/*", "Provider Function Configuration", "$.spec.package"),
    *_rows("operators.coreos.com/*", "CatalogSource", "$.spec.image"),
    *_rows("operators.coreos.com/*", "ClusterServiceVersion", "$.spec.relatedImages[*].image"),
)
WORDS: Final = frozenset({"image", "reference", *(row.word for row in BUILT_IN if row.word)})
