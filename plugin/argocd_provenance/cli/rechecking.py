"""`hook`, put together: what a Pod was given, verified again by the pipeline of `generate`."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from argocd_provenance.argocd.payload import CarriedImage, Payload, unpack
from argocd_provenance.cli import answers, gate
from argocd_provenance.cli.edges import registry, verifier
from argocd_provenance.cli.foreign import cluster
from argocd_provenance.cli.operator import Operator, check_domains
from argocd_provenance.config import Config
from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import DeadlineExceeded, HookError, RegistryError
from argocd_provenance.oci.reference import Reference
from argocd_provenance.oci.registry import Registry
from argocd_provenance.oci.settings import HostSettings
from argocd_provenance.pipeline import Decided, Known, Rules, Run
from argocd_provenance.policy.load import load_files
from argocd_provenance.policy.model import Policy
from argocd_provenance.records import replace
from argocd_provenance.report.model import ImageReport, Place, Report, worst_first
from argocd_provenance.verdict import Outcome

_AGAIN = "asked again at sync time; when the cause is gone, sync again"


def answer(text: str, progress: gate.Progress) -> Report:
    """The report about the images that `text` carries. Raises `HookError` and `OperatorError` where it is unreadable."""
    payload = unpack(text)
    read = partial(_carried_file, payload)
    policies = load_files(payload.policies, read, cluster(payload.cluster)).policies
    rules = Rules(policies, "deny", None, gate.today(), payload.enforce, _known(payload.images, policies))
    deadline = Deadline(payload.deadline)
    with authority_files(payload.registries, payload.authorities) as registries:
        config = Config("-", registries=registries)
        ruled = check_domains(Operator(config, policies, carried=payload.trust))
        with registry(config, ruled.hosts(), deadline) as client:
            written = [image.reference for image in payload.images]
            decided = Run(rules, client, lambda: verifier(ruled), deadline, progress).decide(written)
            moved = _moved(client, decided, deadline)
    places = {image.reference: _places(image) for image in payload.images}
    images = [_strictly(answers.image_report(one, places[one.written])) for one in decided.values()]
    report = Report(worst_first(images), application=payload.application, notes=moved)
    return replace(report, notes=(*moved, _AGAIN)) if report.exit_code else report


def _known(images: Sequence[CarriedImage], policies: Sequence[Policy]) -> dict[str, Known]:
    """What was decided about each image when the manifests were rendered; raises `HookError` where that is no decision."""
    named = {policy.name: policy for policy in policies}
    found = {}
    for image in images:
        if missing := set(image.policies) - named.keys():
            raise HookError(f"{image.reference}: policy {min(missing)} is not among those that this Pod was given")
        found[image.reference] = Known(image.digest, tuple(named[name] for name in image.policies))
    return found


def _strictly(image: ImageReport) -> ImageReport:
    """`image`, if it says something: each was verified when it was carried, and may not pass unproved now."""
    if image.outcome is Outcome.UNVERIFIED:
        raise HookError(f"{image.reference}: no policy that this Pod was given demands anything of it")
    return image


def _moved(client: Registry, decided: dict[str, Decided], deadline: Deadline) -> tuple[str, ...]:
    """A note for each tag that stands for something else by now. Nobody is refused for it: the digest is what runs."""
    tagged = [one for one in decided.values() if Reference.parse(one.written).digest is None]

    def look(one: Decided) -> str:
        try:
            now = client.resolve(Reference.parse(one.written))
        except (RegistryError, DeadlineExceeded):
            return ""  # the tag may be gone; what was verified is the digest
        return "" if now == one.digest else f"{one.written} stands for {now} now; {one.digest} was verified, and runs"

    pool = ThreadPoolExecutor(8)
    try:
        return tuple(note for note in pool.map(look, tagged, timeout=deadline.remaining() + 1) if note)
    except TimeoutError:
        return ()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _places(image: CarriedImage) -> tuple[Place, ...]:
    return tuple(Place(place.kind, place.namespace, place.name, place.container) for place in image.where)


def _carried_file(payload: Payload, path: str) -> bytes:
    try:
        return payload.files[path]
    except KeyError:
        raise HookError(f"{path}, which a policy reads, is not among the files that this Pod was given") from None


@contextlib.contextmanager
def authority_files(
    registries: Sequence[HostSettings], authorities: Mapping[str, str]
) -> Iterator[tuple[HostSettings, ...]]:
    """`registries`, with the certificates of their authorities as files for as long as the context is open."""
    with tempfile.TemporaryDirectory(prefix="authorities-") as folder:
        found = []
        for number, host in enumerate(registries):
            pem = authorities.get(host.host)
            if pem is None:
                found.append(host)
                continue
            path = Path(folder, f"{number}.pem")
            path.write_text(pem)
            found.append(replace(host, ca_file=str(path)))
        yield tuple(found)
