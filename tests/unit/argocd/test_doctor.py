"""What `doctor` says of an installation, from objects and files alone."""

import copy
import itertools
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from argocd_provenance.argocd.doctor import asking, sidecar
from argocd_provenance.argocd.doctor.applications import judge_applications
from argocd_provenance.argocd.doctor.complaint import CODES, Complaint, exit_code, in_order
from argocd_provenance.argocd.doctor.installation import Installation, judge_installation
from argocd_provenance.render.confinement import Fences
from argocd_provenance.report import complaints

ROOT = Path(__file__).resolve().parents[3]
PATCH = yaml.safe_load((ROOT / "argocd" / "repo-server-patch.yaml").read_text())
OURS = {"plugin": {"name": "argocd-provenance"}}


def codes(found: Iterable[Complaint]) -> set[str]:
    """The codes of what was found."""
    return {one.code for one in found}


def deployment() -> Any:
    """Argo CD's repo-server with our sidecar, as argocd/ makes it, by digest."""
    made = copy.deepcopy(PATCH)
    made["metadata"]["name"] = "argocd-repo-server"
    pod = made["spec"]["template"]["spec"]
    pod["containers"][0]["image"] = f"registry.example.com/argocd-provenance@sha256:{'a' * 64}"
    server = {"name": "argocd-repo-server", "image": "argocd", "args": ["/usr/local/bin/argocd-repo-server"]}
    pod["containers"].append(server | {"volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]})  # noqa: S108
    return made


def application(*sources: Any, **meta: Any) -> Any:
    """An Application with these sources."""
    return {"metadata": {"name": "shop", "namespace": "argocd", **meta}, "spec": {"sources": list(sources)}}


def judge(made: Any | None = None, **read: Any) -> set[str]:
    """The codes for an installation that is as it should be, but for what is given."""
    given = {"deployments": [made or deployment()], "required": True, "deadline": 40.0, **read}
    return codes(judge_installation(Installation("argocd", **given)))


class TestInstallation:
    def test_the_one_that_we_ship_is_fine(self) -> None:
        """Nothing is said of what `kubectl apply -k argocd/` makes."""
        assert judge() == set()

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda pod: pod["containers"].pop(0), "sidecar-missing"),
            (lambda pod: pod["containers"][0].update(image="x/argocd-provenance:0.1.0"), "sidecar-image-by-tag"),
            (lambda pod: pod["containers"][0]["securityContext"].update(runAsUser=1000), "sidecar-user"),
            (lambda pod: pod["containers"][0]["securityContext"].pop("runAsUser"), "sidecar-user"),
            (
                lambda pod: pod["containers"][1].update(
                    volumeMounts=[{"name": "argocd-provenance-tmp", "mountPath": "/tmp"}]  # noqa: S108
                ),
                "sidecar-shares-tmp",
            ),
            (
                lambda pod: pod["containers"][0].update(
                    volumeMounts=[m for m in pod["containers"][0]["volumeMounts"] if "/etc/" not in m["mountPath"]]
                ),
                "sidecar-config",
            ),
            (
                lambda pod: pod["containers"].append(
                    {"name": "vault", "image": "avp", "command": ["/var/run/argocd/argocd-cmp-server"]}
                ),
                "other-plugin",
            ),
        ],
    )
    def test_a_fault_of_the_sidecar_is_named(self, change: Any, code: str) -> None:
        """Each by its own code."""
        made = deployment()
        change(made["spec"]["template"]["spec"])

        assert judge(made) == {code}

    def test_without_a_repo_server_it_asks_for_the_namespace(self) -> None:
        """It looked in the wrong one, or there is no Argo CD."""
        assert judge(deployments=[]) == {"argocd-missing"}

    @pytest.mark.parametrize(
        ("params", "deadline", "expected"),
        [
            ({}, 40.0, set()),
            ({}, 50.0, set()),
            ({}, 51.0, {"deadline-too-long"}),
            (
                {"controller.repo.server.timeout.seconds": "120", "server.repo.server.timeout.seconds": "120"},
                100.0,
                set(),
            ),
            ({"controller.repo.server.timeout.seconds": "120"}, 40.0, {"time-limits-differ"}),
            (
                {"controller.repo.server.timeout.seconds": "30"},
                40.0,
                {"deadline-too-long", "time-limits-differ"},
            ),
            ({}, None, set()),
        ],
    )
    def test_our_deadline_ends_before_the_callers(
        self, params: Any, deadline: float | None, expected: set[str]
    ) -> None:
        """Both callers', with time for Git and the queue; else nobody hears why."""
        assert judge(config_maps={"argocd-cmd-params-cm": params}, deadline=deadline) == expected

    def test_a_config_that_does_not_load_is_told_fault_by_fault(self) -> None:
        """With the place of each."""
        assert judge(config_faults=["config.yaml:3: unmatched: is 'none'"]) == {"config-unusable"}

    def test_an_installation_where_nothing_requires_the_plugin_is_noted(self) -> None:
        """Opting in is voluntary until a policy says otherwise."""
        assert judge(required=False) == {"plugin-not-required"}


