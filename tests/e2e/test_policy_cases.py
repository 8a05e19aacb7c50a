"""``verify --record`` and ``policy test``: recorded evidence is data that is verified again, never a verdict."""

import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.scenario import Scenario, as_json
from support.shop import API, FORK, WEB, policy, shop

FORKED = {"image": "acme/fork:v1", "attach": [{"what": "provenance", "identity": FORK}]}
OLD = {"image": "acme/old:v1"}
IMAGES = ("REGISTRY/acme/web:v1", "REGISTRY/acme/api:v1", "REGISTRY/acme/fork:v1")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Scenario]:
    """A shop whose good, unsigned and forked images are recorded in ``cases``; its registry is not asked again."""
    with shop(tmp_path, images=[WEB, API, FORKED]) as scenario:
        scenario.said = scenario.run("verify", *IMAGES, "--record", str(scenario.folder / "cases"))  # type: ignore[attr-defined]
        scenario.registry.requests.clear()
        yield scenario


def case(here: Scenario, name: str) -> Path:
    """The folder of the case of that image."""
    (found,) = (here.folder / "cases").glob(f"*acme-{name}-*")
    return found


def test(here: Scenario, *arguments: str) -> tuple[int, str, str]:
    """``policy test`` of what was recorded."""
    return here.run("policy", "test", str(here.folder / "cases"), *arguments)


test.__test__ = False  # type: ignore[attr-defined]


class TestRecord:
    def test_a_recording_is_as_good_as_the_answer(self, here: Scenario) -> None:
        """The verdict is that of `verify`, and so are the exit code and the report."""
        code, out, _ = here.said  # type: ignore[attr-defined]

        assert code == 4
        assert out.count("recorded in FOLDER/cases/") == 3
        assert "expect: {verdict: allowed, codes: []}" in (case(here, "web") / "case.yaml").read_text()
        assert "expect: {verdict: denied, codes: [unsigned]}" in (case(here, "api") / "case.yaml").read_text()
        assert "expect: {verdict: denied, codes: [wrong-signer]}" in (case(here, "fork") / "case.yaml").read_text()

    def test_the_same_evidence_is_the_same_bytes(self, here: Scenario) -> None:
        """So that a recording changes in Git only when the evidence does."""
        before = {p: p.read_bytes() for p in (here.folder / "cases").rglob("*") if p.is_file()}

        here.run("verify", *IMAGES, "--record", str(here.folder / "cases"))

        assert {p: p.read_bytes() for p in (here.folder / "cases").rglob("*") if p.is_file()} == before

    def test_what_could_not_be_checked_is_not_recorded(self, here: Scenario) -> None:
        """An error says nothing of the image."""
        code, out, _ = here.run("verify", "REGISTRY/acme/none:v1", "--record", str(here.folder / "more"))

        assert code == 3
        assert "not recorded" in out
        assert not (here.folder / "more").exists()

    def test_a_bundle_is_not_recorded(self, here: Scenario) -> None:
        """Nor is anything offline."""
        for wrong in ("--offline", "--bundle=x"):
            assert here.run("verify", "x", wrong, "--record", "cases")[0] == 2


class TestReplay:
    def test_cases_come_out_as_recorded_and_nobody_is_asked(self, here: Scenario) -> None:
        """Exit 0."""
        code, out, err = test(here)

        assert (code, err) == (0, "")
        assert out.startswith("policy test: 3 cases, 0 failed\n")
        assert here.registry.requests == []

    def test_a_policy_that_changed_fails_its_cases(self, here: Scenario) -> None:
        """Both ways: what is let through now, and what is refused now."""
        (here.folder / "policy.yaml").write_text(
            policy(require="- provenance: {by: [{github: {repository: mallory/shop}, domain: test}]}").replace(
                "REGISTRY", here.registry.host
            )
        )

        code, out, _ = test(here)

        assert code == 4
        assert "3 cases, 2 failed" in out
        assert "expected allowed [], found denied [wrong-signer]" in out
        assert "expected denied [wrong-signer], found allowed []" in out

    def test_codes_count_beside_the_verdict(self, here: Scenario) -> None:
        """A denial for another reason is another outcome."""
        path = case(here, "fork") / "case.yaml"
        path.write_text(path.read_text().replace("codes: [wrong-signer]", "codes: [unsigned]"))

        assert test(here)[0] == 4

    def test_junit_and_json_say_the_same(self, here: Scenario) -> None:
        """For the CI of the policies' repository."""
        (case(here, "web") / "case.yaml").write_text(
            (case(here, "web") / "case.yaml").read_text().replace("verdict: allowed", "verdict: denied")
        )

        code, junit, _ = test(here, "--output", "junit")
        _, said, _ = test(here, "--output", "json")

        suite = ET.fromstring(junit)[0]  # noqa: S314 - our own output
        assert (code, suite.get("tests"), suite.get("failures")) == (4, "3", "1")
        assert (as_json(said)["passed"], as_json(said)["failed"]) == (2, 1)

    def test_the_day_of_a_case_decides_about_exceptions(self, here: Scenario) -> None:
        """A case without a day is judged by the clock."""
        text = (case(here, "api") / "case.yaml").read_text()
        digest = text.split('digest: "')[1].split('"')[0]
        excused = f"[{{images: ['REGISTRY/acme/api@{digest}'], owner: o, reason: r, expires: 2026-06-30}}]"
        (here.folder / "policy.yaml").write_text(policy(exceptions=excused).replace("REGISTRY", here.registry.host))

        def on(day: str, expect: str) -> int:
            (case(here, "api") / "case.yaml").write_text(
                text.replace("expect: {verdict: denied, codes: [unsigned]}", f"today: {day}\nexpect: {expect}")
            )
            return test(here)[0]

        assert on("2026-06-30", "{verdict: allowed, codes: []}") == 0
        assert on("2026-07-01", "{verdict: allowed, codes: []}") == 4


