"""`generate`, put together: the edges meet the pipeline here."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from argocd_provenance.argocd.environment import Application as ArgoApplication
from argocd_provenance.argocd.environment import read_application
from argocd_provenance.cache.store import FILE
from argocd_provenance.cli import operator, sources
from argocd_provenance.cli.operations import Watch
from argocd_provenance.cli.operator import Operator
from argocd_provenance.cli.request import request
from argocd_provenance.config import Cache, Config
from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import FileFaults, InvalidReference, RenderError
from argocd_provenance.oci.reference import split
from argocd_provenance.records import replace
from argocd_provenance.render import Settings
from argocd_provenance.report.model import Place, Report, Suspect, worst_first
from argocd_provenance.verdict import Finding, Outcome

if TYPE_CHECKING:
    from argocd_provenance.cli.hooking import Hooks
    from argocd_provenance.documents import ImageField, Rendered, Row
    from argocd_provenance.evidence.aside import Aside
    from argocd_provenance.pipeline import Decided, Rules
    from argocd_provenance.policy.objectmatch import Carrier

Progress = Callable[[int, int], None]


def generate(
    source: str,
    stdin: BinaryIO,
    config: Path | None,
    environment: Mapping[str, str],
    progress: Progress,
    watch: Watch,
    *,
    offline: bool = False,
    versions: bool = False,
) -> tuple[str | None, Report]:
    """The manifests that Argo CD should apply, and the report; no manifests where the report does not allow any.

    `source` is a folder, or ``-`` for `stdin`; `offline` asks nobody, and with `versions` the report says what rendered.
    Raises `errors.Error` for what stops the whole run.
    """
    ruled = operator.check_domains(operator.load(operator.config_path(config, environment)))
    if offline:
        ruled = replace(ruled, config=ruled.config.without_network())
    watch.told(ruled.config)
    application = read_application(environment)
    hooks = _hooks(ruled, application)
    deadline = Deadline(ruled.config.deadline)
    rows = _rows(ruled.config)
    watch.moments.begin("turn")
    with request(ruled.config, application.name, deadline) as notes:
        if source == "-":
            watch.moments.begin("render")
            piped = sources.filtered(stdin)
            watch.moments.begin("read")
            rendered = _read(piped, rows)
            manifests, report = _answer(rendered, {}, ruled, application, hooks, deadline, progress, watch)
        else:
            watch.moments.begin("charts")
            settings = application.settings(Path(source), environment.get("PATH", ""))
            charts = _charts(Path(source), settings, ruled, application, deadline, progress, notes, watch)
            manifests, report = None, _charted(charts, ruled, application)
            if not report.exit_code:
                watch.moments.begin("render")
                with ExitStack() as stack:
                    with sources.rendered(Path(source), settings, ruled, charts, deadline) as texts:
                        aside = _prepare(Path(source), ruled, stack)
                        found = texts()
                    watch.moments.begin("read")
                    rendered = _read(found, rows)
                    manifests, report = _answer(
                        rendered, charts, ruled, application, hooks, deadline, progress, watch, aside
                    )
            if versions:
                report = replace(report, renderer=sources.renderer(Path(source), settings, deadline))
    return manifests, replace(report, notes=(*report.notes, *notes))


def _prepare(folder: Path, ruled: Operator, stack: ExitStack) -> "Aside | None":
    """Import what comes after rendering, while the renderer works; what is for images where they are to be expected.

    Where nothing can be remembered of them, the verifier's process is begun, too; `stack` ends it.
    """
    images = sources.speaks_of_images(folder)
    aside = None
    if images and ruled.leans_on_sigstore() and _remembers_nothing(ruled.config.cache):
        from argocd_provenance.evidence.aside import Aside

        aside = stack.enter_context(closing(Aside()))
        aside.start()
    from argocd_provenance.cli import answers  # noqa: F401
    from argocd_provenance.report import text  # noqa: F401

    if images:
        from argocd_provenance import pipeline  # noqa: F401
        from argocd_provenance.cli import edges, recollection, remembering  # noqa: F401
    if images and ruled.config.cache.path is not None:
        from argocd_provenance.cache import disk, moments, seal  # noqa: F401
    if aside is not None:
        from argocd_provenance.oci import bearer  # noqa: F401
    return aside


def _remembers_nothing(cache: Cache) -> bool:
    """Whether no run before this one can have told it anything."""
    return cache.redis is None and (cache.path is None or not Path(cache.path, FILE).exists())


def _read(texts: Sequence[tuple[str, str]], rows: "list[Row]") -> "Rendered":
    from argocd_provenance.documents import read

    return read(texts, rows)


def _charts(
    folder: Path,
    settings: Settings,
    ruled: Operator,
    application: ArgoApplication,
    deadline: Deadline,
    progress: Progress,
    notes: list[str],
    watch: Watch,
) -> "dict[str, Decided]":
    """What is decided about the charts that a render would fetch from registries, by the same policies as images."""
    from argocd_provenance.render import chart_references

    references = list(chart_references(folder, settings, deadline))
    if not references:
        return {}
    from argocd_provenance.cli.remotes import chart_hosts

    hosts = ruled.hosts() | chart_hosts(ruled, references)
    return ask(references, ruled, _rules(ruled, application), deadline, progress, hosts, notes, watch)


def _charted(charts: "Mapping[str, Decided]", ruled: Operator, application: ArgoApplication) -> Report:
    """The report about `charts` alone."""
    return _report(_read([], []), charts, ruled, application, ()) if charts else Report()


def _answer(
    rendered: "Rendered",
    charts: "Mapping[str, Decided]",
    ruled: Operator,
    application: ArgoApplication,
    hooks: "Hooks | None",
    deadline: Deadline,
    progress: Progress,
    watch: Watch,
    aside: "Aside | None" = None,
) -> tuple[str | None, Report]:
    """What `generate` returns for documents that are read."""
    if not rendered.objects and not ruled.config.allow_empty:
        raise RenderError(
            "nothing was rendered: an empty result could delete the whole Application. Fix: correct the path, or set `allowEmpty: true` in the config",
            code="empty-render",
        )
    from argocd_provenance.cli import answers
    from argocd_provenance.documents import emit

    notes: list[str] = []
    watch.moments.begin("decide")
    decided = _decide(rendered, ruled, application, deadline, progress, notes, watch, aside)
    watch.moments.begin("emit")
    report = _report(rendered, {**charts, **decided}, ruled, application, notes)
    if hooks is not None:
        report = replace(report, refused=hooks.collisions(rendered))
    if report.exit_code:
        return None, report
    pins = {written: one.pinned for written, one in decided.items() if one.pinned}
    text = emit(rendered, pins, lambda images: answers.object_annotations(decided, images))
    if hooks is None:
        return text, report
    pods, said = hooks.pods(rendered, decided)
    end = "" if text.endswith("\n") or not pods else "\n"
    return text + end + "".join(pods), replace(report, notes=(*report.notes, *said))


def _hooks(ruled: Operator, application: ArgoApplication) -> "Hooks | None":
    """The checks at sync time that operator or Application ask for, if any."""
    if not (ruled.config.hook.enabled or ruled.config.hook.proof or application.parameters.hook):
        return None
    from argocd_provenance.cli import hooking

    return hooking.wanted(ruled, application)


def _rows(config: Config) -> "list[Row]":
    if not config.images:
        return []
    from argocd_provenance.documents import Row

    rows, faults = [], []
    for row in config.images:
        try:
            rows.append(Row(row.api_version, row.kind, row.path))
        except ValueError as error:
            faults.append(f"{config.file}: images: {row.kind}: {row.path!r} is no JSONPath: {error}")
    if faults:
        raise FileFaults(faults)
    return rows


def _decide(
    rendered: "Rendered",
    ruled: Operator,
    application: ArgoApplication,
    deadline: Deadline,
    progress: Progress,
    notes: list[str],
    watch: Watch,
    aside: "Aside | None",
) -> "dict[str, Decided]":
    if not rendered.images:
        return {}
    templated = _templated(rendered)
    applied = [field for field in rendered.images if field.applied]
    texts = [field.written for field in applied if field.written not in templated]
    rules = replace(_rules(ruled, application), carriers=_carriers(rendered))
    answered = ask(texts, ruled, rules, deadline, progress, ruled.hosts(), notes, watch, aside)
    if ruled.config.templated == "deny":
        answered |= {
            field.written: _no_reference(field)
            for field in applied
            if field.written in templated and field.role == "crd"
        }
    return answered


def ask(
    texts: list[str],
    ruled: Operator,
    rules: "Rules",
    deadline: Deadline,
    progress: Progress,
    permitted: frozenset[str],
    notes: list[str],
    watch: Watch | None = None,
    aside: "Aside | None" = None,
) -> "dict[str, Decided]":
    """Decide about `texts`, and add to `notes` what is wrong with the cache.

    `aside` is where the cryptography may be done; without it such a process is started when it is needed.

    A refusal that leans on what was remembered of tags and lists is not pronounced: the registries are asked anew, so that
    who has just signed, or just pushed, is not told of the past.
    """
    if not texts:
        return {}
    watch = watch or Watch()
    from argocd_provenance.cli.edges import registry, verifiers
    from argocd_provenance.cli.recollection import Recollection
    from argocd_provenance.cli.remembering import memory_of
    from argocd_provenance.oci.remembered import Remembered
    from argocd_provenance.pipeline import Run

    def decided(texts: list[str], remembered: Remembered) -> "dict[str, Decided]":
        with (
            registry(ruled.config, permitted, deadline, remembered, watch.requests) as client,
            verifiers(ruled, memory, remembered, aside) as made,
        ):
            recollection = Recollection(client, made) if memory is not None else None
            proving = partial(watch.verifier, made)
            return Run(rules, watch.registry(client), proving, deadline, progress, recollection).decide(texts)

    with memory_of(ruled.config, notes) as memory:
        remembered = Remembered(memory, ruled.config.cache.tags)
        found = decided(texts, remembered)
        refused = [text for text, one in found.items() if one.decision.outcome in (Outcome.DENIED, Outcome.ERROR)]
        if refused and remembered.relied and deadline.remaining():
            found |= decided(refused, Remembered(memory))
        if memory is not None:
            watch.hits, watch.misses = watch.hits + memory.hits, watch.misses + memory.misses
    return found


def today() -> date:
    """The day, in UTC, on which exceptions expire."""
    return datetime.now(UTC).date()


def _rules(ruled: Operator, application: ArgoApplication) -> "Rules":
    from argocd_provenance.pipeline import Rules
    from argocd_provenance.policy.select import Application

    unmatched = "deny" if application.parameters.deny_unmatched else ruled.config.unmatched
    who = Application(application.name, application.project, application.repository)
    return Rules(ruled.policies, unmatched, who, today(), enforce=application.parameters.enforce)


def _carriers(rendered: "Rendered") -> "Mapping[str, Sequence[Carrier]]":
    """The objects that run each image."""
    from argocd_provenance.policy.objectmatch import Carrier

    found: dict[str, dict[Carrier, None]] = {}
    for image in rendered.images:
        found.setdefault(image.written, {})[Carrier(image.api_version, image.kind, image.labels)] = None
    return {written: tuple(carriers) for written, carriers in found.items()}


def _templated(rendered: "Rendered") -> frozenset[str]:
    """Texts that are no references, and stand in no core kind: a template's holes, or a policy's patterns."""
    outside = {field.written for field in rendered.images if field.role != "core"}
    inside = {field.written for field in rendered.images if field.role == "core"}
    return frozenset(text for text in outside - inside if not _is_reference(text))


def _is_reference(text: str) -> bool:
    """Whether a node might pull `text`: by the grammar alone, which takes more than we do (hosts with an ``_``)."""
    try:
        split(text)
    except InvalidReference:
        return False
    return True


def _no_reference(field: "ImageField") -> "Decided":
    from argocd_provenance.pipeline import Decided
    from argocd_provenance.policy.decision import Decision

    finding = Finding(
        "templated",
        f"{field.kind} keeps an image here, but this is no image reference",
        expected="an image reference such as registry.example/team/app:tag",
        found=repr(field.written[:100]),
        fix="write the reference out, or set `templated: report` in the config",
    )
    return Decided(field.written, Decision(Outcome.DENIED, findings=(finding,)))


def _why_left(field: "ImageField") -> str:
    if not field.applied:
        return "is not checked: Argo CD never applies a helm test"
    return "is no image reference, left as it is"


def _report(
    rendered: "Rendered",
    decided: "Mapping[str, Decided]",
    ruled: Operator,
    application: ArgoApplication,
    warnings: Sequence[str],
) -> Report:
    from argocd_provenance.cli import answers

    where: dict[str, list[Place]] = {}
    for field in rendered.images:
        where.setdefault(field.written, []).append(answers.place(field))
    # What stands in no document is a chart that the render fetched.
    chart = (Place(kind="Chart", file="Chart.yaml"),)
    images = [answers.image_report(one, where.get(one.written, chart)) for one in decided.values()]
    left = [field for field in rendered.images if field.written not in decided]
    notes = tuple(dict.fromkeys(f"{answers.place(f)}, {f.path}: {f.written!r} {_why_left(f)}" for f in left))
    strings = [
        Suspect(s.text, Place(s.kind, s.namespace, s.name, "", s.file, s.line, s.path)) for s in rendered.suspects
    ]
    return Report(
        worst_first(images),
        tuple(strings),
        ruled.config.suspects == "deny",
        application=application.name,
        notes=(*notes, *warnings),
    )
