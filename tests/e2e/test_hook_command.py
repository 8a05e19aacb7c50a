"""``hook``: the Pod that `generate` adds, run by its own command line, arguments and environment."""

import base64
import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from argocd_provenance.argocd.payload import LIMIT, read
from argocd_provenance.cli.hooking import without_private_keys
from argocd_provenance.demo.registry import Answer
from argocd_provenance.demo.sigstore import Signer
from argocd_provenance.errors import HookError
from support.scenario import Scenario
from support.shop import API, BUILT, PROVENANCE, SIGNATURE, SIGNED, WEB, pod, policy, shop

OURS = f"ghcr.io/acme/argocd-provenance@sha256:{'1' * 64}"
HOOK = f"hook: {{enabled: true, image: '{OURS}'}}\n"
TOLD = {"ARGOCD_APP_NAME": "shop", "ARGOCD_APP_NAMESPACE": "target", "ARGOCD_APP_PROJECT_NAME": "default"}
PRIVATE = b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nSECRET\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"
CLUSTER_POLICY = """\
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: shop}
spec:
  images: [{glob: "REGISTRY/acme/**"}]
  authorities: [{key: {secretRef: {name: cosign}}}]
"""
ASKED = '[{"name": "hook", "string": "true"}]'


@contextmanager
def hooked(folder: Path, **more: Any) -> Iterator[Scenario]:
    """A shop whose operator wants the hook."""
    with shop(folder, **({"images": [WEB], "source": {"p.yaml": pod("acme/web:v1")}, "config": HOOK} | more)) as here:
        yield here


@contextmanager
def mirrored(folder: Path, authority: str | None) -> Iterator[Scenario]:
    """A hooked shop whose images are named by a host that the registry mirrors; `authority` is the mirror's CA file."""
    source = {"p.yaml": pod("acme/web:v1").replace("REGISTRY", "images.example")}
    with hooked(folder, source=source, rules=policy(images='["images.example/**"]')) as here:
        host = here.registry.host
        more = ", caFile: ca.pem}" if authority is not None else "}"
        _change(
            here,
            f'  - {{host: "{host}"}}',
            f'  - {{host: images.example, mirror: "http://{host}"}}\n  - {{host: "{host}"{more}',
        )
        (here.folder / "ca.pem").write_text(authority or "")
        yield here


def rendered(here: Scenario, **environment: str) -> list[dict[str, Any]]:
    """The documents that `generate` prints."""
    code, out, err = here.generate(environment=TOLD | environment)
    assert code == 0, err
    return list(yaml.safe_load_all(out))


