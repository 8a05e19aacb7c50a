"""What an Application asks of kustomize is written as Argo CD writes it, and never into the source."""

import stat
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.render import KustomizeOptions, Settings, render
from argocd_provenance.render.kustomize import edits

ECHO = "import sys, os\nprint(sys.argv[1:], open('kustomization.yaml').read() if 'edit' in sys.argv else open(sys.argv[2] + '/kustomization.yaml').read())\n"
WRITES = "import sys\nif 'edit' in sys.argv: open('kustomization.yaml', 'w').write('namePrefix: changed\\n')\nelse: print(open(sys.argv[2] + '/kustomization.yaml').read())\n"


def made(folder: Path, asked: KustomizeOptions, body: str, text: str = "namePrefix: a-\n") -> tuple[Path, Settings]:
    source, place = folder / "root" / "app", folder / "bin"
    source.mkdir(parents=True)
    place.mkdir()
    (source / "kustomization.yaml").write_text(text)
    (place / "kustomize").write_text(f"#!{sys.executable} -ISE\n{body}")
    (place / "kustomize").chmod(stat.S_IRWXU)
    return source, Settings(root=folder / "root", kustomize=asked, search_path=str(place))


def asked(**options: Any) -> list[list[str]]:
    settings = Settings(kustomize=KustomizeOptions(**options), variables={"ARGOCD_APP_NAME": "shop"})
    before, after = edits(settings, Path("/nowhere"), Path("/nowhere"))
    return before + after


class TestEdits:
    def test_stand_in_argo_cds_order(self) -> None:
        """Each has Argo CD's arguments, and nothing of the Application's can be taken for a flag."""
        assert asked(
            namespace="n",
            components=("../c",),
            common_annotations={"b": "$ARGOCD_APP_NAME"},
            common_labels={"l": "$ARGOCD_APP_NAME"},
            label_without_selector=True,
            label_include_templates=True,
            force_common_labels=True,
            force_common_annotations=True,
            replicas={"web": 3},
            images=("web:$ARGOCD_APP_NAME", "--help"),
            name_suffix="-s",
            name_prefix="p-",
        ) == [
            ["set", "nameprefix", "--", "p-"],
            ["set", "namesuffix", "--", "-s"],
            ["set", "image", "--", "web:shop", "--help"],
            ["set", "replicas", "--", "web=3"],
            ["add", "label", "--force", "--without-selector", "--include-templates", "--", "l:shop"],
            ["add", "annotation", "--force", "--", "b:$ARGOCD_APP_NAME"],
            ["set", "namespace", "--", "n"],
            ["add", "component", "--", "../c"],
        ]

    def test_annotations_take_variables_where_that_is_asked_for(self) -> None:
        """As in Argo CD, where labels always do."""
        assert asked(common_annotations={"b": "$ARGOCD_APP_NAME"}, common_annotations_envsubst=True) == [
            ["add", "annotation", "--", "b:shop"]
        ]

    def test_missing_components_can_be_ignored(self, tmp_path: Path) -> None:
        """One that is there is kept."""
        (tmp_path / "there").mkdir()
        options = KustomizeOptions(components=("there", "../outside", "missing"), ignore_missing_components=True)

        _, after = edits(Settings(kustomize=options), tmp_path, tmp_path)

        assert after == [["add", "component", "--", "there"]]

    @pytest.mark.parametrize("component", ["https://github.com/a/b", "git@github.com:a/b", "github.com/a/b?ref=x"])
    def test_components_are_never_remote(self, component: str) -> None:
        """Whether missing ones are ignored or not: `kustomize edit` itself would fetch it."""
        with pytest.raises(RenderError, match="remote components"):
            asked(components=(component,), ignore_missing_components=True)


class TestTheSource:
    def test_is_never_written_to(self, tmp_path: Path) -> None:
        """The kustomization is changed in a copy, which does not share its bytes."""
        source, settings = made(tmp_path, KustomizeOptions(name_prefix="b-"), WRITES)

        ((_, text),) = render(source, settings, Deadline(60))

        assert "changed" in text
        assert (source / "kustomization.yaml").read_text() == "namePrefix: a-\n"

    def test_is_not_written_to_through_a_link(self, tmp_path: Path) -> None:
        """A kustomization can be a link to another folder's."""
        source, settings = made(tmp_path, KustomizeOptions(name_prefix="b-"), WRITES)
        (source / "kustomization.yaml").rename(source.parent / "shared.yaml")
        (source / "kustomization.yaml").symlink_to("../shared.yaml")

        render(source, settings, Deadline(60))

        assert (source.parent / "shared.yaml").read_text() == "namePrefix: a-\n"

    def test_is_checked_again_after_the_change(self, tmp_path: Path) -> None:
        """A component brings bases of its own."""
        body = "import sys\nif 'edit' in sys.argv: open('kustomization.yaml', 'w').write('components: [c]\\n')\nelse: print('built')\n"
        source, settings = made(tmp_path, KustomizeOptions(components=("c",)), body)
        (source / "c").mkdir()
        (source / "c" / "kustomization.yaml").write_text("resources: ['https://github.com/acme/base']\n")

        with pytest.raises(RenderError, match=r"github\.com/acme/base"):
            render(source, settings, Deadline(60))


class TestPatches:
    PATCH: ClassVar[Any] = {
        "patch": "- op: remove\n  path: /é\n",
        "target": {"kind": "Deployment"},
        "options": {"allowNameChange": True},
    }

    def test_come_after_those_of_the_kustomization(self, tmp_path: Path) -> None:
        """And no other scalar is written in another way: `on` stays on, `010` stays 010."""
        text = "patches:\n- path: a.yaml\nx: on\ny: 010\nz: '1'\nw: |\n  a\n  b\n"
        source, settings = made(tmp_path, KustomizeOptions(patches=(self.PATCH,)), ECHO, text)
        (source / "a.yaml").touch()

        ((_, printed),) = render(source, settings, Deadline(60))

        written = printed.partition("] ")[2]
        assert yaml.safe_load(written)["patches"] == [{"path": "a.yaml"}, self.PATCH]
        assert "x: on\n" in written
        assert "y: 010\n" in written
        assert "z: '1'\n" in written
        assert yaml.safe_load(written)["w"] == "a\nb\n"

    def test_are_added_where_there_are_none(self, tmp_path: Path) -> None:
        """The field is made."""
        source, settings = made(tmp_path, KustomizeOptions(patches=(self.PATCH,)), ECHO, "{namePrefix: a-}\n")

        ((_, printed),) = render(source, settings, Deadline(60))

        assert yaml.safe_load(printed.partition("] ")[2]) == {"namePrefix": "a-", "patches": [self.PATCH]}

    @pytest.mark.parametrize("text", ["patches: 1\n", "- a\n"])
    def test_have_a_place(self, tmp_path: Path, text: str) -> None:
        """A kustomization that has none is an error, as in Argo CD."""
        source, settings = made(tmp_path, KustomizeOptions(patches=(self.PATCH,)), ECHO, text)

        with pytest.raises(RenderError, match=r"not a list|not one plain mapping"):
            render(source, settings, Deadline(60))
