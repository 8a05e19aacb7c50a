"""``generate``: what it prints, where, and with which exit code, for everything that an Application may bring."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from argocd_provenance.cli.streams import write_output
from argocd_provenance.demo.registry import refusal
from argocd_provenance.errors import Error
from support.scenario import Scenario
from support.shop import API, BUILT, WEB, pod, policy, shop

ENGINE = 'apiVersion: example.com/v1\nkind: Engine\nmetadata: {name: e}\nspec: {engineImage: "REGISTRY/acme/web:v1"}\n'
ROW = "images:\n  - {apiVersion: 'example.com/*', kind: Engine, path: '$.spec.engineImage'}\n"
WORKFLOW = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  templates:
    - name: t
      container: {image: "{{inputs.parameters.image}}"}
    - name: u
      container: {image: "REGISTRY/acme/web:v1"}
"""
PROGRAM = [sys.executable, "-I", "-m", "argocd_provenance", "generate", "source"]
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
VERDICT = "argocd-provenance.io/verdict"


def parameters(**values: str) -> dict[str, str]:
    """The environment with these plugin parameters."""
    listed = [{"name": name.replace("_", "."), "string": value} for name, value in values.items()]
    return {"ARGOCD_APP_PARAMETERS": json.dumps(listed)}


def objects(manifests: str) -> list[Any]:
    """The documents that were printed."""
    return list(yaml.safe_load_all(manifests))


def silent(answer: tuple[int, str, str], code: int, *said: str) -> None:
    """Assert the exit code, an empty standard output, and what standard error says."""
    assert (answer[0], answer[1]) == (code, "")
    assert [text for text in said if text not in answer[2]] == []


