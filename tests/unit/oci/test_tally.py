"""Requests as numbers."""

import pytest

from argocd_provenance.oci.tally import KINDS, RESULTS, Tally, kind_of

DIGEST = "sha256:" + "1a" * 32


class TestTally:
    @pytest.mark.parametrize(
        ("url", "kind"),
        [
            ("https://r.example/v2/acme/web/manifests/v1", "tag"),
            (f"https://r.example/v2/acme/web/manifests/{DIGEST}", "manifest"),
            (f"https://r.example/v2/acme/web/manifests/{DIGEST.replace(':', '-')}.sig", "tag"),
            (f"https://r.example/artifactory/api/docker/hub/v2/v2/blobs/blobs/{DIGEST}", "blob"),
            (f"https://r.example/v2/acme/web/referrers/{DIGEST}?page=2", "referrers"),
            ("https://auth.example/token?service=r&scope=repository:a/manifests/b:pull", "token"),
            ("https://r.example/v2/", "token"),
            ("https://r.example/", "token"),
        ],
    )
    def test_a_request_is_of_the_kind_that_its_path_names(self, url: str, kind: str) -> None:
        """The endpoint before the last part, whatever repositories are called."""
        assert kind_of(url) == kind
        assert kind in KINDS

    @pytest.mark.parametrize(
        ("status", "result"),
        [
            (200, "ok"), (206, "ok"), (307, "redirected"), (401, "unauthorized"), (403, "unauthorized"), (404, "absent"),
            (405, "refused"), (429, "throttled"), (500, "failed"), (503, "failed"), (0, "failed"), (999, "failed"),
        ],
    )  # fmt: skip
    def test_a_result_is_one_of_a_closed_list(self, status: int, result: str) -> None:
        """Whatever a registry answers with."""
        tally = Tally()
        with tally.request("tag") as answered:
            answered(status)

        assert tally.counts() == {("tag", result): 1}
        assert result in RESULTS

    def test_a_request_without_a_whole_answer_has_failed(self) -> None:
        """It is counted all the same."""
        tally = Tally()
        with pytest.raises(ConnectionResetError), tally.request("blob"):
            raise ConnectionResetError

        assert tally.counts() == {("blob", "failed"): 1}
