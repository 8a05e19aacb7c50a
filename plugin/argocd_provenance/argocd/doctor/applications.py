"""Applications: who asks for the plugin in a way that does not work, or could be rendered without it.

Argo CD: util/app/discovery (how a plugin is found by its name) and ApplicationSource.ExplicitType (one kind of source).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from argocd_provenance.argocd.doctor.complaint import Complaint

PLUGIN = "argocd-provenance"
_OTHER_KINDS = ("helm", "kustomize", "directory")
_PATHS = "argocd.argoproj.io/manifest-generate-paths"
_NAMED = 5  # more Applications than this are counted


def judge_applications(applications: Sequence[Mapping[str, Any]]) -> Iterator[Complaint]:
    """What is wrong with the Applications of a cluster, as the Kubernetes API returns them."""
    uncovered = []
    for application in applications:
        name = _name(application)
        found = [complaint for source in _sources(application) for complaint in _judge_source(name, source)]
        yield from found
        plugins = [_plugin(source) for source in _sources(application)]
        if not found and PLUGIN not in plugins:
            uncovered.append(name)
        elif not found and set(plugins) != {PLUGIN}:
            uncovered.append(f"{name} (one of its sources)")
        if PLUGIN in plugins and _PATHS in (application["metadata"].get("annotations") or {}):
            yield Complaint(
                "application-carried-over",
                name,
                f"{_PATHS} carries old renders over to new commits: images are not verified again for them",
                "remove the annotation, or hard-refresh from time to time",
            )
    if uncovered:
        yield Complaint(
            "application-not-covered",
            "Applications",
            f"{len(uncovered)} of {len(applications)} do not use the plugin: {_some(uncovered)}",
            f"opt them in with `plugin: {{name: {PLUGIN}}}`; argocd/samples/admission-policy.yaml requires it by project",
        )


def _judge_source(name: str, source: Mapping[str, Any]) -> Iterator[Complaint]:
    plugin = _plugin(source)
    if plugin is None:
        return
    if plugin == "":
        yield Complaint(
            "application-plugin-unnamed",
            name,
            "`plugin` without a name: Argo CD looks for a plugin whose discovery matches, and ours has none",
            f"write `plugin: {{name: {PLUGIN}}}`",
        )
    elif plugin != PLUGIN and _meant(plugin):
        yield Complaint(
            "application-plugin-name",
            name,
            f"asks for the plugin {plugin!r}; there is none of that name, so nothing is rendered",
            f"write `plugin: {{name: {PLUGIN}}}`, without a version",
        )
    others = [kind for kind in _OTHER_KINDS if source.get(kind)]
    if plugin == PLUGIN and others:
        yield Complaint(
            "application-two-kinds",
            name,
            f"has `{'`, `'.join(others)}` beside `plugin`: Argo CD permits one kind of source and renders nothing",
            f"make its fields plugin parameters of the same names, such as {others[0]}.{_EXAMPLE[others[0]]}",
        )


_EXAMPLE = {"helm": "valueFiles", "kustomize": "images", "directory": "recurse"}


def _sources(application: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Every source from which it is rendered; `sources` wins over `source`, as in Argo CD."""
    spec = application.get("spec") or {}
    hydrator = spec.get("sourceHydrator") or {}
    if hydrator.get("drySource"):
        return [hydrator["drySource"]]
    return list(spec.get("sources") or ([spec["source"]] if spec.get("source") else []))


def _plugin(source: Mapping[str, Any]) -> str | None:
    """The plugin that a source asks for: empty without a name, None where it asks for none."""
    plugin = source.get("plugin")
    return None if plugin is None else str(plugin.get("name") or "")


def _meant(name: str) -> bool:
    """Whether somebody who wrote this meant us."""
    plain = name.lower().replace("_", "-")
    return PLUGIN in plain or plain in {"provenance", "argo-provenance", "argocdprovenance"}


def _name(application: Mapping[str, Any]) -> str:
    meta = application["metadata"]
    return f"Application {meta.get('namespace', '')}/{meta['name']}"


def _some(names: Iterable[str]) -> str:
    short = [name.removeprefix("Application ") for name in names]
    more = f", +{len(short) - _NAMED} more" if len(short) > _NAMED else ""
    return ", ".join(short[:_NAMED]) + more
