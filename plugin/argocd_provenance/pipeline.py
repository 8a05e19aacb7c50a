"""The whole run on one screen: references in, decisions out. It declares the ports it needs and touches nothing else.

Each distinct reference is resolved once; what hangs on a digest is fetched and verified once, however many references
and policies ask. The places where evidence can hang are asked in turn, only while a demand is unmet, and all of them
before anything is denied. Evidence belongs to a repository: it is never reused for another one.
"""

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from datetime import date
from typing import Protocol, TypeVar

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import DeadlineExceeded, InvalidReference, RegistryError
from argocd_provenance.evidence.artifact import Artifact
from argocd_provenance.evidence.candidate import parse_bundle, parse_layer
from argocd_provenance.evidence.found import Found, Spot
from argocd_provenance.evidence.parts import Candidate
from argocd_provenance.evidence.values import Anchor, Evidence, Rejected
from argocd_provenance.oci.gathered import NOTHING, Gathered, Place, Wanted
from argocd_provenance.oci.reference import Digest, Reference, Repository
from argocd_provenance.policy.decision import Decision, Unmatched, decide, undecided
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.index import PolicyIndex
from argocd_provenance.policy.judge import Judgement, judge
from argocd_provenance.policy.model import EvidenceSource, Policy
from argocd_provenance.policy.objectmatch import Carrier
from argocd_provenance.policy.platforms import to_verify
from argocd_provenance.policy.select import Application, Coverage, cover
from argocd_provenance.policy.tree import tree
from argocd_provenance.records import dataclass, field
from argocd_provenance.verdict import Finding, Outcome

# More threads than this wait for the same registries without being faster; but those that wait for cryptography must not
# keep others from the network.
WORKERS = 48
# Seconds after the deadline in which those who noticed it themselves may say what they were doing.
_GRACE = 1.0
_OWN = EvidenceSource(None)

T = TypeVar("T")
# What a registry sent was not what was asked for: that is broken, or an attack, and says nothing good of the image.
_LIES = frozenset({"digest-mismatch", "registry-misbehaved", "too-many"})

_Subjects = tuple[Digest, ...] | Finding


class Registry(Protocol):
    """What a run asks of registries. All but `gather` may raise `RegistryError`; all may raise `DeadlineExceeded`."""

    def resolve(self, reference: Reference) -> Digest:
        """The digest of what the tag of `reference` names now."""

    def children(self, repository: Repository, digest: Digest) -> Mapping[str, Digest]:
        """The manifests of an index by platform; empty for a plain manifest."""

    def gather(
        self, repository: Repository, digest: Digest, place: Place, *, tag_prefix: str = "", wanted: Wanted = NOTHING
    ) -> Gathered:
        """What is attached to `digest` at one place, with the faults met on the way; `wanted` is a hint."""


class Verifier(Protocol):
    """What a run asks of cryptography."""

    def verify(self, candidate: Candidate, anchor: Anchor, artifact: Artifact) -> Evidence | Rejected:
        """What `candidate` proves to who trusts `anchor`; never raises on what an attacker wrote."""


