"""A folder of plain manifests is read as Argo CD reads it."""

import os
from pathlib import Path

import pytest

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import DeadlineExceeded, RenderError
from argocd_provenance.render import DirectoryOptions, Settings, kind_of, render

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
LATER = Deadline(60, clock=lambda: 0.0)


def rendered(folder: Path, root: Path | None = None, **options: object) -> list[str]:
    settings = Settings(root=root, directory=DirectoryOptions(**options))  # type: ignore[arg-type]
    return [name for name, _ in render(folder, settings, LATER)]


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class TestWhatIsRead:
    def test_files_come_in_the_order_of_their_bytes(self, tmp_path: Path) -> None:
        """Upper case before lower case, and a file `b.yaml` after the folder `b`."""
        write(tmp_path, b_yaml=POD, B_yaml=POD, b__x_yaml=POD)

        names = rendered(tmp_path, recurse=True)

        assert names == ["B.yaml", "b/x.yaml", "b.yaml"]

    def test_sub_folders_are_not_read_by_default(self, tmp_path: Path) -> None:
        """`directory.recurse` is false unless asked for."""
        write(tmp_path, a_yaml=POD, sub__b_yaml=POD)

        assert rendered(tmp_path) == ["a.yaml"]

    def test_hidden_files_are_files_like_any(self, tmp_path: Path) -> None:
        """Argo CD applies `.hidden.yaml`, so its images must be seen."""
        (tmp_path / ".hidden.yaml").write_text(POD)

        assert rendered(tmp_path) == [".hidden.yaml"]

    def test_other_extensions_are_not_read(self, tmp_path: Path) -> None:
        """Only .yaml, .yml, .json and .jsonnet, in lower case."""
        write(tmp_path, a_yml=POD, b_txt=POD, c_YAML=POD, d_json='{"kind": "Pod"}')

        assert rendered(tmp_path) == ["a.yml", "d.json"]

    def test_a_file_with_the_marker_is_skipped(self, tmp_path: Path) -> None:
        """`+argocd:skip-file-rendering` anywhere in a file skips it, whatever it holds."""
        write(tmp_path, a_yaml=f"# +argocd:skip-file-rendering\n{POD}", b_jsonnet="// +argocd:skip-file-rendering")

        assert rendered(tmp_path) == []

    def test_exclude_wins_over_include(self, tmp_path: Path) -> None:
        """Globs see the path below the folder, and `*` crosses slashes."""
        write(tmp_path, a_yaml=POD, env__b_yaml=POD, env__c_yml=POD)

        names = rendered(tmp_path, recurse=True, include="{*.yaml,env/*}", exclude="env*.yml")

        assert names == ["a.yaml", "env/b.yaml"]

    def test_the_text_is_the_file_without_a_byte_order_mark(self, tmp_path: Path) -> None:
        """Argo CD drops it too."""
        (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf" + POD.encode())

        assert render(tmp_path, Settings(), LATER) == [("a.yaml", POD)]


class TestWhatIsNoManifest:
    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("replicas: 1\n", id="values"),
            pytest.param("{{ if }}: [\n", id="no YAML, no markers"),
            pytest.param("# nothing\n", id="only a comment"),
            pytest.param("- kind: Pod\n", id="a list"),
            pytest.param("kind: ''\n", id="an empty kind"),
        ],
    )
    def test_an_unrelated_file_is_ignored(self, tmp_path: Path, text: str) -> None:
        """What Argo CD takes for an unrelated YAML file is no error."""
        write(tmp_path, values_yaml=text)

        assert rendered(tmp_path) == []

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("{{ x }}\napiVersion: v1\nkind: Pod\nmetadata: {}\n", id="unparsable with all markers"),
            pytest.param("kind: Pod\n", id="kind alone"),
            pytest.param('{"kind": "Pod", "apiVersion": "v1"}', id="JSON in a .yaml file"),
            pytest.param("---\n---\nkind: Pod\n", id="after empty documents"),
            pytest.param('{"kind": "Pod"}\n{"kind": "Pod"}', id="a stream of JSON objects"),
            pytest.param('{\n\t"kind": "Pod"\n}', id="JSON with tabs"),
        ],
    )
    def test_what_argo_cd_would_apply_or_refuse_is_never_skipped(self, tmp_path: Path, text: str) -> None:
        """The text goes on to whoever reads documents, who refuses what cannot be read."""
        write(tmp_path, a_yaml=text)

        assert rendered(tmp_path) == ["a.yaml"]

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            pytest.param("a.yaml", "kind: Pod\n---\nreplicas: 1\n", id="an object, then none"),
            pytest.param("a.yaml", "kind: Pod\n---\n{{ x\n", id="an object, then no YAML"),
            pytest.param("a.json", '{"kind": "Pod"} {"kind": "Pod"}', id="two objects in .json"),
            pytest.param("a.json", '[{"kind": "Pod"}]', id="a list in .json"),
            pytest.param("a.json", '{"x": NaN}', id="no JSON"),
            pytest.param("a.json", '{"x": 1}', id="no kind in .json"),
            pytest.param("a.json", "[" * 100_000, id="nested deeply"),
            pytest.param("a.jsonnet", "{}", id="jsonnet"),
        ],
    )
    def test_half_of_a_file_is_never_taken(self, tmp_path: Path, name: str, text: str) -> None:
        """An error names the file."""
        (tmp_path / name).write_text(text)

        with pytest.raises(RenderError, match=name):
            rendered(tmp_path)

    def test_utf_16_with_a_mark_is_read(self, tmp_path: Path) -> None:
        """As in Argo CD; the text is that of the file."""
        for name, encoding in (("a.yaml", "utf-16-le"), ("b.yaml", "utf-16-be")):
            (tmp_path / name).write_bytes(("\ufeff" + POD).encode(encoding))

        assert [text for _, text in render(tmp_path, Settings(), Deadline(60))] == [POD, POD]