class TestStreams:
    """Standard output is whole or empty; the report stands on standard error and, if asked, in a file."""

    def test_standard_input_is_filtered(self, tmp_path: Path) -> None:
        """With - the manifests come from standard input, rendered by somebody else."""
        with shop(tmp_path, images=[WEB]) as here:
            code, out, _ = here.run("generate", "-", stdin=pod("acme/web:v1").replace("REGISTRY", here.registry.host))

        assert code == 0
        assert "@sha256:" in objects(out)[0]["spec"]["containers"][0]["image"]

    @pytest.mark.parametrize(
        ("stdin", "said"),
        [
            pytest.param(b"", "[empty-render]", id="nothing"),
            pytest.param(b"\xff\xfe", "not UTF-8", id="bytes"),
            pytest.param(b"kind: [", "[ambiguous-yaml]", id="no yaml"),
            pytest.param(b"text", "[ambiguous-yaml]", id="no object"),
        ],
    )
    def test_standard_input_that_is_no_manifest_is_an_error(self, tmp_path: Path, stdin: bytes, said: str) -> None:
        """Exit 3, and the report says what is wrong."""
        with shop(tmp_path) as here:
            answer = here.run("generate", "-", stdin=stdin)  # type: ignore[arg-type]

        silent(answer, 3, said)

    def test_the_json_report_is_written_beside(self, tmp_path: Path) -> None:
        """Whole, with verdict and images, for a denial as for anything else."""
        with shop(tmp_path, images=[WEB, API], source={"p.yaml": pod("acme/web:v1", "acme/api:v1")}) as here:
            code, _, _ = here.generate("--report", str(tmp_path / "report.json"))

        report = json.loads((tmp_path / "report.json").read_text())
        assert (code, report["verdict"]) == (4, "denied")
        assert [i["verdict"] for i in report["images"]] == ["denied", "allowed"]
        assert report["images"][0]["where"][0]["name"] == "web"

    def test_a_report_that_cannot_be_written_prints_nothing(self, tmp_path: Path) -> None:
        """Exit 2: what was asked for could not be done, so nothing is deployed."""
        with shop(tmp_path, images=[WEB], source={"p.yaml": pod("acme/web:v1")}) as here:
            answer = here.generate("--report", str(tmp_path / "none" / "report.json"))

        silent(answer, 2, "--report: cannot write")

    @pytest.mark.parametrize(("closed", "code"), [(">&-", 3), ("<&-", 0), ("2>&-", 0)])
    def test_closed_streams_are_no_success_and_no_crash(self, tmp_path: Path, closed: str, code: int) -> None:
        """Output that nobody gets is exit 3; input and errors that nobody needs change nothing."""
        with shop(tmp_path, source={"c.yaml": CONFIG_MAP}) as here:
            done = _started(here, ["bash", "-c", f'"$@" {closed}', "bash", *PROGRAM], subprocess.PIPE)

        assert done.returncode == code
        assert "Traceback" not in done.stderr

    def test_a_reader_that_has_gone_is_no_success(self, tmp_path: Path) -> None:
        """A broken pipe is exit 3 with the reason, not a traceback."""
        reading, writing = os.pipe()
        os.close(reading)
        with shop(tmp_path, source={"c.yaml": CONFIG_MAP}) as here, open(writing, "wb") as nobody:  # noqa: PTH123
            done = _started(here, PROGRAM, nobody)

        assert done.returncode == 3
        assert "standard output could not be written" in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_write_that_fails_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What could not be written must not look like success, whoever writes."""
        reading, writing = os.pipe()
        os.close(reading)
        stream = os.fdopen(writing, "w")
        monkeypatch.setattr(sys, "stdout", stream)

        with pytest.raises(Error, match="standard output could not be written"):
            write_output("manifests")

        sys.stdout.close()
        with contextlib.suppress(BrokenPipeError):  # the bytes that nobody wanted are still there
            stream.close()


def _started(here: Scenario, command: list[str], output: Any) -> subprocess.CompletedProcess[str]:
    told = {"PATH": os.environ["PATH"], "ARGOCD_PROVENANCE_CONFIG": str(here.folder / "config.yaml")}
    return subprocess.run(
        command, cwd=here.folder, env=told, stdout=output, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )


class TestFolders:
    """A folder that cannot be rendered is exit 3 with a reason, never an empty success."""

    @pytest.mark.parametrize(
        ("files", "said"),
        [
            pytest.param({"README.md": "nothing"}, ("[empty-render]", "allowEmpty"), id="nothing"),
            pytest.param({"Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n"}, ("[render-failed]", "helm"), id="helm"),
            pytest.param({"kustomization.yaml": "resources: []\n"}, ("[render-failed]", "kustomize"), id="kustomize"),
            pytest.param({"p.yaml": pod("acme/web:v1") + "  containers: []\n"}, ("[ambiguous-yaml]", "p.yaml:"), id="keys"),
            pytest.param({"p.yaml": pod("x").replace("REGISTRY/x", "7")}, ("[ambiguous-yaml]", "p.yaml:"), id="number"),
            pytest.param({"p.yaml": pod("Not An Image")}, ("[invalid-reference]", "Fix: "), id="no reference"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_rendered_or_read(self, tmp_path: Path, files: Mapping[str, str], said: tuple[str]) -> None:
        """Without helm or kustomize on the path the text says so."""
        with shop(tmp_path, source=files) as here:
            answer = here.generate(environment={"PATH": ""})

        silent(answer, 3, *said)

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        """Exit 3, by name."""
        with shop(tmp_path) as here:
            answer = here.run("generate", str(tmp_path / "none"))

        silent(answer, 3, "none")

    def test_an_empty_render_can_be_allowed(self, tmp_path: Path) -> None:
        """`allowEmpty: true` is the operator's word."""
        with shop(tmp_path, source={"README.md": "nothing"}, config="allowEmpty: true\n") as here:
            code, out, err = here.generate()

        assert (code, out) == (0, "")
        assert err.startswith("image policy: no images")


