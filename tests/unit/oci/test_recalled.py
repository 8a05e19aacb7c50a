"""What is remembered of tags and lists is told only while it is believed, and only of hosts that may be asked."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RegistryError
from argocd_provenance.oci.credentials import Credentials
from argocd_provenance.oci.gathered import Listing, Place
from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.oci.registry import Registry
from argocd_provenance.oci.remembered import Remembered
from support.memories import Keeper

TAGGED = Reference.parse("ghcr.io/acme/app:v1")
REPOSITORY, IMAGE, INDEX = TAGGED.repository, Digest.of(b"image"), Digest.of(b"index")
BASE = "https://ghcr.io"


@contextmanager
def asked(keeper: Keeper, tags: float = 30.0, *, permitted: bool = True) -> Iterator[tuple[Registry, Remembered]]:
    """A registry client that may ask nobody, and what it remembers."""
    with keeper.memory() as memory:
        remembered = Remembered(memory, tags)
        yield (
            Registry((), lambda _host: permitted, Credentials(), Deadline(5), remembered=remembered, offline=True),
            remembered,
        )


def learned(*, api: bool = False) -> Keeper:
    """What a run learned of a tag, and of the lists of what hangs on its digest."""
    keeper = Keeper()
    with asked(keeper) as (registry, remembered):
        where = registry._questions.endpoints(REPOSITORY)
        remembered.keep_tag(where, REPOSITORY, "v1", IMAGE)
        if api:
            remembered.keep_listing(where, REPOSITORY, IMAGE, Listing(()))
        else:
            remembered.keep_lack_of_referrers(BASE)
        remembered.keep_tag(where, REPOSITORY, Place.REFERRERS.tag(IMAGE), INDEX)
        remembered.keep_tag(where, REPOSITORY, Place.SIGNATURES.tag(IMAGE), None)
    return keeper


@pytest.mark.parametrize(("seconds", "known"), [(29, True), (31, False)])
def test_a_tag_is_told_while_it_is_believed(seconds: int, *, known: bool) -> None:
    """After `cache.tags` the registry must be asked."""
    keeper = learned()
    keeper.later(seconds)

    with asked(keeper) as (registry, _):
        assert registry.recall(TAGGED) == (IMAGE if known else None)


@pytest.mark.parametrize(("seconds", "known"), [(29, True), (31, False)])
def test_lists_are_told_while_they_are_believed(seconds: int, *, known: bool) -> None:
    """As the tag; what the digest stands for does not change, but what hangs on it may."""
    keeper = learned()
    keeper.later(seconds)

    with asked(keeper) as (registry, _):
        found = registry.lists(REPOSITORY, IMAGE, Place.REFERRERS)
    assert found == (("no api", f"tag {INDEX}", "no manifest") if known else None)


def test_a_list_is_not_told_by_a_tag_that_is_not_believed() -> None:
    """Not even where the registry is known to list nothing else."""
    keeper = learned()
    keeper.later(31)
    with asked(keeper) as (registry, remembered):
        remembered.keep_lack_of_referrers(BASE)

    with asked(keeper) as (registry, _):
        assert registry.lists(REPOSITORY, IMAGE, Place.REFERRERS) is None


@pytest.mark.parametrize(("seconds", "known"), [(4, True), (6, False)])
def test_absence_is_believed_for_seconds(seconds: int, *, known: bool) -> None:
    """Whoever signs now deploys now: by a tag of cosign's, and by a list of the API that holds nothing."""
    keeper = learned(api=True)
    keeper.later(seconds)

    with asked(keeper) as (registry, _):
        assert registry.lists(REPOSITORY, IMAGE, Place.SIGNATURES) == (("no tag",) if known else None)
        assert (registry.lists(REPOSITORY, IMAGE, Place.REFERRERS) is not None) == known


def test_nothing_is_told_where_tags_are_never_believed() -> None:
    """``cache.tags: 0s``."""
    with asked(learned(), tags=0) as (registry, _):
        assert registry.recall(TAGGED) is None
        assert registry.lists(REPOSITORY, IMAGE, Place.REFERRERS) is None


def test_nothing_is_told_of_a_host_that_may_not_be_asked() -> None:
    """A policy that named it yesterday is gone."""
    with asked(learned(), permitted=False) as (registry, _):
        with pytest.raises(RegistryError):
            registry.recall(TAGGED)
        with pytest.raises(RegistryError):
            registry.lists(REPOSITORY, IMAGE, Place.REFERRERS)


def test_a_digest_stands_for_itself() -> None:
    """Nothing need be remembered of it."""
    with asked(Keeper()) as (registry, _):
        assert registry.recall(Reference.parse(f"ghcr.io/acme/app@{IMAGE}")) == IMAGE


def test_where_a_tag_led_to_the_manifest_it_is_looked_at() -> None:
    """What BuildKit put into it is a note, which belongs to what was found."""
    with asked(learned()) as (registry, _):
        registry.recall(TAGGED)
        lists = registry.lists(REPOSITORY, IMAGE, Place.REFERRERS)

    assert lists is not None
    assert lists[-1] == "manifest"