class TestApplications:
    @pytest.mark.parametrize(
        ("source", "code"),
        [
            ({"plugin": {"name": "argocd-provenance-v1"}}, "application-plugin-name"),
            ({"plugin": {"name": "Argocd_Provenance"}}, "application-plugin-name"),
            ({"plugin": {}}, "application-plugin-unnamed"),
            ({"plugin": {"name": ""}}, "application-plugin-unnamed"),
            ({**OURS, "helm": {"valueFiles": ["a.yaml"]}}, "application-two-kinds"),
            ({}, "application-not-covered"),
            ({"plugin": {"name": "vault"}}, "application-not-covered"),
        ],
    )
    def test_a_source_that_is_not_ours_is_named(self, source: Any, code: str) -> None:
        """By why Argo CD does not render it through us."""
        assert codes(judge_applications([application(source)])) == {code}

    def test_a_second_source_without_the_plugin_counts(self) -> None:
        """Every source is rendered on its own."""
        (found,) = judge_applications([application(OURS, {})])

        assert found.code == "application-not-covered"
        assert "argocd/shop (one of its sources)" in found.message

    def test_a_hydrators_dry_source_is_what_is_rendered(self) -> None:
        """The other is plain Git."""
        hydrated = {"metadata": {"name": "shop"}, "spec": {"sourceHydrator": {"drySource": OURS, "syncSource": {}}}}

        assert codes(judge_applications([hydrated])) == set()

    def test_carried_over_renders_are_named(self) -> None:
        """An annotation makes Argo CD keep what was verified for an older commit."""
        notes = {"argocd.argoproj.io/manifest-generate-paths": "."}

        assert codes(judge_applications([application(OURS, annotations=notes)])) == {"application-carried-over"}

    def test_many_are_counted(self) -> None:
        """Five by name, the rest by number."""
        (found,) = judge_applications([application({}, name=f"app-{n}") for n in range(8)])

        assert "8 of 8" in found.message
        assert found.message.endswith("argocd/app-4, +3 more")


class TestPluginFile:
    def test_ours_is_fine(self) -> None:
        """As it is shipped."""
        assert codes(sidecar.judge_plugin_file(ROOT / "argocd" / "plugin.yaml")) == set()

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda file: file["spec"].update(version="v1.0"), "plugin-file-versioned"),
            (lambda file: file["spec"].update(discover={"fileName": "*"}), "plugin-file-discovers"),
            (lambda file: file["metadata"].update(name="provenance"), "plugin-file"),
            (lambda file: file.update(kind="Plugin"), "plugin-file"),
            (lambda file: file["spec"].update(generate={"command": ["sh", "-c", "x"]}), "plugin-file"),
            (lambda file: file["spec"]["generate"]["command"].remove("-I"), "plugin-file"),
            (lambda file: file["spec"].pop("generate"), "plugin-file"),
        ],
    )
    def test_a_change_that_undoes_us_is_named(self, tmp_path: Path, change: Any, code: str) -> None:
        """Each would let something through, or let no Application find us."""
        file = yaml.safe_load((ROOT / "argocd" / "plugin.yaml").read_text())
        change(file)
        (tmp_path / "plugin.yaml").write_text(yaml.safe_dump(file))

        assert codes(sidecar.judge_plugin_file(tmp_path / "plugin.yaml")) == {code}

    @pytest.mark.parametrize("content", [b"\xff", b"- a", b"{", b""])
    def test_what_is_no_plugin_file_is_named(self, tmp_path: Path, content: bytes) -> None:
        """Whatever it is."""
        (tmp_path / "plugin.yaml").write_bytes(content)

        assert codes(sidecar.judge_plugin_file(tmp_path / "plugin.yaml")) == {"plugin-file"}

    def test_a_missing_one_is_named(self, tmp_path: Path) -> None:
        """With the place where it should be."""
        (found,) = sidecar.judge_plugin_file(tmp_path / "plugin.yaml")

        assert (found.code, found.where) == ("plugin-file", str(tmp_path / "plugin.yaml"))


