"""Whatever hangs on an image, in whatever order: one answer, and less evidence never helps."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from argocd_provenance.demo.sigstore import VirtualSigstore, encode, statement
from argocd_provenance.demo.world import provenance
from argocd_provenance.errors import RegistryError
from argocd_provenance.evidence.trust import trust_domain
from argocd_provenance.evidence.verify import Verifier
from argocd_provenance.oci.gathered import Attachment, Gathered, Place
from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.pipeline import Decided
from argocd_provenance.verdict import Outcome
from support.scenario import IDENTITY, SIGN, SLSA
from support.shop import FORK, PROVENANCE, SIGNATURE, decide, policies, policy

SIGSTORE = VirtualSigstore(datetime(2026, 6, 1, 12, tzinfo=UTC))
VERIFIER = Verifier({"test": trust_domain("test", encode(SIGSTORE.trusted_root()))})
IMAGE = Digest.of(b"image")
JUDGED_BY = policies(policy(f"{SIGNATURE}\n{PROVENANCE}"), host="r.example")
DOWN = RegistryError("the registry is down")


def _pieces() -> list[tuple[Place, Attachment | RegistryError]]:
    """Everything that may hang on the image: good, foreign, of another image, broken, and a place that fails."""
    owner, fork = SIGSTORE.issue(IDENTITY), SIGSTORE.issue(FORK)
    bundles = [
        SIGSTORE.bundle(owner, statement(IMAGE.text, SIGN, {}, name=None)),
        SIGSTORE.bundle(owner, statement(IMAGE.text, SLSA, provenance(IDENTITY))),
        SIGSTORE.bundle(fork, statement(IMAGE.text, SLSA, provenance(FORK))),
        SIGSTORE.bundle(owner, statement(Digest.of(b"other").text, SLSA, provenance(IDENTITY))),
    ]
    contents = [*(encode(bundle) for bundle in bundles), b"{"]
    layer = SIGSTORE.sign_layer(IMAGE.text, owner)
    attested = SIGSTORE.attest_layer(statement(IMAGE.text, SLSA, provenance(IDENTITY)), owner, predicate_type=SLSA)
    return [
        *((Place.REFERRERS, Attachment("bundle", {}, content, "referrers")) for content in contents),
        (Place.SIGNATURES, Attachment("layer", layer.descriptor, layer.content, "sig")),
        (Place.ATTESTATIONS, Attachment("layer", attested.descriptor, attested.content, "att")),
        *((place, DOWN) for place in Place),
    ]


PIECES = _pieces()
CHOICES = st.lists(st.sampled_from(range(len(PIECES))), unique=True)


class Shelf:
    """A registry that holds one image and these pieces, in this order."""

    def __init__(self, chosen: Sequence[int]) -> None:
        self._pieces = [PIECES[number] for number in chosen]

    def resolve(self, _reference: Reference) -> Digest:
        return IMAGE

    def children(self, _repository: Any, _digest: Digest) -> dict[str, Digest]:
        return {}

    def gather(self, _repository: Any, _digest: Digest, place: Place, *, tag_prefix: str = "", wanted: Any) -> Gathered:
        assert (tag_prefix, wanted.places()[0]) == ("", Place.REFERRERS)
        here = [piece for where, piece in self._pieces if where is place]
        return Gathered(
            tuple(piece for piece in here if isinstance(piece, Attachment)),
            faults=tuple(piece for piece in here if isinstance(piece, RegistryError)),
        )


def decided(chosen: Sequence[int]) -> Decided:
    """What is decided about an image on which these pieces hang."""
    (one,) = decide(Shelf(chosen), VERIFIER, JUDGED_BY, "r.example/acme/web:v1").values()
    return one


def is_fault(number: int) -> bool:
    """Whether the piece is a place that fails."""
    return isinstance(PIECES[number][1], RegistryError)


@settings(max_examples=40, deadline=None)
@given(CHOICES, st.randoms(use_true_random=False))
def test_the_order_of_attachments_changes_nothing(chosen: list[int], random: Any) -> None:
    """Outcome, word, evidence and codes are those of the set."""
    shuffled = list(chosen)
    random.shuffle(shuffled)

    one, other = decided(chosen), decided(shuffled)

    assert (one.decision.outcome, one.decision.word, one.pinned) == (
        other.decision.outcome,
        other.decision.word,
        other.pinned,
    )
    assert {f.code for f in one.decision.findings} == {f.code for f in other.decision.findings}
    assert len(one.decision.used) == len(other.decision.used)


@settings(max_examples=40, deadline=None)
@given(CHOICES, CHOICES)
def test_less_evidence_never_helps(chosen: list[int], left_out: list[int]) -> None:
    """Who withholds evidence gains nothing; what is allowed with less is allowed with more."""
    fewer = [number for number in chosen if is_fault(number) or number not in left_out]

    less, more = decided(fewer), decided(chosen)

    assert less.decision.outcome is not Outcome.ALLOWED or more.decision.outcome is Outcome.ALLOWED


@settings(max_examples=40, deadline=None)
@given(CHOICES)
def test_only_proof_by_the_owner_allows_and_a_fault_never_denies(chosen: list[int]) -> None:
    """Allowed needs the owner's signature and provenance; with a place unseen the rest is undecided, never denied."""
    outcome = decided(chosen).decision.outcome

    proved = bool({0, 5} & set(chosen)) and bool({1, 6} & set(chosen))
    faulty = any(is_fault(number) for number in chosen)
    expected = Outcome.ALLOWED if proved else Outcome.ERROR if faulty else Outcome.DENIED
    assert outcome is expected