class TestTampered:
    """Whatever is done to a recording, no case passes that evidence does not prove."""

    def test_a_changed_blob_fails(self, here: Scenario) -> None:
        """Its name is its digest."""
        named = re.findall(r'(?:descriptor|content): "sha256:(\w+)"', (case(here, "web") / "case.yaml").read_text())
        for name in named:
            blob = case(here, "web") / "blobs" / "sha256" / name
            before = blob.read_bytes()
            blob.write_bytes(before + b" ")

            code, out, _ = test(here)

            assert code == 4
            assert "expected allowed [], found error [digest-mismatch" in out
            blob.write_bytes(before)
        assert len(named) >= 2
        assert test(here)[0] == 0

    def test_the_platforms_of_an_image_are_read_from_its_manifest(self, here: Scenario) -> None:
        """Whose bytes must have the digest that is deployed: who changes them hides no platform."""
        rules = policy(platforms="all").replace("REGISTRY", here.registry.host)
        (here.folder / "policy.yaml").write_text(rules)
        digest = (case(here, "web") / "case.yaml").read_text().split('digest: "sha256:')[1].split('"')[0]
        assert test(here)[0] == 0
        blob = case(here, "web") / "blobs" / "sha256" / digest
        blob.write_bytes(blob.read_bytes() + b" ")

        code, out, _ = test(here)

        assert code == 4
        assert "found error [digest-mismatch]" in out

    def test_every_changed_bundle_fails(self, here: Scenario) -> None:
        """Even under the digest of its new bytes: the signature does not fit."""
        from argocd_provenance.oci.reference import Digest

        folder = case(here, "web")
        seen = 0
        for blob in list((folder / "blobs" / "sha256").iterdir()):
            content = blob.read_bytes()
            if b"dsseEnvelope" not in content:
                continue
            changed = content.replace(b'"payload":"', b'"payload":"ey', 1).replace(
                b'"payload": "', b'"payload": "ey', 1
            )
            assert changed != content
            new = Digest.of(changed)
            (blob.parent / new.hex).write_bytes(changed)
            path = folder / "case.yaml"
            path.write_text(path.read_text().replace(f"sha256:{blob.name}", new.text))
            seen += 1

        code, out, _ = test(here)

        assert seen
        assert code == 4
        assert "expected allowed [], found denied" in out

    def test_evidence_of_another_image_fails(self, here: Scenario) -> None:
        """The digest that a tag is said to name must be that of the evidence."""
        good = (case(here, "web") / "case.yaml").read_text()
        other = (case(here, "api") / "case.yaml").read_text()
        mine, theirs = (text.split('digest: "')[1].split('"')[0] for text in (good, other))
        (case(here, "web") / "case.yaml").write_text(good.replace(mine, theirs))

        code, out, _ = test(here)

        assert code == 4
        assert "expected allowed [], found denied" in out

    def test_what_was_left_out_is_an_error_and_not_nothing(self, here: Scenario) -> None:
        """A place that was not recorded, and a blob that is gone."""
        path = case(here, "api") / "case.yaml"
        text = path.read_text()
        path.write_text(text.split("  attached:")[0] + "  attached: []\n")

        code, out, _ = test(here)

        assert code == 4
        assert "found error" in out
        shutil.rmtree(case(here, "web") / "blobs")
        assert "expected allowed [], found" in test(here)[1]

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("verdict: allowed", "verdict: fine"),
            ("kind: PolicyCase", "kind: Case"),
            ("recorded:", "recroded:"),
            ("place: sig", "palce: sig"),
        ],
    )
    def test_a_case_that_is_none_is_exit_2(self, here: Scenario, old: str, new: str) -> None:
        """With its file and line."""
        path = case(here, "web") / "case.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

        code, out, err = test(here)

        assert (code, out) == (2, "")
        assert "case.yaml:" in err

    def test_no_case_is_no_success(self, here: Scenario) -> None:
        """An empty folder proves nothing."""
        (here.folder / "empty").mkdir()

        code, _, err = here.run("policy", "test", str(here.folder / "empty"))

        assert code == 2
        assert "holds no case" in err