@contextmanager
def listening(folder: Path, name: str) -> Iterator[None]:
    """Somebody who listens on the socket of a plugin."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / f"{name}.sock"))
        server.listen()
        yield


class TestSockets:
    def test_a_server_that_listens_is_fine(self, tmp_path: Path) -> None:
        """Nothing is said."""
        with listening(tmp_path, "argocd-provenance"):
            assert codes(sidecar.judge_sockets(tmp_path)) == set()

    def test_a_socket_that_nobody_serves_is_none(self, tmp_path: Path) -> None:
        """A file that a dead server left."""
        with listening(tmp_path, "argocd-provenance"):
            pass

        assert codes(sidecar.judge_sockets(tmp_path)) == {"socket-missing"}

    def test_another_plugin_is_named(self, tmp_path: Path) -> None:
        """It is a way round us."""
        with listening(tmp_path, "argocd-provenance"), listening(tmp_path, "vault"):
            (found,) = sidecar.judge_sockets(tmp_path)

        assert (found.code, found.where) == ("other-plugin", str(tmp_path / "vault.sock"))


class TestResident:
    @staticmethod
    def plugin_file(folder: Path, command: Any) -> Path:
        file = folder / "plugin.yaml"
        file.write_text(yaml.safe_dump({"spec": {"generate": {"command": command}}}))
        return file

    def test_who_serves_where_the_plugin_file_says_is_found(self, tmp_path: Path) -> None:
        """In a folder of our own."""
        file = self.plugin_file(tmp_path, ["python", "generate", ".", "--socket", f"{tmp_path}/argocd-provenance.sock"])
        with listening(tmp_path, "argocd-provenance"):
            assert codes(sidecar.judge_resident(file)) == set()
            tmp_path.chmod(0o755)
            (found,) = sidecar.judge_resident(file)

        assert (found.code, "closed to all others" in found.message) == ("resident-missing", True)

    @pytest.mark.parametrize("command", [None, "x", ["generate", "."], ["generate", ".", "--socket", "x"]])
    def test_who_does_not_is_named_with_the_place(self, tmp_path: Path, command: Any) -> None:
        """The usual one, where the file names none."""
        (found,) = sidecar.judge_resident(self.plugin_file(tmp_path, command))

        assert (found.code, found.where) == ("resident-missing", "/var/lib/argocd-provenance/serve/socket")

    def test_a_socket_that_nobody_serves_is_none(self, tmp_path: Path) -> None:
        """What a dead one left."""
        with listening(tmp_path, "dead"):
            pass

        (found,) = sidecar.judge_resident(self.plugin_file(tmp_path, ["generate", "--socket", f"{tmp_path}/dead.sock"]))

        assert "nobody listens" in found.message


class TestPrograms:
    @pytest.mark.parametrize(
        ("helm", "kustomize", "expected"),
        [
            ("v4.2.4", "v5.8.1", []),
            ("v4.2", "v5.8.1", []),
            ("v4.1", "v5.8.1", [("program-version", "helm")]),
            ("v3.19.4", "v5.8.1", [("program-version", "helm")]),
            ("v4.2.4", None, [("program-missing", "kustomize")]),
        ],
    )
    def test_the_versions_that_render_as_argo_cd_does(
        self, tmp_path: Path, helm: str, kustomize: str | None, expected: list[tuple[str, str]]
    ) -> None:
        """A helm that was built by Go's proxy knows only two numbers of its version."""
        for name, version in (("helm", helm), ("kustomize", kustomize)):
            if version is not None:
                (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
                (tmp_path / name).chmod(0o755)

        assert [(one.code, one.where) for one in sidecar.judge_programs(str(tmp_path))] == expected


class TestCache:
    def test_a_key_that_others_can_read_is_exposed(self, tmp_path: Path) -> None:
        """With it they can write entries that we believe."""
        key = tmp_path / "key"
        key.write_bytes(b"k" * 32)
        key.chmod(0o640)

        assert codes(sidecar.judge_cache(str(tmp_path), key)) == {"key-exposed"}

    def test_a_cache_of_ours_is_fine(self, tmp_path: Path) -> None:
        """Writable, with a key for us alone, or none yet."""
        key = tmp_path / "key"
        assert codes(sidecar.judge_cache(str(tmp_path), key)) == set()
        key.write_bytes(b"k" * 32)
        key.chmod(0o600)

        assert codes(sidecar.judge_cache(str(tmp_path), key)) == set()

    def test_a_folder_that_is_not_there_cannot_be_written(self, tmp_path: Path) -> None:
        """Cache and key each."""
        found = list(sidecar.judge_cache(str(tmp_path / "none"), tmp_path / "nowhere" / "key"))

        assert [one.code for one in found] == ["cache-unwritable", "cache-unwritable"]

    def test_no_cache_is_noted(self, tmp_path: Path) -> None:
        """It costs time and nothing else."""
        assert codes(sidecar.judge_cache(None, tmp_path / "key")) == {"cache-off"}


def test_a_kernel_that_cannot_fence_renderers_in_is_named() -> None:
    """It is no failure of ours, but an operator should know."""
    assert codes(sidecar.judge_fences(Fences(0, sockets=True))) == {"fences"}
    assert codes(sidecar.judge_fences(Fences(4, sockets=False))) == {"fences"}
    assert codes(sidecar.judge_fences(Fences(7, sockets=True))) == set()


class TestRoots:
    def test_an_old_root_is_named(self) -> None:
        """Its age is always told; after two years it is a warning."""
        from argocd_provenance.evidence.trust import public_good

        root = public_good()
        young = list(asking.judge_roots({"public-good": root}, {}, datetime(2026, 1, 1, tzinfo=UTC)))
        old = list(asking.judge_roots({"public-good": root}, {}, datetime(2029, 1, 1, tzinfo=UTC)))

        assert codes(young) == {"trust-root"}
        assert codes(old) == {"trust-root", "trust-root-old"}


class TestReport:
    @pytest.mark.parametrize(
        ("found", "code"),
        [
            ([], 0),
            (["other-plugin", "credential"], 0),
            (["registry-unreachable"], 3),
            (["registry-unreachable", "sidecar-user"], 4),
            (["config-unusable", "sidecar-user", "registry-unreachable"], 2),
        ],
    )
    def test_the_exit_code_is_that_of_the_worst(self, found: list[str], code: int) -> None:
        """Warnings and notes are no failure."""
        assert exit_code([Complaint(one, "here", "so") for one in found]) == code

    def test_errors_stand_first_and_nothing_controls_the_terminal(self) -> None:
        """What a cluster says may hold anything."""
        found = in_order(
            [Complaint("credential", "r", "anonymous"), Complaint("sidecar-user", "d", "\x1b[31mx", "fix it")]
        )

        text = complaints.as_text(found)

        assert text.splitlines()[0] == "doctor: 1 error"
        assert text.splitlines()[1].startswith(" ERROR d [sidecar-user] ")
        assert text.splitlines()[2] == "       Fix: fix it"
        assert "\x1b" not in text

    def test_every_code_has_a_section(self) -> None:
        """docs/doctor.md names exactly the codes of the list, with the weight of each."""
        lines = (ROOT / "docs" / "doctor.md").read_text().splitlines()
        sections = {line[4:]: following for line, following in itertools.pairwise(lines) if line.startswith("### ")}

        assert {code: weight.strip("*. ").lower() for code, weight in sections.items()} == dict(CODES)