class Recollection(Protocol):
    """What a run knows of earlier runs, and may believe still. Nothing is asked of anybody; may raise `RegistryError`."""

    def digest(self, reference: Reference) -> Digest | None:
        """What `reference` stands for; None where its registry must be asked."""

    def found(
        self, repository: Repository, subject: Digest, place: Place, tag_prefix: str, anchors: Sequence[Anchor]
    ) -> Found | None:
        """What was found at one place by who trusts `anchors`; None where the registry must be asked."""

    def keep(self, spot: Spot, anchors: Sequence[Anchor], found: Found) -> None:
        """Remember what was found just now."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was decided about a reference before: the digest that it stands for, and the policies that cover it."""

    digest: Digest
    policies: tuple[Policy, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked about every image of a run. `enforce`: `mode: warn` does not count.

    References that are `known`, by their text, are neither resolved nor matched to policies again.
    """

    policies: tuple[Policy, ...]
    unmatched: Unmatched
    application: Application | None
    today: date
    enforce: bool = False
    known: Mapping[str, Known] = field(default_factory=dict)
    carriers: Mapping[str, Sequence[Carrier]] = field(default_factory=dict)
    """The objects that run each reference as written; one that is not listed is of every kind."""


@dataclass(frozen=True, slots=True)
class Why:
    """How a decision came about: the tree of it as lines, and all evidence that verified, whether it counted or not."""

    lines: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided about one reference as written; `pinned` is empty where it stays as written."""

    written: str
    decision: Decision
    digest: Digest | None = None
    pinned: str = ""
    why: Callable[[], Why] = field(default=Why, repr=False, compare=False)
    """How it came about; made when it is asked for."""


@dataclass(frozen=True, slots=True)
class _Resolved:
    """A reference whose digest and policies are known."""

    reference: Reference
    digest: Digest | None
    coverage: Coverage


@dataclass(slots=True)
class _Collected:
    """What was found about one digest so far, by where the policies look for it."""

    evidence: dict[tuple[Digest, EvidenceSource], list[Evidence]] = field(default_factory=dict)
    rejected: dict[tuple[Digest, EvidenceSource], list[Rejected]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    faults: list[Finding] = field(default_factory=list)

    def about(self, subject: Digest, policy: Policy) -> tuple[list[Evidence], list[Rejected]]:
        """What was found about `subject` where `policy` looks for it: what was proved, and what was not."""
        places = [(subject, source) for source in (_OWN, *policy.sources())]
        evidence = [e for place in places for e in self.evidence.get(place, ())]
        return evidence, [r for place in places for r in self.rejected.get(place, ())]


class _Groups:
    """References by what they stand for; those that stand for nothing that is asked about are decided at once."""

    def __init__(self, run: "Run", decided: dict[str, Decided]) -> None:
        self._run, self._decided = run, decided
        self.found: dict[Repository, dict[Digest, list[_Resolved]]] = {}

    def add(self, resolved: _Resolved | Decided | None) -> None:
        """Put `resolved` where it belongs; None: the run was not told."""
        if isinstance(resolved, Decided):
            self._decided[resolved.written] = resolved
        elif resolved is not None and resolved.digest is None:
            self._decided[resolved.reference.written] = self._run.answer_without_evidence(resolved)
        elif resolved is not None and resolved.digest is not None:
            here = self.found.setdefault(resolved.reference.repository, {})
            here.setdefault(resolved.digest, []).append(resolved)


class Run:
    """One run: `decide` takes all references that stand in the documents, or on the command line."""

    def __init__(
        self,
        rules: Rules,
        registry: Registry,
        verifier: Callable[[], Verifier],
        deadline: Deadline,
        progress: Callable[[int, int], None],
        recollection: Recollection | None = None,
    ) -> None:
        self._rules, self._registry, self._recollection = rules, registry, recollection
        self._index = PolicyIndex(rules.policies)
        self._deadline, self._progress = deadline, progress
        self._make_verifier = verifier
        self._verifier: Future[Verifier] = Future()

    def decide(self, written: Iterable[str]) -> dict[str, Decided]:
        """What is decided about each distinct text in `written`; what the time did not suffice for is undecided."""
        texts = tuple(dict.fromkeys(written))
        decided = self._remembered(texts)
        self._progress(len(decided), len(texts))
        if len(decided) < len(texts):
            self._ask(texts, decided)
        return {text: decided.get(text) or self._unfinished(text) for text in texts}

    def _remembered(self, texts: Sequence[str]) -> dict[str, Decided]:
        """What earlier runs know enough of to decide it: here, for threads cost more than all of it."""
        if self._recollection is None:
            return {}
        decided: dict[str, Decided] = {}
        groups = _Groups(self, decided)
        for text in texts:
            groups.add(self._resolve(text, self._recollection.digest))
        for repository, found in groups.found.items():
            for digest, asked in found.items():
                self._prepare([one.reference.written for one in asked])
                answers = self._examine(repository, digest, asked, asking=False)
                decided.update((answer.written, answer) for answer in answers)
        return decided

    def _ask(self, texts: Sequence[str], decided: dict[str, Decided]) -> None:
        """Decide about all of `texts` that is not in `decided` yet, side by side, and add it there."""
        pool = ThreadPoolExecutor(WORKERS)
        try:
            left = [text for text in texts if text not in decided]
            preparing = pool.submit(self._prepare, left)
            resolving = {pool.submit(self._resolve, text, self._registry.resolve): _repository(text) for text in left}
            groups, awaited = _Groups(self, decided), Counter(resolving.values())
            examining: list[Future[list[Decided]]] = []
            for future in self._finished(resolving):
                groups.add(future.result())
                repository = resolving[future]
                awaited[repository] -= 1
                # What hangs on a digest is asked once for all references to it, which are those to its repository.
                if repository is not None and not awaited[repository]:
                    found = groups.found.get(repository, {}).items()
                    examining += [pool.submit(self._examine, repository, digest, asked) for digest, asked in found]
                self._progress(len(decided), len(texts))
            for answers in self._finished(examining):
                decided.update((answer.written, answer) for answer in answers.result())
                self._progress(len(decided), len(texts))
            for prepared in self._finished([preparing]):
                prepared.result()  # what is wrong with trusted roots is told, though nothing came to be verified
        finally:
            # A thread that a registry holds up past every limit must not hold up the answer.
            pool.shutdown(wait=False, cancel_futures=True)

    def _finished(self, futures: Iterable[Future[T]]) -> Iterator[Future[T]]:
        """Those that are done, as they come, until the deadline and a little longer has passed."""
        with contextlib.suppress(TimeoutError):
            yield from as_completed(futures, timeout=self._deadline.remaining() + _GRACE)

    def _unfinished(self, written: str) -> Decided:
        late = DeadlineExceeded(
            f"the time limit of {self._deadline.seconds:g} s was reached before {written} was checked"
        )
        try:
            reference = Reference.parse(written)
        except InvalidReference as error:  # its turn never came
            return _no_reference(written, error)
        return Decided(written, self._undecided(self._cover(reference, None), fault(late)))

    def _prepare(self, written: Iterable[str]) -> None:
        """Make the verifier, while others wait for the network: it has trusted roots to read, and libraries to import."""
        if self._verifier.done() or not any(self._needs_evidence(text) for text in written):
            return
        try:
            self._verifier.set_result(self._make_verifier())
        except BaseException as error:
            self._verifier.set_exception(error)
            raise

    def _needs_evidence(self, written: str) -> bool:
        try:
            coverage = self._cover(Reference.parse(written), None)
        except InvalidReference:
            return False
        return coverage.awaits_digest or any(policy.anchors() for policy in coverage.policies)

    def _cover(self, reference: Reference, digest: Digest | None) -> Coverage:
        rules = self._rules
        known = rules.known.get(reference.written)
        if known is not None:
            return Coverage(known.policies)
        return cover(self._index, reference, digest, rules.application, rules.carriers.get(reference.written))

    def _resolve(self, written: str, resolve: Callable[[Reference], Digest | None]) -> "_Resolved | Decided | None":
        """The digest and the policies of a reference; no question where neither could matter.

        None where `resolve` does not know the digest.
        """
        try:
            reference = Reference.parse(written)
        except InvalidReference as error:
            return _no_reference(written, error)
        known = self._rules.known.get(written)
        digest = reference.digest if known is None else known.digest
        coverage = self._cover(reference, digest)
        idle = not coverage.policies and (coverage.out_of_scope or self._rules.unmatched != "pin")
        if digest is None and (coverage.awaits_digest or not idle):
            try:
                digest = resolve(reference)
            except (RegistryError, DeadlineExceeded) as error:
                return Decided(written, self._undecided(coverage, fault(error)))
            if digest is None:
                return None
            if coverage.awaits_digest:
                coverage = self._cover(reference, digest)
        return _Resolved(reference, digest, coverage)

    def _undecided(self, coverage: Coverage, finding: Finding) -> Decision:
        # A policy that asks for a digest may cover it too, and nobody knows how strict that one is.
        return undecided(finding, coverage.policies, enforce=self._rules.enforce or coverage.awaits_digest)

    def _examine(
        self, repository: Repository, digest: Digest, asked: Sequence[_Resolved], *, asking: bool = True
    ) -> list[Decided]:
        """Gather and verify, place by place, until every reference in `asked` is settled.

        Without `asking` of what is remembered alone, and no answers where that does not suffice.
        """
        policies = tuple({policy.origin: policy for one in asked for policy in one.coverage.policies}.values())
        collected = _Collected()
        thorough = any(policy.thorough for policy in policies)
        subjects: dict[str, _Subjects] = {}
        decisions: list[Decision] = []
        try:
            if not asking and any(policy.platforms.kind != "index" for policy in policies):
                return []
            subjects = self._subjects(repository, digest, policies)
            for subject, source, place in _steps(subjects, policies):
                decisions = [self._decision(one, collected, subjects) for one in asked]
                if not thorough and all(decision.settled for decision in decisions):
                    break
                if not self._look(repository, subject, source, place, policies, collected, asking=asking):
                    return []
                decisions = []
        except (RegistryError, DeadlineExceeded) as error:
            collected.faults.append(fault(error))
            decisions = []
        return [
            self._answer(one, collected, subjects, decision)
            for one, decision in itertools.zip_longest(asked, decisions)
        ]

    def _subjects(self, repository: Repository, digest: Digest, policies: Sequence[Policy]) -> dict[str, _Subjects]:
        """The digests that each policy asks about, or a finding where one is missing."""
        children = (
            self._registry.children(repository, digest) if any(p.platforms.kind != "index" for p in policies) else {}
        )
        return {policy.origin: _asked(policy, digest, children) for policy in policies}

    def _look(
        self,
        repository: Repository,
        subject: Digest,
        source: EvidenceSource,
        place: Place,
        policies: Sequence[Policy],
        collected: _Collected,
        *,
        asking: bool,
    ) -> bool:
        """Collect what is known of one place for the trust anchors that `policies` name; whether it is (always, when `asking`)."""
        where = source.repository or repository
        anchors = tuple(dict.fromkeys(anchor for policy in policies for anchor in policy.anchors()))
        found = None
        if self._recollection is not None:
            found = self._recollection.found(where, subject, place, source.tag_prefix, anchors)
        if found is None and not asking:
            return False
        if found is None:
            wanted = _wanted(policies)
            gathered = self._registry.gather(where, subject, place, tag_prefix=source.tag_prefix, wanted=wanted)
            collected.faults += [fault(error) for error in gathered.faults]
            found, lasting = self._verified(gathered, subject, anchors)
            if self._recollection is not None and lasting and gathered.lists and not gathered.faults:
                spot = Spot(where, subject, place, source.tag_prefix, gathered.lists)
                self._recollection.keep(spot, anchors, found)
        collected.notes += found.notes
        collected.evidence.setdefault((subject, source), []).extend(found.evidence)
        collected.rejected.setdefault((subject, source), []).extend(found.rejected)
        return True

    def _verified(self, gathered: Gathered, subject: Digest, anchors: Sequence[Anchor]) -> tuple[Found, bool]:
        """All that was `gathered`, verified for every one of `anchors`; and whether another run would find the same."""
        proved: list[Evidence] = []
        refused: list[Rejected] = []
        lasting = True
        for attachment in gathered.attachments:
            if attachment.kind == "layer":
                candidate = parse_layer(attachment.descriptor, attachment.content, attachment.source)
            else:
                candidate = parse_bundle(attachment.content, attachment.source)
            if isinstance(candidate, Rejected):
                refused.append(candidate)
                continue
            results = [self._verifier.result().verify(candidate, anchor, Artifact((subject,))) for anchor in anchors]
            good = [result for result in results if isinstance(result, Evidence)]
            bad = [result for result in results if isinstance(result, Rejected)]
            proved += good
            # An anchor that is not meant for this candidate refuses it; only what no anchor proves is worth a word.
            refused += bad if not good else []
            lasting = lasting and all(result.lasting for result in bad)
        return Found(tuple(proved), tuple(refused), gathered.notes), lasting

    def answer_without_evidence(self, one: _Resolved) -> Decided:
        """What is decided about a reference of which nothing is asked: no policy, and no digest."""
        return self._answer(one, _Collected(), {})

    def _answer(
        self,
        one: _Resolved,
        collected: _Collected,
        subjects: Mapping[str, _Subjects],
        decision: Decision | None = None,
    ) -> Decided:
        """The answer; `decision` is what was decided already without looking for reasons, which a denial must have."""
        if decision is None or decision.outcome is Outcome.DENIED:
            decision = self._decision(one, collected, subjects, reasons=True)
        pinned = one.reference.pinned(one.digest) if decision.pins and one.digest is not None else ""
        return Decided(one.reference.written, decision, one.digest, pinned, lambda: self._why(one, collected, subjects))

    def _decision(
        self,
        one: _Resolved,
        collected: _Collected,
        subjects: Mapping[str, _Subjects],
        *,
        reasons: bool = False,
    ) -> Decision:
        judged = [
            (policy, self._judge(one, policy, collected, subjects.get(policy.origin, ()), reasons=reasons))
            for policy in one.coverage.policies
        ]
        return decide(
            Image(one.reference, one.digest),
            one.coverage,
            judged,
            collected.faults,
            self._rules.unmatched,
            enforce=self._rules.enforce,
        )

    def _why(self, one: _Resolved, collected: _Collected, subjects: Mapping[str, _Subjects]) -> Why:
        lines: list[str] = []
        seen: dict[Digest, Evidence] = {}
        for policy in one.coverage.policies:
            asked = subjects.get(policy.origin, ())
            for subject in asked if isinstance(asked, tuple) else ():
                evidence, rejected = collected.about(subject, policy)
                lines += tree(Image(one.reference, subject), policy, evidence, rejected, today=self._rules.today)
                seen.update((piece.digest, piece) for piece in evidence)
        return Why((*lines, *dict.fromkeys(collected.notes)), tuple(seen.values()))

    def _judge(
        self, one: _Resolved, policy: Policy, collected: _Collected, subjects: _Subjects, *, reasons: bool
    ) -> Judgement:
        """The judgement of `policy`: over every subject it asks about, all of which must pass.

        No subjects at all (the platforms could not be asked for) is never a pass.
        """
        if isinstance(subjects, Finding):
            return Judgement(allowed=False, findings=(subjects,), final=True)
        judgements = []
        for subject in subjects:
            evidence, rejected = collected.about(subject, policy)
            image = Image(one.reference, subject)
            judged = judge(image, policy, evidence, rejected, collected.notes, today=self._rules.today, reasons=reasons)
            if judged.exception is not None and subject == one.digest:
                return judged  # an exception names the digest that is deployed, and speaks for its platforms
            judgements.append(judged)
        # The weakest speaks for all: refused, not proved, by exception, proved.
        weakest_first = sorted(judgements, key=lambda j: (j.allowed, not j.weak, j.exception is None))
        return weakest_first[0] if weakest_first else Judgement(allowed=False)


def _repository(written: str) -> Repository | None:
    """The repository of a reference; None for what is none."""
    try:
        return Reference.parse(written).repository
    except InvalidReference:
        return None


def _no_reference(written: str, error: InvalidReference) -> Decided:
    fix = "write an image reference such as registry.example/team/app:tag"
    return Decided(written, undecided(Finding(error.code, str(error), fix=fix)))


def fault(error: RegistryError | DeadlineExceeded) -> Finding:
    """The finding for what could not be asked."""
    said = "Nothing is known to be wrong with the image"
    if error.code in _LIES:
        said = "The registry is at fault"
    elif error.code == "image-not-found":
        said = "There may be no such image"
    fix = {
        "offline": "leave out --offline, or judge from files: verify --bundle FILE sha256:HEX",
        "registry-forbidden": "name the host under `registries` in the config, or in an image pattern of a policy",
        "image-not-found": "push the image, or correct the reference",
        "registry-unauthorized": "give the plugin credentials that may pull this repository",
        "digest-mismatch": "do not work around it: compare with another client, and tell whoever runs the registry",
        "registry-misbehaved": "look at the registry, or at a proxy before it that answers with a page of its own",
        "registry-throttled": "use credentials or a mirror, or try again later",
        "deadline": "raise `deadline` in the config, or find out why the registry is slow",
    }.get(error.code, "try again; a hard refresh of the Application asks anew")
    return Finding(error.code, f"cannot check: {str(error).rstrip('.')}. {said}", fix=fix)


def _asked(policy: Policy, digest: Digest, children: Mapping[str, Digest]) -> _Subjects:
    """The digest that is deployed, and what `policy` wants verified beside it; a finding where that is not there."""
    platforms, missing = to_verify(policy, children)
    return missing[0] if missing else tuple(dict.fromkeys((digest, *platforms.values())))


def _steps(
    subjects: Mapping[str, _Subjects], policies: Sequence[Policy]
) -> Iterator[tuple[Digest, EvidenceSource, Place]]:
    """Where evidence may hang, in the order in which it is looked for: nothing where no policy demands any."""
    demanding = [policy for policy in policies if policy.anchors()]
    digests = dict.fromkeys(
        d for policy in demanding if isinstance(found := subjects[policy.origin], tuple) for d in found
    )
    sources = dict.fromkeys(source for policy in demanding for source in (_OWN, *policy.sources()))
    for digest in digests:
        for source in sources:
            for place in _wanted(demanding).places():
                yield digest, source, place


def _wanted(policies: Sequence[Policy]) -> Wanted:
    """What `policies` look for."""
    demands = {(d.kind, d.predicate_types) for policy in policies for d in policy.require}
    kinds = {"signature" if kind == "any" else kind for kind, _ in demands}
    return Wanted("signature" in kinds, len(demands) - ("signature" in kinds))
