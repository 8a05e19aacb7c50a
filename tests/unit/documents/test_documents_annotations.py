"""What annotations say, within their limit."""

import json

import pytest

from argocd_provenance.documents import annotations, weakest
from argocd_provenance.documents.annotations import IMAGES, LIMIT, LINK, VERDICT

ENTRY = {
    "digest": "sha256:" + "a" * 64,
    "signer": "s",
    "source": "github.com/acme/api@9e1f",
    "builder": "",
    "policies": ["shop"],
}


class TestWeakest:
    @pytest.mark.parametrize(
        ("verdicts", "expected"),
        [
            (["verified"], "verified"),
            (["verified", "exception"], "exception"),
            (["exception", "unverified"], "unverified"),
            (["unverified", "warned", "verified"], "warned"),
        ],
    )
    def test_an_object_is_as_good_as_its_weakest_image(self, verdicts: list[str], expected: str) -> None:
        """Warned < unverified < exception < verified."""
        assert weakest(verdicts) == expected

    def test_no_image_is_no_verdict(self) -> None:
        """Nothing at all must never read as verified."""
        with pytest.raises(ValueError):
            weakest([])


class TestAnnotations:
    def test_they_are_compact_json_of_what_is_known(self) -> None:
        """Keys are the references as written; empty values are left out."""
        found = annotations("verified", {"ghcr.io/acme/api:v2": ENTRY}, "https://search.sigstore.dev/?logIndex=1")

        expected = '{"ghcr.io/acme/api:v2":{"digest":"%s","signer":"s","source":"github.com/acme/api@9e1f","policies":["shop"]}}'
        assert found == {
            VERDICT: "verified",
            IMAGES: expected % ENTRY["digest"],
            LINK: "Sigstore log|https://search.sigstore.dev/?logIndex=1",
        }

    @pytest.mark.parametrize("count", [1, 5, 13, 14, 15, 40])
    @pytest.mark.parametrize("link", ["", "https://search.sigstore.dev/?logIndex=123456789"])
    def test_entries_that_do_not_fit_are_counted_never_cut(self, count: int, link: str) -> None:
        """Names and values together stay within 2,048 bytes."""
        found = annotations("verified", {f"ghcr.io/acme/äpi-{n}:v2": ENTRY for n in range(count)}, link)

        images = json.loads(found[IMAGES])
        left = int(images.pop("…", "+0"))
        assert sum(len(k.encode()) + len(v.encode()) for k, v in found.items()) <= LIMIT
        assert len(images) + left == count
        assert all(entry["digest"] == ENTRY["digest"] for entry in images.values())

    def test_one_huge_entry_leaves_room_for_the_others(self) -> None:
        """An entry too large for the limit is counted, the rest is shown."""
        images = json.loads(annotations("verified", {"a": {"signer": "x" * 3000}, "b": ENTRY})[IMAGES])

        assert list(images) == ["b", "…"]

    def test_an_unknown_verdict_is_a_fault(self) -> None:
        """No word but the four is ever written."""
        with pytest.raises(ValueError):
            annotations("good", {})