class TestLimits:
    def test_another_encoding_is_an_error(self, tmp_path: Path) -> None:
        """Nothing is guessed."""
        (tmp_path / "a.yaml").write_bytes(POD.encode() + "é".encode("latin-1"))

        with pytest.raises(RenderError, match=r"'a.yaml': not UTF-8"):
            rendered(tmp_path)

    def test_sizes_together_are_limited(self, tmp_path: Path) -> None:
        """10M, as in Argo CD, and before anything is read."""
        write(tmp_path, a_yaml=POD, b_yaml="")
        os.truncate(tmp_path / "b.yaml", 10_000_000)

        with pytest.raises(RenderError, match="exceed 10000000 bytes"):
            rendered(tmp_path)

    def test_the_deadline_is_kept(self, tmp_path: Path) -> None:
        """Time that is over before the first file was read ends the run."""
        clock = iter([0.0, 100.0, 100.0])

        with pytest.raises(DeadlineExceeded):
            render(tmp_path, Settings(), Deadline(40, clock=lambda: next(clock)))

    def test_a_missing_folder_is_an_error(self, tmp_path: Path) -> None:
        """It is not an empty render."""
        with pytest.raises(RenderError, match="no such folder"):
            rendered(tmp_path / "nowhere")

    def test_a_file_in_place_of_a_folder_is_told_as_what_it_is(self, tmp_path: Path) -> None:
        """It is there, and there is a way to read it."""
        (tmp_path / "pod.yaml").write_text(POD)

        with pytest.raises(RenderError, match="is a file; `generate -` reads one"):
            rendered(tmp_path / "pod.yaml")

    def test_a_malformed_glob_is_an_error(self, tmp_path: Path) -> None:
        """An exclude that excludes nothing would surprise."""
        with pytest.raises(RenderError, match=r"directory\.exclude"):
            rendered(tmp_path, exclude="{a")


class TestSymlinks:
    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        (tmp_path / "outside.yaml").write_text(POD)
        (tmp_path / "source").mkdir()
        return tmp_path / "source"

    @pytest.mark.parametrize("link", ["a.yaml", "a.txt", "sub/deep/a.yaml"])
    def test_a_link_out_of_the_source_is_refused(self, source: Path, link: str) -> None:
        """Wherever it stands, and also where it would not be read."""
        (source / link).parent.mkdir(parents=True, exist_ok=True)
        (source / link).symlink_to(source.parent / "outside.yaml")

        with pytest.raises(RenderError, match="leads out of the source"):
            rendered(source)

    def test_a_linked_folder_that_leads_out_is_refused(self, source: Path) -> None:
        """It is what helm would walk into."""
        (source / "templates").symlink_to(source.parent)

        with pytest.raises(RenderError, match="'templates'"):
            rendered(source)

    def test_a_link_in_a_chain_that_leaves_is_refused(self, source: Path) -> None:
        """Every link is followed to its end."""
        (source / "a.yaml").symlink_to("b")
        (source / "b").symlink_to("../outside.yaml")

        with pytest.raises(RenderError, match="leads out"):
            rendered(source)

    def test_a_loop_is_refused(self, source: Path) -> None:
        """It leads nowhere."""
        (source / "a.yaml").symlink_to("a.yaml")

        with pytest.raises(RenderError, match="leads out"):
            rendered(source)

    def test_a_link_inside_is_read(self, source: Path) -> None:
        """From the Application's folder to another one of the same source."""
        write(source, app__b_txt="", base__a_yaml=POD)
        (source / "app" / "a.yaml").symlink_to("../base/a.yaml")

        assert rendered(source / "app", root=source) == ["a.yaml"]

    def test_a_folder_outside_of_its_root_is_refused(self, source: Path) -> None:
        """A root that does not hold the folder is no root."""
        with pytest.raises(RenderError, match="outside"):
            rendered(source.parent, root=source)


class TestKind:
    @pytest.mark.parametrize(
        ("names", "kind"),
        [
            pytest.param(["a.yaml"], "directory", id="neither"),
            pytest.param(["Chart.yaml"], "helm", id="chart"),
            pytest.param(["myChart.yaml"], "helm", id="a name that ends in Chart.yaml"),
            pytest.param(["kustomization.yml"], "kustomize", id="yml"),
            pytest.param(["Chart.yaml", "Kustomization"], "kustomize", id="both: the later name"),
            pytest.param(["kustomization.yaml", "zChart.yaml"], "helm", id="both: the later name, a chart"),
            pytest.param(["chart.yaml", "Kustomization.yaml"], "directory", id="other case"),
        ],
    )
    def test_the_last_match_of_a_lexical_walk_decides(self, tmp_path: Path, names: list[str], kind: str) -> None:
        """As in Argo CD's discovery."""
        for name in names:
            (tmp_path / name).write_text("")

        assert kind_of(tmp_path) == kind