def the_pod(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """The hook among `documents`: it stands last."""
    assert "argocd.argoproj.io/hook" in documents[-1]["metadata"].get("annotations", {})
    return documents[-1]


def checked(here: Scenario, pod: dict[str, Any]) -> tuple[int, str, str]:
    """Exit code, termination message and log of the Pod's command."""
    container = pod["spec"]["containers"][0]
    message = here.folder / "termination-log"
    words = [*container["command"][4:], *container["args"], "--termination-log", str(message)]
    code, out, err = here.run(*words)
    assert out == ""
    return code, here._neutral(message.read_text()), err


class TestPod:
    def test_its_own_command_line_verifies_what_was_rendered(self, tmp_path: Path) -> None:
        """In a process of its own, with exactly the Pod's command, arguments and environment."""
        with hooked(tmp_path) as here:
            container = the_pod(rendered(here))["spec"]["containers"][0]
            command = [sys.executable, *container["command"][1:], *container["args"]]
            told = {variable["name"]: variable["value"] for variable in container["env"]}
            message = tmp_path / "message"
            done = subprocess.run(
                [*command, "--termination-log", str(message)],
                env=told,
                cwd="/",
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

        assert container["command"][0] == "/opt/argocd-provenance/bin/python"
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == message.read_text()
        assert message.read_text().startswith(
            "image policy: 1 image verified (1 provenance) (app shop, policy shop)\n OK "
        )

    def test_a_pod_that_must_end_says_what_it_could_not_do(self, tmp_path: Path) -> None:
        """Told to end while a registry keeps it waiting, it leaves its verdict where Argo CD reads it, and is no pass."""
        asked, over = threading.Event(), threading.Event()

        def never() -> Iterator[bytes]:
            asked.set()
            over.wait()
            yield b""

        with hooked(tmp_path) as here:
            container = the_pod(rendered(here))["spec"]["containers"][0]
            command = [sys.executable, *container["command"][1:], *container["args"]]
            message = tmp_path / "message"
            paths = {request.path for request in here.registry.requests if request.method == "GET"}
            here.registry.answers |= {path: Answer(200, {}, never()) for path in paths}
            running = subprocess.Popen(
                [*command, "--termination-log", str(message)], env={}, cwd="/", stderr=subprocess.PIPE
            )
            assert asked.wait(60)
            running.send_signal(signal.SIGTERM)
            _, said = running.communicate(timeout=60)
            over.set()

        assert running.returncode == 3
        assert "the Pod was told to end before everything was checked" in message.read_text()
        assert "[deadline]" in said.decode()

    def test_its_metadata_is_what_argo_cd_runs_afresh_each_time(self, tmp_path: Path) -> None:
        """Nothing else stands there; no name, no namespace, no BeforeHookCreation."""
        with hooked(tmp_path) as here:
            metadata = the_pod(rendered(here))["metadata"]

        assert (
            metadata.pop("generateName") == "provenance-check-c4e86d42-"
        )  # of project, application, namespace and source
        assert metadata == {
            "annotations": {
                "argocd.argoproj.io/hook": "PreSync",
                "argocd.argoproj.io/hook-delete-policy": "HookSucceeded,HookFailed",
                "argocd.argoproj.io/sync-options": "Force=true,Replace=true",
                "argocd.argoproj.io/sync-wave": "-1000000",
            }
        }

    @pytest.mark.parametrize(
        "other",
        [
            {"ARGOCD_APP_NAME": "other"},
            {"ARGOCD_APP_NAMESPACE": "other"},
            {"ARGOCD_APP_PROJECT_NAME": "other"},
            {"ARGOCD_APP_SOURCE_REPO_URL": "https://github.com/acme/other"},
            {"ARGOCD_APP_SOURCE_TARGET_REVISION": "other"},
            {"ARGOCD_APP_PARAMETERS": ASKED},
            {"ARGOCD_ENV_COLOUR": "red"},
        ],
        ids=lambda other: next(iter(other)),
    )
    def test_another_application_or_source_has_another_prefix(self, tmp_path: Path, other: dict[str, str]) -> None:
        """Two Applications of one commit in one namespace must not share a Pod, nor two sources of one Application."""
        with hooked(tmp_path) as here:
            names = {the_pod(rendered(here, **more))["metadata"]["generateName"] for more in ({}, other)}

        assert len(names) == 2
        assert all(len(name) <= 37 for name in names)  # Argo CD appends 26 characters to it, of 63

    def test_it_is_as_restricted_as_kubernetes_asks_at_most(self, tmp_path: Path) -> None:
        """Pod Security Standard `restricted`; no token, limits, and a deadline that lets ours come first."""
        with hooked(tmp_path) as here:
            spec = the_pod(rendered(here))["spec"]

        container = spec["containers"][0]
        assert spec["restartPolicy"] == "Never"
        assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
        assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
        assert container["image"] == OURS
        assert spec["activeDeadlineSeconds"] == 340
        assert [volume.keys() - {"name"} for volume in spec["volumes"]] == [{"emptyDir"}]

    def test_a_pull_secret_pulls_the_image_and_asks_the_registry(self, tmp_path: Path) -> None:
        """One Secret of the destination namespace for both; without it the Pod still starts and says what is missing."""
        config = HOOK.replace("}\n", ", pullSecret: registry}\n")
        with hooked(tmp_path, config=config) as here:
            spec = the_pod(rendered(here))["spec"]

        (volume,) = [volume for volume in spec["volumes"] if "secret" in volume]
        (mount,) = [m for m in spec["containers"][0]["volumeMounts"] if m["name"] == volume["name"]]
        told = {variable["name"]: variable["value"] for variable in spec["containers"][0]["env"]}
        assert spec["imagePullSecrets"] == [{"name": "registry"}]
        assert volume["secret"]["items"] == [{"key": ".dockerconfigjson", "path": "config.json"}]
        assert volume["secret"]["optional"] is True
        assert told["DOCKER_CONFIG"] == mount["mountPath"]

    def test_the_same_commit_and_evidence_give_the_same_bytes(self, tmp_path: Path) -> None:
        """What is carried is compressed without a time."""
        with hooked(tmp_path) as here:
            assert here.generate(environment=TOLD) == here.generate(environment=TOLD)


class TestAsking:
    def test_an_application_can_ask_for_it(self, tmp_path: Path) -> None:
        """Where the operator named an image; a parameter tightens."""
        config = f"hook: {{image: '{OURS}'}}\n"
        with hooked(tmp_path, config=config) as here:
            without, with_it = rendered(here), rendered(here, ARGOCD_APP_PARAMETERS=ASKED)

        assert (len(without), len(with_it)) == (1, 2)
        assert the_pod(with_it)

    def test_where_the_operator_named_no_image_asking_is_an_error(self, tmp_path: Path) -> None:
        """Exit 2: a check that was asked for and is not made would be a false comfort."""
        with hooked(tmp_path, config="") as here:
            code, out, err = here.generate(environment=TOLD | {"ARGOCD_APP_PARAMETERS": ASKED})

        assert (code, out) == (2, "")
        assert "config.yaml: hook.image is missing" in err

    def test_without_a_destination_namespace_it_cannot_be_made(self, tmp_path: Path) -> None:
        """A Pod has a namespace."""
        with hooked(tmp_path) as here:
            code, out, err = here.generate(environment=TOLD | {"ARGOCD_APP_NAMESPACE": ""})

        assert (code, out) == (3, "")
        assert "[hook-not-possible]" in err
        assert "spec.destination.namespace" in err

    def test_where_nothing_was_verified_there_is_none(self, tmp_path: Path) -> None:
        """Nothing was proved that could be proved again; the report says so."""
        with hooked(
            tmp_path, images=[API], source={"p.yaml": pod("acme/api:v1")}, rules=policy("", mode="pin")
        ) as here:
            code, out, err = here.generate(environment=TOLD)

        assert code == 0
        assert len(list(yaml.safe_load_all(out))) == 1
        assert "note: hook: no image was verified" in err

    def test_a_last_line_without_its_break_stays_a_line(self, tmp_path: Path) -> None:
        """The Pod is a document of its own whatever the source ends in."""
        with hooked(tmp_path, source={"p.yaml": pod("acme/web:v1").rstrip("\n")}) as here:
            assert [document["kind"] for document in rendered(here)] == ["Pod", "Pod"]


class TestRefusals:
    def test_an_object_that_passes_for_ours_is_refused(self, tmp_path: Path) -> None:
        """The source cannot bring its own check."""
        forged = pod("acme/web:v1", name="provenance-check-c4e86d42-abc")
        with hooked(tmp_path, source={"p.yaml": forged}) as here:
            code, out, err = here.generate(environment=TOLD)

        assert (code, out) == (4, "")
        assert " DENY [hook-collision] Pod/provenance-check-c4e86d42-abc (p.yaml:1)" in err

    def test_without_a_hook_nobody_is_refused_for_a_name(self, tmp_path: Path) -> None:
        """The rule is there for the check's sake."""
        forged = pod("acme/web:v1", name="provenance-check-c4e86d42-abc")
        with hooked(tmp_path, source={"p.yaml": forged}, config="") as here:
            assert here.generate(environment=TOLD)[0] == 0

    @pytest.mark.parametrize("form", ["json", "sarif", "junit"])
    def test_every_form_of_the_report_says_it(self, tmp_path: Path, form: str) -> None:
        """As a failure, by its code."""
        forged = pod("acme/web:v1", name="provenance-check-c4e86d42-abc")
        with hooked(tmp_path, source={"p.yaml": forged}) as here:
            err = here.generate("--output", form, environment=TOLD)[2]

        assert "hook-collision" in err
        if form == "json":
            assert json.loads(err)["verdict"] == "denied"
        if form == "junit":
            assert 'failures="1" errors="0"' in err


class TestWhatIsCarried:
    def test_only_policies_that_covered_something_go_along(self, tmp_path: Path) -> None:
        """Policies of other teams are not shown in this namespace."""
        rules = policy() + "---\n" + policy(name="elsewhere", images='["REGISTRY/hidden/**"]')
        with hooked(tmp_path, rules=rules) as here:
            carried = read(the_pod(rendered(here))["spec"]["containers"][0]["args"][1])

        assert [policy[1].count("kind: ImagePolicy") for policy in carried["policies"]] == [1]
        assert "hidden" not in json.dumps(carried)
        assert carried["images"][0]["where"] == [["Pod", "", "web", "c0"]]

    def test_two_policies_of_one_file_both_hold(self, tmp_path: Path) -> None:
        """Each keeps its name and its lines."""
        rules = policy() + "---\n# more\n" + policy(SIGNATURE, name="signed")
        signed = WEB | {"attach": [BUILT, SIGNED]}
        with hooked(tmp_path, images=[signed], rules=rules) as here:
            pod = the_pod(rendered(here))
            code, message, _ = checked(here, pod)
            _forget_evidence(here)
            refused = checked(here, pod)

        assert code == 0
        assert "policies shop, signed" in message
        assert refused[0] == 4

    def test_a_policy_that_a_tag_kept_out_stays_out(self, tmp_path: Path) -> None:
        """Beside a digest a tag proves nothing, so who covered an image is carried and not asked again."""
        rules = policy(name="pipeline") + "---\n" + policy(SIGNATURE, name="signed", exclude='["REGISTRY/acme/web:v1"]')
        images = [WEB, {"image": "acme/api:v1", "attach": [BUILT, SIGNED]}]
        with hooked(tmp_path, images=images, source={"p.yaml": pod("acme/web:v1", "acme/api:v1")}, rules=rules) as here:
            code, message, _ = checked(here, the_pod(rendered(here)))

        assert code == 0, message
        assert message.startswith("image policy: 2 images verified")

    def test_who_covers_an_image_is_carried_and_not_asked_again(self, tmp_path: Path) -> None:
        """What was decided about coverage, with Application and tag at hand, holds."""
        rules = policy() + "---\n" + policy(SIGNATURE, name="signed")
        with hooked(tmp_path, images=[WEB | {"attach": [BUILT, SIGNED]}], rules=rules) as here:
            pod_ = the_pod(rendered(here))
            (image,) = read(pod_["spec"]["containers"][0]["args"][1])["images"]
            text = _repacked(pod_, images=[image | {"policies": ["signed"]}])
            code, _, err = here.run("hook", "--payload", text)

        assert code == 0
        assert err.startswith("image policy: 1 image verified (1 signature) (app shop, policy signed)")

    def test_keys_beside_a_policy_travel_with_it(self, tmp_path: Path) -> None:
        """Public keys are no secret, and the check has no files."""
        by = "[{key: {file: cosign.pub, log: false}}]"
        with hooked(tmp_path, rules=policy(f"- signature: {{by: {by}}}")) as here:
            signer, digest = Signer.by_key(), here.registry.contents.tags["acme/web", "v1"]
            layer = here.sigstore.sign_layer(digest, signer, log=False)
            here.registry.attach_layer("acme/web", digest, "sig", layer.descriptor, layer.content)
            (here.folder / "cosign.pub").write_bytes(signer.public_pem)
            pod = the_pod(rendered(here))
            (here.folder / "cosign.pub").unlink()
            code, message, _ = checked(here, pod)

        assert code == 0, message

    def test_what_stands_for_a_clusters_objects_travels_with_a_policy(self, tmp_path: Path) -> None:
        """A ClusterImagePolicy's secretRef is a file here; of others that the config maps nothing is carried."""
        with hooked(tmp_path, rules=CLUSTER_POLICY) as here:
            signer, digest = Signer.by_key(), here.registry.contents.tags["acme/web", "v1"]
            layer = here.sigstore.sign_layer(digest, signer, log=False)
            here.registry.attach_layer("acme/web", digest, "sig", layer.descriptor, layer.content)
            (here.folder / "cosign.pub").write_bytes(signer.public_pem)
            _change(here, "hook:", "clusterImagePolicy: {secrets: {cosign: cosign.pub, other: none.pub}}\nhook:")
            pod = the_pod(rendered(here))
            (here.folder / "cosign.pub").unlink()
            code, message, _ = checked(here, pod)

        assert code == 0, message
        assert "none.pub" not in json.dumps(read(pod["spec"]["containers"][0]["args"][1]))

    def test_a_file_with_a_private_key_stays_behind(self) -> None:
        """Whatever a policy reads from it."""
        public = b"-----BEGIN PUBLIC KEY-----"
        with pytest.raises(HookError, match=r"/etc/cosign\.pub holds a private key") as caught:
            without_private_keys({"/etc/other.pub": public, "/etc/cosign.pub": public + PRIVATE})

        assert caught.value.code == "hook-not-possible"
        assert "SECRET" not in str(caught.value)

    def test_a_mirror_that_is_a_folder_cannot_be_asked(self, tmp_path: Path) -> None:
        """A Pod elsewhere does not have it; said when it is rendered."""
        with hooked(tmp_path) as here:
            _change(here, '"}', '", mirror: "file:///srv/images", fallback: true}')
            code, out, err = here.generate(environment=TOLD)

        assert (code, out) == (3, "")
        assert "[hook-not-possible]" in err
        assert "a folder that a Pod does not have" in err

    def test_certificates_of_a_registry_travel_and_keys_do_not(self, tmp_path: Path) -> None:
        """Of a CA file only what is a certificate is taken."""
        certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
        key = "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----"
        with mirrored(tmp_path, f"{key}\n{certificate}\n") as here:
            pod = the_pod(rendered(here))
            (here.folder / "ca.pem").unlink()
            code, message, _ = checked(here, pod)

        carried = json.dumps(read(pod["spec"]["containers"][0]["args"][1]))
        assert "AAAA" in carried
        assert "SECRET" not in carried
        assert "ca.pem" not in carried
        assert (code, message.startswith("image policy: 1 image verified")) == (0, True)

    def test_a_ca_file_without_certificates_is_an_operators_fault(self, tmp_path: Path) -> None:
        """Exit 2, by name."""
        with mirrored(tmp_path, "nothing") as here:
            code, out, err = here.generate(environment=TOLD)

        assert (code, out) == (2, "")
        assert "holds no certificate" in err

    def test_a_registry_with_a_client_certificate_cannot_be_asked(self, tmp_path: Path) -> None:
        """Its key is not put into a Pod; so the hook is refused where it would be needed, and says why."""
        with hooked(tmp_path) as here:
            _change(here, '"}', '", clientCert: client.pem}')
            (here.folder / "client.pem").touch()
            code, out, err = here.generate(environment=TOLD)

        assert (code, out) == (3, "")
        assert "[hook-not-possible]" in err
        assert "client certificate" in err

    def test_what_only_a_host_behind_a_mirror_needs_stays_behind(self, tmp_path: Path) -> None:
        """It is not asked, so neither its certificates nor the lack of a key matter."""
        with mirrored(tmp_path, None) as here:
            _change(here, "images.example, ", "images.example, caFile: none.pem, clientCert: none.pem, ")
            code, message, _ = checked(here, the_pod(rendered(here)))

        assert code == 0, message

    def test_a_registry_that_is_not_asked_stays_behind(self, tmp_path: Path) -> None:
        """With whatever it needs."""
        with hooked(tmp_path) as here:
            _change(here, "registries:\n", "registries:\n  - {host: other.example, clientCert: client.pem}\n")
            carried = read(the_pod(rendered(here))["spec"]["containers"][0]["args"][1])
            host = here.registry.host

        assert [settings["host"] for settings in carried["registries"]] == [host]

    def test_too_much_is_refused_when_it_is_rendered(self, tmp_path: Path) -> None:
        """By its code, with the size; nothing is printed."""
        padding = "".join(f"# {hashlib.sha256(str(n).encode()).hexdigest()}\n" for n in range(3000))
        with hooked(tmp_path, rules=policy(PROVENANCE) + padding) as here:
            code, out, err = here.generate(environment=TOLD)

        assert (code, out) == (3, "")
        assert "[hook-too-large]" in err
        assert f"compressed of {LIMIT}" in err


class TestVerdicts:
    def test_evidence_that_is_gone_is_a_denial(self, tmp_path: Path) -> None:
        """Exit 4; the message begins with the verdict, and says where the image stands."""
        with hooked(tmp_path) as here:
            pod = the_pod(rendered(here))
            _forget_evidence(here)
            code, message, log = checked(here, pod)

        assert code == 4
        assert message.startswith(
            "image policy: 1 of 1 image refused (app shop, policy shop)\n DENY REGISTRY/acme/web:v1@sha256:"
        )
        assert '(Pod/web "c0") [unsigned]' in message
        assert "when the cause is gone, sync again" in message
        assert log == message

    def test_a_registry_that_is_away_is_no_denial(self, tmp_path: Path) -> None:
        """Exit 3: nothing is known to be wrong, and nothing is applied."""
        with hooked(tmp_path) as here:
            pod = the_pod(rendered(here))
            (settings,) = read(pod["spec"]["containers"][0]["args"][1])["registries"]
            away = [settings | {"mirrors": ["http://127.0.0.1:1"]}]
            pod["spec"]["containers"][0]["args"][1] = _repacked(pod, registries=away, deadline=0.5)
            code, message, _ = checked(here, pod)

        assert code == 3
        assert message.startswith("image policy: 1 of 1 image not checked (app shop")

    def test_a_tag_that_has_moved_is_a_note(self, tmp_path: Path) -> None:
        """The digest is what runs; nobody is refused for the tag."""
        with hooked(tmp_path) as here:
            pod = the_pod(rendered(here))
            here.registry.push_image("acme/web", "v1", [b"another"])
            code, message, _ = checked(here, pod)

        assert code == 0
        assert re.search(
            r"note: REGISTRY/acme/web:v1 stands for sha256:\w{12} now; sha256:\w{12} was verified", message
        )

    def test_a_tag_that_is_gone_is_nothing(self, tmp_path: Path) -> None:
        """Nor for a tag that was removed."""
        with hooked(tmp_path) as here:
            pod = the_pod(rendered(here))
            del here.registry.contents.tags["acme/web", "v1"]
            code, message, _ = checked(here, pod)

        assert (code, "note" in message) == (0, False)

    def test_a_warning_lets_through(self, tmp_path: Path) -> None:
        """`mode: warn` at sync time as at render time, unless the Application asked for enforcement."""
        asked = '[{"name": "policy.mode", "string": "enforce"}]'
        with hooked(tmp_path, rules=policy(mode="warn")) as here:
            pods = [the_pod(rendered(here)), the_pod(rendered(here, ARGOCD_APP_PARAMETERS=asked))]
            _forget_evidence(here)
            codes = [checked(here, pod)[0] for pod in pods]

        assert codes == [0, 4]

    def test_the_message_is_never_longer_than_kubernetes_keeps(self, tmp_path: Path) -> None:
        """4,096 bytes, verdict first; the log has all of it."""
        names = [f"acme/service-{n}:v1" for n in range(20)]
        images = [{"image": name, "attach": [BUILT]} for name in names]
        with hooked(tmp_path, images=images, source={"p.yaml": pod(*names)}) as here:
            pod_ = the_pod(rendered(here))
            _forget_evidence(here)
            code, message, log = checked(here, pod_)

        assert code == 4
        assert message.startswith("image policy: 20 of 20 images refused")
        assert len((here.folder / "termination-log").read_bytes()) <= 4096
        assert log.count(" DENY ") == 20

    def test_what_cannot_be_read_blocks_and_says_so(self, tmp_path: Path) -> None:
        """Exit 3, in the termination message."""
        message = tmp_path / "message"
        with hooked(tmp_path / "shop") as here:
            code, _, err = here.run("hook", "--payload", "AAAA", "--termination-log", str(message))

        assert code == 3
        assert message.read_text().startswith("image policy: could not decide\n ERROR [hook-payload] ")
        assert err == message.read_text()

    def test_a_policy_that_this_version_cannot_read_blocks(self, tmp_path: Path) -> None:
        """Exit 2, as for any file of the operator's, with file and line."""
        with hooked(tmp_path) as here:
            text = _repacked(the_pod(rendered(here)), policies=[["/etc/shop.yaml", "\n\nkind: Future\n"]])
            code, _, err = here.run("hook", "--payload", text)

        assert code == 2
        assert "/etc/shop.yaml:3" in err

    def test_an_image_of_no_carried_policy_blocks(self, tmp_path: Path) -> None:
        """Whatever else is there."""
        with hooked(tmp_path) as here:
            pod_ = the_pod(rendered(here))
            carried = read(pod_["spec"]["containers"][0]["args"][1])
            text = _repacked(pod_, images=[carried["images"][0] | {"policies": ["other"]}])
            code, _, err = here.run("hook", "--payload", text)

        assert code == 3
        assert "policy other is not among those" in err

    def test_an_image_that_nothing_is_demanded_of_blocks(self, tmp_path: Path) -> None:
        """Only what was verified is carried, so it cannot pass unverified."""
        with hooked(tmp_path) as here:
            weak = policy("", mode="pin").replace("REGISTRY", here.registry.host)
            text = _repacked(the_pod(rendered(here)), policies=[["/etc/shop.yaml", weak]])
            code, _, err = here.run("hook", "--payload", text)

        assert code == 3
        assert "demands anything of it" in err

    def test_a_domain_that_was_not_carried_is_not_replaced(self, tmp_path: Path) -> None:
        """Trust comes from what was carried alone, not from what this image ships."""
        with hooked(tmp_path) as here:
            code, _, err = here.run("hook", "--payload", _repacked(the_pod(rendered(here)), trust=[]))

        assert code == 2
        assert "there is no trust domain 'test'" in err

    def test_a_message_that_cannot_be_written_changes_no_verdict(self, tmp_path: Path) -> None:
        """The log has it."""
        with hooked(tmp_path) as here:
            arguments = the_pod(rendered(here))["spec"]["containers"][0]["args"]
            code, _, err = here.run("hook", *arguments, "--termination-log", str(tmp_path / "none" / "log"))

        assert code == 0
        assert "cannot be written" in err
        assert "1 image verified" in err

    def test_it_needs_no_config_and_no_variables(self, tmp_path: Path) -> None:
        """Nothing around it has a say."""
        with hooked(tmp_path) as here:
            arguments = the_pod(rendered(here))["spec"]["containers"][0]["args"]
            (here.folder / "config.yaml").write_text("nonsense")
            shutil.rmtree(here.folder / "source")
            code, _, _ = here.run("hook", *arguments)

        assert code == 0


def _forget_evidence(here: Scenario) -> None:
    """Take everything that hangs on images out of the registry."""
    contents = here.registry.contents
    for key in [key for key in contents.tags if key[1].startswith("sha256-")]:
        del contents.tags[key]


def _change(here: Scenario, old: str, new: str) -> None:
    """Change the operator's config."""
    file = here.folder / "config.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def _repacked(pod: dict[str, Any], **fields: Any) -> str:
    """What `pod` carries, with other fields."""
    carried = read(pod["spec"]["containers"][0]["args"][1]) | fields
    return base64.b64encode(zlib.compress(json.dumps(carried).encode())).decode()
