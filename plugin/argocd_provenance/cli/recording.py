"""``verify --record``: decide as always, and write down what the registry said, for `policy test`."""

import os
import re
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from argocd_provenance.cli import cases, edges
from argocd_provenance.cli.cases import Case, Found
from argocd_provenance.cli.operator import Operator
from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RegistryError, UsageError
from argocd_provenance.oci.gathered import NOTHING, Gathered, Place, Wanted
from argocd_provenance.oci.reference import Digest, Reference, Repository
from argocd_provenance.oci.registry import Registry
from argocd_provenance.oci.remembered import Remembered
from argocd_provenance.pipeline import Decided, Rules, Run
from argocd_provenance.policy.model import Policy
from argocd_provenance.verdict import Outcome


class _Kept(Remembered):
    """Keeps the bytes of the manifests that pass by."""

    def __init__(self) -> None:
        super().__init__()
        self.contents: dict[Digest, bytes] = {}

    def keep_content(self, repository: Repository, digest: Digest, content: bytes) -> None:
        """Also here."""
        super().keep_content(repository, digest, content)
        self.contents[digest] = content


class Recorder:
    """A registry (`pipeline.Registry`) that remembers what it was asked and what it gave."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self.subjects: dict[Repository, set[Digest]] = {}
        self.gathered: dict[tuple[Repository, Digest, Place, str], Gathered] = {}

    def resolve(self, reference: Reference) -> Digest:
        """As the registry does."""
        return self._registry.resolve(reference)

    def children(self, repository: Repository, digest: Digest) -> Mapping[str, Digest]:
        """As the registry does."""
        return self._registry.children(repository, digest)

    def gather(
        self, repository: Repository, digest: Digest, place: Place, *, tag_prefix: str = "", wanted: Wanted = NOTHING
    ) -> Gathered:
        """As the registry does."""
        found = self._registry.gather(repository, digest, place, tag_prefix=tag_prefix, wanted=wanted)
        with self._lock:
            self.gathered[repository, digest, place, tag_prefix] = found
        return found


def ask_and_record(
    texts: Sequence[str],
    ruled: Operator,
    rules: Rules,
    permitted: frozenset[str],
    folder: Path,
) -> tuple[dict[str, Decided], tuple[str, ...]]:
    """What is decided about `texts`, and what to say of the recordings, which are in `folder` then.

    Nothing remembered is used. An image that could not be checked is not recorded.
    """
    deadline = Deadline(ruled.config.deadline)
    kept = _Kept()
    notes = []
    with edges.registry(ruled.config, permitted, deadline, kept) as client:
        recorder = Recorder(client)
        run = Run(rules, recorder, lambda: edges.verifier(ruled), deadline, lambda _done, _total: None)
        decided = run.decide(texts)
        for text, one in decided.items():
            notes.append(_record(one, client, recorder, kept, rules.policies, folder / _slug(text)))
    return decided, tuple(notes)


def _record(
    one: Decided, client: Registry, recorder: Recorder, kept: _Kept, policies: Sequence[Policy], folder: Path
) -> str:
    if one.decision.outcome is Outcome.ERROR:
        return f"{one.written}: not recorded, it could not be checked"
    reference = Reference.parse(one.written)
    blobs: dict[Digest, bytes] = {}
    attached = {}
    if one.digest is not None:
        try:
            gathered = _everything(reference.repository, one.digest, client, recorder, kept, policies, blobs)
        except RegistryError as error:
            return f"{one.written}: not recorded: {error}"
        attached = {key: (_keep(found, blobs), found.notes) for key, found in gathered.items()}
    codes = tuple(sorted({finding.code for finding in one.decision.findings}))
    case = Case(folder, one.written, str(one.decision.outcome), codes, None, one.digest, attached)
    _write(case, blobs)
    return f"{one.written}: recorded in {folder}"


def _everything(
    repository: Repository,
    digest: Digest,
    client: Registry,
    recorder: Recorder,
    kept: _Kept,
    policies: Sequence[Policy],
    blobs: dict[Digest, bytes],
) -> dict[tuple[str, str, str, str], Gathered]:
    """All that hangs on the image and its platforms, in every place: other policies may ask for more than this run did."""
    client.manifest(repository, digest)
    blobs[digest] = kept.contents[digest]
    subjects = dict.fromkeys((digest, *client.children(repository, digest).values()))
    sources = dict.fromkeys(source for policy in policies for source in policy.sources())
    wheres = [(repository, ""), *((s.repository or repository, s.tag_prefix) for s in sources)]
    found = {}
    for subject in subjects:
        for where, prefix in wheres:
            for place in Place:
                gathered = recorder.gathered.get((where, subject, place, prefix))
                gathered = gathered or client.gather(where, subject, place, tag_prefix=prefix)
                for fault in gathered.faults:
                    raise fault
                found[where.name, subject.text, str(place), prefix] = gathered
    return found


def _keep(gathered: Gathered, blobs: dict[Digest, bytes]) -> tuple[Found, ...]:
    found = []
    for one in gathered.attachments:
        descriptor = cases.canonical(one.descriptor)
        named = Found(one.kind, one.source, Digest.of(descriptor), Digest.of(one.content))
        blobs[named.descriptor], blobs[named.content] = descriptor, one.content
        found.append(named)
    return tuple(found)


def _write(case: Case, blobs: Mapping[Digest, bytes]) -> None:
    """The folder, whole or as it was: beside it first, then in its place."""
    beside = case.folder.with_name(f".{case.folder.name}.{os.getpid()}")
    try:
        for digest, content in blobs.items():
            path = cases.blob_path(beside, digest)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        beside.mkdir(parents=True, exist_ok=True)
        (beside / cases.FILE).write_text(cases.case_text(case), encoding="utf-8")
        if (case.folder / cases.FILE).exists():
            shutil.rmtree(case.folder)
        beside.replace(case.folder)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise UsageError(f"--record: cannot write {case.folder}: {error.strerror}") from error


def _slug(text: str) -> str:
    """A folder's name for a reference; what would give two references one name keeps them apart by a digest."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:80]
    return f"{plain}-{Digest.of(text.encode()).hex[:8]}"