class TestOperatorFiles:
    """What the operator wrote wrongly is exit 2, with file, line and path, all at once."""

    def test_all_faults_of_a_config_come_at_once(self, tmp_path: Path) -> None:
        """Each as FILE:LINE: path: message."""
        with shop(tmp_path, source={"p.yaml": pod("acme/web:v1")}, config="unmatchd: pin\ndeadline: soon\n") as here:
            answer = here.generate()

        silent(answer, 2, "config.yaml:8: unmatchd: ", "did you mean", "config.yaml:9: deadline: ")

    def test_all_faults_of_a_policy_come_at_once(self, tmp_path: Path) -> None:
        """The same for policies."""
        wrong = policy(mode="enforced", platform="all")
        with shop(tmp_path, source={"p.yaml": pod("acme/web:v1")}, rules=wrong) as here:
            answer = here.generate()

        silent(answer, 2, "policy.yaml:6: spec.mode: ", "policy.yaml:7: spec.platform: ")

    @pytest.mark.parametrize("text", ["", "# nothing\n"])
    def test_an_empty_config_is_unusable(self, tmp_path: Path, text: str) -> None:
        """An empty file is not a config of defaults."""
        with shop(tmp_path, source={"p.yaml": pod("acme/web:v1")}) as here:
            (here.folder / "config.yaml").write_text(text)
            answer = here.generate()

        silent(answer, 2, "config.yaml")

    def test_a_row_that_is_no_jsonpath(self, tmp_path: Path) -> None:
        """It is found before anything is rendered."""
        row = "images:\n  - {apiVersion: 'x/*', kind: Engine, path: '$.['}\n"
        with shop(tmp_path, source={"README.md": "nothing"}, config=row) as here:
            answer = here.generate()

        silent(answer, 2, "config.yaml", "$.[")

    @pytest.mark.parametrize("root", ["{}", "not json", '{"mediaType": 3}'])
    def test_a_malformed_trust_root(self, tmp_path: Path, root: str) -> None:
        """It is the operator's file, so exit 2 and its name."""
        with shop(tmp_path, images=[WEB], source={"p.yaml": pod("acme/web:v1")}) as here:
            (here.folder / "trusted_root.json").write_text(root)
            answer = here.generate()

        silent(answer, 2, "trusted_root.json")

    def test_policies_that_are_not_there(self, tmp_path: Path) -> None:
        """All of them, and the config that names them."""
        with shop(tmp_path, images=[WEB], source={"p.yaml": pod("acme/web:v1")}) as here:
            config = here.folder / "config.yaml"
            config.write_text(config.read_text().replace("policies: [", "policies: [none/, gone.yaml, "))
            answer = here.generate()

        silent(answer, 2, "config.yaml: policies: there is no", "none", "gone.yaml")

    def test_an_unknown_trust_domain(self, tmp_path: Path) -> None:
        """A policy that names it can never hold; that is said before anything is asked."""
        rules = policy().replace("domain: test", "domain: tset")
        with shop(tmp_path, images=[WEB], source={"p.yaml": pod("acme/web:v1")}, rules=rules) as here:
            answer = here.generate()
            asked = here.registry.requests

        silent(answer, 2, "there is no trust domain 'tset'", "test")
        assert asked == []


