"""Which objects of a source cannot stand beside the check at sync time, by Argo CD's rules of phases and waves."""

from typing import Any

import pytest

from argocd_provenance.argocd.synchooks import WORDS, collision, phases, wave
from argocd_provenance.documents import ObjectIdentity, objects_with, read
from argocd_provenance.errors import DocumentError

HOOK, WAVE = "argocd.argoproj.io/hook", "argocd.argoproj.io/sync-wave"


def one(**more: Any) -> ObjectIdentity:
    """A Job of the source."""
    told: dict[str, Any] = {"api_version": "batch/v1", "kind": "Job", "namespace": "", "name": "migrate"}
    told |= {"generate_name": "", "annotations": {}, "file": "job.yaml", "line": 3}
    return ObjectIdentity(**(told | more))


def refused(text: str) -> list[str]:
    """What is said of the objects in `text`."""
    found = (collision(one) for one in objects_with(read([("f.yaml", text)]), WORDS))
    return [finding.message for finding in found if finding is not None]


class TestPhases:
    @pytest.mark.parametrize(
        ("annotations", "expected"),
        [
            ({}, set()),
            ({HOOK: "PreSync"}, {"PreSync"}),
            ({HOOK: " PreSync , PostSync,"}, {"PreSync", "PostSync"}),
            ({HOOK: "Skip"}, set()),
            ({HOOK: "Skip,PreSync"}, {"PreSync"}),
            ({HOOK: "presync"}, set()),
            ({"helm.sh/hook": "pre-install,post-upgrade"}, {"PreSync", "PostSync"}),
            ({"helm.sh/hook": "pre-upgrade"}, {"PreSync"}),
            ({"helm.sh/hook": "pre-rollback,test"}, set()),
            ({HOOK: "Sync", "helm.sh/hook": "pre-install"}, {"Sync"}),
            ({HOOK: "nonsense", "helm.sh/hook": "pre-install"}, {"PreSync"}),
        ],
    )
    def test_are_those_of_gitops_engine(self, annotations: dict[str, str], expected: set[str]) -> None:
        """pkg/sync/hook/hook.go: Types; helm's hooks count where none of Argo CD's does."""
        assert phases(annotations) == expected

    @pytest.mark.parametrize(
        ("annotations", "expected"),
        [
            ({}, 0),
            ({WAVE: "-5"}, -5),
            ({WAVE: "+5"}, 5),
            ({WAVE: " 5"}, 0),
            ({WAVE: "-1_000"}, 0),
            ({WAVE: "٣"}, 0),
            ({WAVE: "five", "helm.sh/hook-weight": "-7"}, -7),
            ({WAVE: "-3", "helm.sh/hook-weight": "-7"}, -3),
            ({WAVE: "-9223372036854775808"}, -(2**63)),
            ({WAVE: "-9223372036854775809"}, 0),
        ],
    )
    def test_the_wave_is_what_go_reads(self, annotations: dict[str, str], expected: int) -> None:
        """pkg/sync/syncwaves/waves.go: strconv.Atoi, then helm's weight."""
        assert wave(annotations) == expected


class TestCollisions:
    @pytest.mark.parametrize("number", ["-1000000", "-1000001", "-9223372036854775808"])
    def test_a_presync_hook_that_is_not_behind_ours_is_refused(self, number: str) -> None:
        """In the same wave it runs beside ours, in a lower one before."""
        found = collision(one(annotations={HOOK: "PreSync", WAVE: number}))

        assert found is not None
        assert (found.code, found.found) == ("hook-collision", f"wave {number}")

    @pytest.mark.parametrize(
        "annotations",
        [{HOOK: "PreSync"}, {HOOK: "PreSync", WAVE: "-999999"}, {HOOK: "Sync", WAVE: "-2000000"}, {WAVE: "-2000000"}],
    )
    def test_everything_behind_ours_is_let_be(self, annotations: dict[str, str]) -> None:
        """Later waves and later phases run nothing until ours has ended well."""
        assert collision(one(annotations=annotations)) is None

    @pytest.mark.parametrize("field", ["name", "generate_name"])
    @pytest.mark.parametrize(
        ("name", "ours"),
        [
            ("provenance-check-1a2b3c4d-", True),
            ("provenance-check-1a2b3c4d-abc1234-presync-1700000000", True),
            ("provenance-proof-00000000", True),
            ("provenance-check", False),
            ("provenance-check-results", False),
            ("my-provenance-check-1a2b3c4d-", False),
        ],
    )
    def test_a_name_like_ours_is_refused_whatever_the_kind(self, field: str, name: str, ours: bool) -> None:  # noqa: FBT001
        """Whose hash it has does not matter: it could be that of another Application in the namespace."""
        assert (collision(one(**{field: name})) is not None) == ours


class TestReading:
    @pytest.mark.parametrize(
        "text",
        [
            "kind: Job\nmetadata: {name: a, annotations: {argocd.argoproj.io/hook: PreSync, argocd.argoproj.io/sync-wave: '-1000000'}}\n",
            'kind: Job\nmetadata: {name: a, annotations: {"argocd.argoproj.io/\\x68ook": PreSync, argocd.argoproj.io/sync-wave: "-1000000"}}\n',
            "kind: List\nitems:\n- kind: List\n  items: [{kind: Job, metadata: {generateName: provenance-check-00000000-}}]\n",
            "x: &a {argocd.argoproj.io/hook: PreSync, argocd.argoproj.io/sync-wave: '-1000000'}\nkind: Job\nmetadata: {annotations: {<<: *a}}\n",
            "kind: Job\nmetadata: {name: a, annotations: {argocd.argoproj.io/hook: PreSync, argocd.argoproj.io/sync-wave: -1000000}}\n",
            '{"kind": "ConfigMap", "metadata": {"name": "provenance-check-00000000-x"}}',
        ],
        ids=["plain", "escaped", "list in a list", "merged", "a number", "JSON"],
    )
    def test_no_spelling_hides_an_object(self, text: str) -> None:
        """Escapes, lists, merges and JSON are read as Argo CD reads them."""
        assert len(refused(text)) == 1

    def test_an_object_that_says_twice_who_it_is_cannot_be_read(self) -> None:
        """Readers disagree which of two annotations holds."""
        text = "kind: Job\nmetadata: {annotations: {argocd.argoproj.io/hook: PreSync, argocd.argoproj.io/hook: Skip}}\n"

        with pytest.raises(DocumentError, match="stands twice"):
            refused(text)

    def test_data_that_speaks_of_hooks_is_no_hook(self) -> None:
        """Only metadata counts."""
        assert (
            refused('kind: ConfigMap\ndata: {a: "argocd.argoproj.io/hook: PreSync\\n", name: provenance-check-x}\n')
            == []
        )
