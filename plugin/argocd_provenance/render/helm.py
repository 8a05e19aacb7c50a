"""Charts, by ``helm template`` as Argo CD calls it (``util/helm/cmd.go``, template; hooks are kept, CRDs included).

The law: helm reads the chart folder and what we pass, and fetches nothing: what is missing in ``charts/`` we bring.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.regex import regex
from argocd_provenance.render import privatecopy, process
from argocd_provenance.render.charts import needed
from argocd_provenance.render.process import Program, run
from argocd_provenance.render.schemas import check_schemas
from argocd_provenance.render.settings import Settings
from argocd_provenance.render.substitution import substitute
from argocd_provenance.render.temporary import temporary
from argocd_provenance.render.valuefiles import parameter_file, value_files

PROGRAM = Program("helm", "4.2.4")
_VALUES_LIMIT = 1024 * 1024
_HOMES = (
    "CACHE_HOME",
    "CONFIG_HOME",
    "DATA_HOME",
    "PLUGINS",
    "REGISTRY_CONFIG",
    "REPOSITORY_CACHE",
    "REPOSITORY_CONFIG",
)
# k8s.io/apimachinery/pkg/util/version, ParseGeneric: what follows the numbers is not looked at.
_VERSION = regex(r"\s*v?([0-9]+(?:\.[0-9]+)+)")

NAMELESS = "release-name"


@contextlib.contextmanager
def started(
    source: Path, root: Path, settings: Settings, deadline: Deadline
) -> Iterator[Callable[[], Sequence[tuple[str, str]]]]:
    """Start ``helm template`` of the chart in `source`; what is given returns what it printed. Both raise `RenderError`."""
    check_schemas(source)
    program = PROGRAM.find(settings.search_path)
    with temporary() as made:
        if missing := needed(source):
            from argocd_provenance.render.dependencies import bring

            place = privatecopy.copy(root, made, deadline)
            source, root = place / source.relative_to(root), place
            bring(missing, source, root, settings.remotes, partial(_package, program, root, deadline), deadline)
            check_schemas(source)
        given = arguments(settings, *_files(source, root, settings, made))
        with process.started([program, *given], source, environment, (source, root, made), deadline) as printed:
            yield lambda: [("helm template", printed())]


def references(source: Path) -> tuple[str, ...]:
    """The charts in registries that a render of `source` fetches: to be judged before. Raises `RenderError`."""
    check_schemas(source)
    return tuple(one.reference for one in needed(source) if one.reference)


def _package(program: str, root: Path, deadline: Deadline, chart: Path, folder: Path) -> None:
    command = [program, "package", str(chart), "--destination", str(folder)]
    run(command, chart, environment, (root,), deadline, writable=(folder,))


def _files(source: Path, root: Path, settings: Settings, made: Path) -> tuple[list[Path], dict[str, Path]]:
    """The values files, and the file of each file parameter; what stands in parameters itself is written to `made`."""
    fetched: dict[str, Path] = {}

    def fetch(address: str) -> Path:
        content = settings.remotes.file(address, _VALUES_LIMIT)
        fetched.setdefault(address, made / f"fetched-{len(fetched)}").write_bytes(content)
        return fetched[address]

    values = value_files(source, root, settings, fetch)
    if settings.helm.values:
        inline = made / "values.yaml"
        inline.write_text(settings.helm.values, encoding="utf-8")
        values.append(inline)
    parameters = settings.helm.file_parameters
    return values, {name: parameter_file(parameters[name], source, root, settings, fetch) for name in parameters}


def arguments(settings: Settings, values: Sequence[Path] = (), files: Mapping[str, Path] | None = None) -> list[str]:
    """The arguments for helm, in Argo CD's order; parameters, whose order there is random, by name."""
    chart = settings.helm
    # Outside of Argo CD's own namespace an Application is called <namespace>_<name>, which is no release name.
    # A person who runs us by hand names no Application; then it is what helm itself calls a release without a name.
    name = chart.release_name or settings.name.rpartition("_")[2] or NAMELESS
    given = ["template", ".", "--name-template", name]
    given += _flag("--namespace", chart.namespace or settings.namespace)
    given += _flag("--kube-version", _kube_version(chart.kube_version or settings.kube_version))
    given += _set("--set", chart.parameters, lambda text: substitute(text, settings))
    given += _set("--set-string", chart.string_parameters, lambda text: substitute(text, settings))
    given += _set("--set-file", {name: str(path) for name, path in (files or {}).items()}, str)
    for path in values:
        given += ["--values", str(path)]
    for version in chart.api_versions or settings.api_versions:
        given += ["--api-versions", version]
    given += ["--include-crds"] * (not chart.skip_crds)
    given += ["--skip-schema-validation"] * chart.skip_schema_validation
    return given + ["--skip-tests"] * chart.skip_tests


def _flag(name: str, value: str) -> list[str]:
    return [name, value] if value else []


def _set(flag: str, parameters: Mapping[str, str], filled: Callable[[str], str]) -> list[str]:
    return [
        part for name, value in sorted(parameters.items()) for part in (flag, f"{name}={_without_lists(filled(value))}")
    ]


def _without_lists(value: str) -> str:
    """`value` as one text: a comma begins no second parameter, but in ``{a,b}`` (``cleanSetParameters``)."""
    return value if value.startswith("{") and value.endswith("}") else re.sub(r"(?<!\\),", r"\\,", value)


def _kube_version(text: str) -> str:
    """The numbers of a version: ``v1.33.2-gke.1`` is 1.33.2."""
    if not text:
        return ""
    found = _VERSION.match(text)
    if found is None:
        raise RenderError(f"{text!r} is no version of Kubernetes", fix="write it as 1.33.0")
    return ".".join(str(int(number)) for number in found[1].split("."))


def environment(home: Path) -> Mapping[str, str]:
    """Every place where helm looks for plugins, repositories and credentials: empty, and gone afterwards."""
    return {
        "KUBECONFIG": str(home / "kubeconfig"),
        **{f"HELM_{name}": str(home / "helm" / name.lower()) for name in _HOMES},
    }