class TestPlaces:
    """Where images stand, and what looks like one."""

    def test_rows_of_the_config_are_image_fields(self, tmp_path: Path) -> None:
        """The field is verified and pinned like any other."""
        with shop(tmp_path, images=[WEB], source={"e.yaml": ENGINE}, config=ROW) as here:
            code, out, _ = here.generate()

        assert code == 0
        assert "@sha256:" in objects(out)[0]["spec"]["engineImage"]

    @pytest.mark.parametrize(("word", "code"), [("report", 0), ("deny", 4)])
    def test_suspects_are_reported_or_denied(self, tmp_path: Path, word: str, code: int) -> None:
        """A string that looks like an image where no field is known; every output says it."""
        with shop(tmp_path, images=[WEB], source={"e.yaml": ENGINE}, config=f"suspects: {word}\n") as here:
            given, out, err = here.generate("--report", str(tmp_path / "r.json"))
            sarif = json.loads(here.generate("--output", "sarif")[2])
            junit = here.generate("--output", "junit")[2]

        report = json.loads((tmp_path / "r.json").read_text())
        assert (given, bool(out), "[suspect]" in err) == (code, code == 0, True)
        assert report["suspects"][0]["text"].endswith("/acme/web:v1")
        assert [r["ruleId"] for r in sarif["runs"][0]["results"]] == ["suspect"]
        assert ("<failure" in junit) == (code == 4)

    @pytest.mark.parametrize(("word", "code"), [("deny", 4), ("report", 0)])
    def test_a_templated_field_is_denied_or_reported(self, tmp_path: Path, word: str, code: int) -> None:
        """A hole in a known kind is never called verified."""
        with shop(tmp_path, images=[WEB], source={"w.yaml": WORKFLOW}, config=f"templated: {word}\n") as here:
            given, out, err = here.generate()

        assert given == code
        assert ("[templated]" in err) == (word == "deny")
        if word == "report":
            assert "is no image reference, left as it is" in err
            assert objects(out)[0]["metadata"]["annotations"][VERDICT] == "unverified"

    def test_forged_annotations_are_dropped_and_each_item_of_a_list_has_its_own(self, tmp_path: Path) -> None:
        """A repository cannot ship its own "verified"."""
        forged = f'{{"{VERDICT}": verified, kept: "yes"}}'
        items = "".join(
            f"- {json.dumps(yaml.safe_load(pod('acme/web:v1', name=name, annotations=forged)))}\n" for name in "ab"
        )
        source = {
            "list.yaml": f"apiVersion: v1\nkind: List\nitems:\n{items}",
            "c.yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c, annotations: {forged}}}\n",
        }
        with shop(tmp_path, images=[WEB], source=source, rules=policy("", mode="pin")) as here:
            code, out, _ = here.generate()

        plain, listed = sorted(objects(out), key=lambda o: o["kind"])
        assert code == 0
        assert plain["metadata"]["annotations"] == {"kept": "yes"}
        assert [i["metadata"]["annotations"][VERDICT] for i in listed["items"]] == ["unverified"] * 2

    def test_a_helm_test_is_reported_and_refuses_nothing(self, tmp_path: Path) -> None:
        """Argo CD never applies it; its unsigned image stays as written, and is checked where something else runs it."""
        hook = "{helm.sh/hook: test}"
        source = {"web.yaml": f"{pod('acme/web:v1')}---\n{pod('acme/api:v1', name='test', annotations=hook)}"}
        with shop(tmp_path / "one", images=[WEB, API], source=source) as here:
            code, manifests, report = here.generate()

            assert here.registry.asked("acme/api") == []
        assert code == 0
        assert [o["spec"]["containers"][0]["image"].partition("@")[0] for o in objects(manifests)] == [
            "REGISTRY/acme/web:v1",
            "REGISTRY/acme/api:v1",
        ]
        assert "'REGISTRY/acme/api:v1' is not checked: Argo CD never applies a helm test" in report
        source["api.yaml"] = pod("acme/api:v1", name="api")
        with shop(tmp_path / "two", images=[WEB, API], source=source) as here:
            assert here.generate()[0] == 4


class TestVerdicts:
    """Exit codes, report and annotations agree."""

    @pytest.mark.parametrize("broken", [False, True])
    def test_warn_lets_through_and_tells_the_truth(self, tmp_path: Path, *, broken: bool) -> None:
        """Exit 0, as written, annotated warned; the JSON verdict of the image stays denied, or error."""
        rules = policy(mode="warn")
        with shop(tmp_path, images=[API], source={"p.yaml": pod("acme/api:v1")}, rules=rules) as here:
            if broken:
                here.registry.answers["/v2/acme/api/manifests/v1"] = refusal(403, "DENIED", "no")
            code, out, err = here.generate("--report", str(tmp_path / "r.json"))

        report = json.loads((tmp_path / "r.json").read_text())
        image = report["images"][0]
        assert (code, report["verdict"]) == (0, "allowed")
        assert (image["verdict"], image["mode"]) == ("error" if broken else "denied", "warn")
        assert image["findings"]
        assert objects(out)[0]["spec"]["containers"][0]["image"] == "REGISTRY/acme/api:v1"
        assert objects(out)[0]["metadata"]["annotations"][VERDICT] == "warned"
        assert " WARN " in err

    def test_the_weakest_image_gives_the_word_of_the_object(self, tmp_path: Path) -> None:
        """One verified and one warned image are a warned object."""
        rules = f"{policy(images='[REGISTRY/acme/web]')}---\n{policy(images='[REGISTRY/acme/api]', name='soon', mode='warn')}"
        with shop(
            tmp_path, images=[WEB, API], source={"p.yaml": pod("acme/web:v1", "acme/api:v1")}, rules=rules
        ) as here:
            code, out, _ = here.generate()

        assert code == 0
        assert objects(out)[0]["metadata"]["annotations"][VERDICT] == "warned"

    def test_parameters_tighten_the_mode(self, tmp_path: Path) -> None:
        """`policy.mode: enforce` makes a warning block."""
        rules = policy(mode="warn")
        with shop(tmp_path, images=[API], source={"p.yaml": pod("acme/api:v1")}, rules=rules) as here:
            answer = here.generate(environment=parameters(policy_mode="enforce"))

        silent(answer, 4, " DENY ")

    def test_parameters_tighten_what_is_unmatched(self, tmp_path: Path) -> None:
        """`policy.unmatched: deny` denies what the config would pin."""
        rules = policy(images='["other.example/**"]')
        with shop(
            tmp_path, images=[API], source={"p.yaml": pod("acme/api:v1")}, rules=rules, config="unmatched: pin\n"
        ) as here:
            loose, tight = here.generate(), here.generate(environment=parameters(policy_unmatched="deny"))

        assert loose[0] == 0
        silent(tight, 4, "[unmatched]")

    def test_an_application_outside_the_policy_is_denied(self, tmp_path: Path) -> None:
        """The name that Argo CD gives decides."""
        rules = policy(applications="{names: [payments]}")
        with shop(tmp_path, images=[WEB], source={"p.yaml": pod("acme/web:v1")}, rules=rules) as here:
            inside = here.generate(environment={"ARGOCD_APP_NAME": "payments"})
            outside = here.generate(environment={"ARGOCD_APP_NAME": "shop"})

        assert inside[0] == 0
        silent(outside, 4, "[out-of-scope]")

    def test_only_hosts_that_the_operator_named_are_asked(self, tmp_path: Path) -> None:
        """A pattern like ** names none; the answer is "not permitted", and no packet is sent."""
        rules = policy("", mode="pin", images='["**"]')
        with shop(tmp_path, images=[WEB], source={"p.yaml": pod("acme/web:v1")}, rules=rules) as here:
            config = (here.folder / "config.yaml").read_text()
            (here.folder / "config.yaml").write_text(config[: config.index("registries:")])
            answer = here.generate()
            asked = here.registry.requests

        silent(answer, 3, "[registry-forbidden]", "`registries`")
        assert asked == []

    def test_denied_and_unchecked_are_counted_in_the_first_line(self, tmp_path: Path) -> None:
        """Denied is worse than unchecked, which is worse than allowed."""
        three = {"p.yaml": pod("acme/web:v1", "acme/api:v1", "acme/none:v1")}
        with shop(tmp_path, images=[WEB, API], source=three) as here:
            answer = here.generate()
        first = answer[2].splitlines()[0]

        silent(answer, 4, "[unsigned]", "[image-not-found]")
        assert first == "image policy: 1 of 3 images refused, 1 not checked (app golden, policy shop)"

    def test_control_characters_of_the_environment_stay_out_of_the_report(self, tmp_path: Path) -> None:
        """The first line holds the Application's name, which is somebody else's text."""
        with shop(tmp_path, images=[WEB], source={"p.yaml": pod("acme/web:v1")}) as here:
            _, _, err = here.generate(environment={"ARGOCD_APP_NAME": "shop\x1b[2J\nimage policy: fine"})

        assert "\x1b" not in err
        assert len(err.splitlines()) == 2

    def test_an_exception_is_not_counted_as_verified(self, tmp_path: Path) -> None:
        """Also where another policy over the same image was satisfied."""
        image = {"image": "acme/web:v1", "attach": [BUILT]}
        with shop(tmp_path, images=[image], source={"p.yaml": pod("acme/web:v1")}) as here:
            digest = here.registry.contents.tags["acme/web", "v1"]
            _second_policy(here, digest)
            code, out, err = here.generate()

        assert code == 0
        assert objects(out)[0]["metadata"]["annotations"][VERDICT] == "exception"
        assert err.startswith("image policy: 1 image: 1 by exception")


def _second_policy(here: Scenario, digest: str) -> None:
    host = here.registry.host
    excepted = f'[{{images: ["{host}/acme/web@{digest}"], owner: shop, reason: X-1, expires: 2999-01-01}}]'
    demand = "- attestation: {type: https://spdx.dev/Document, by: [{identity: {issuer: i, subject: s}, domain: test}]}"
    text = f"{policy()}---\n{policy(demand, name='sbom', exceptions=excepted)}"
    (here.folder / "policy.yaml").write_text(text.replace("REGISTRY", host))
