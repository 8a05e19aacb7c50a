"""Jsonnet is evaluated as in Argo CD, and imports nothing from outside of the source."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import DeadlineExceeded, RenderError
from argocd_provenance.render import DirectoryOptions, JsonnetOptions, Settings, render

CONFIG = '{apiVersion: "v1", kind: "ConfigMap", metadata: {name: "a"}, data: %s}'


def data(folder: Path, text: str, root: Path | None = None, **options: Any) -> list[Mapping[str, Any]]:
    (folder / "a.jsonnet").write_text(text)
    directory = DirectoryOptions(jsonnet=JsonnetOptions(**options))
    settings = Settings(root=root, directory=directory, variables={"ARGOCD_APP_NAME": "shop"})
    return [json.loads(text)["data"] for _, text in render(folder, settings, Deadline(60))]


def test_an_object_and_a_list(tmp_path: Path) -> None:
    """A file gives one object, or several; a null among them is nothing."""
    assert data(tmp_path, CONFIG % "{n: 1e2}") == [{"n": 100}]
    assert data(tmp_path, f"[{CONFIG % '{a: 1}'}, null, {CONFIG % '{b: [2]}'}]") == [{"a": 1}, {"b": [2]}]


def test_variables_and_arguments(tmp_path: Path) -> None:
    """As texts and as code, with Argo CD's variables filled in."""
    text = "function(t, c) " + CONFIG % "{e: std.extVar('e'), n: std.extVar('n'), t: t, c: c}"

    (got,) = data(
        tmp_path,
        text,
        ext_vars={"e": "$ARGOCD_APP_NAME"},
        ext_code={"n": "1 + 1"},
        tlas={"t": "1"},
        tla_code={"c": "[1]"},
    )

    assert got == {"e": "shop", "n": 2, "t": "1", "c": [1]}


def test_imports_beside_the_file_then_from_the_libraries_the_last_one_first(tmp_path: Path) -> None:
    """Libraries are named from the root on."""
    folder = tmp_path / "app"
    for name in ("app", "one", "two"):
        (tmp_path / name).mkdir()
    (folder / "own.libsonnet").write_text("'own'")
    for name in ("one", "two"):
        (tmp_path / name / "own.libsonnet").write_text("'wrong'")
        (tmp_path / name / "lib.libsonnet").write_text(f"'{name}'")
    (tmp_path / "one" / "text.txt").write_text("hello")
    text = CONFIG % "{o: import 'own.libsonnet', l: import 'lib.libsonnet', s: importstr 'text.txt'}"

    assert data(folder, text, tmp_path, libs=("one", "/two")) == [{"o": "own", "l": "two", "s": "hello"}]


@pytest.mark.parametrize(
    "expression", ["import '../../secret'", "importstr '/etc/hostname'", "importstr 'link'", "importstr '../../secret'"]
)
def test_imports_nothing_from_outside(tmp_path: Path, expression: str) -> None:
    """Not by a path, and not by a link."""
    folder = tmp_path / "root" / "app"
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("'hunter2'")
    (folder / "sub").mkdir()
    (folder / "link.txt").symlink_to(folder / "sub")

    # Said by our own rule: the fences around the child would keep it from the file as well, where the kernel has them.
    with pytest.raises(RenderError, match=r"lies outside of the source|couldn't open import") as caught:
        data(folder, CONFIG % f"{{a: {expression}}}", tmp_path / "root")

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("library", ["../outside", "/../outside"])
def test_a_library_lies_in_the_source(tmp_path: Path, library: str) -> None:
    """Said before anything is evaluated."""
    with pytest.raises(RenderError, match=r"directory\.jsonnet\.libs.*lies outside of the source"):
        data(tmp_path, CONFIG % "{}", libs=(library,))


@pytest.mark.parametrize(
    "text", ["1", "function(needed) needed", "{a: 1}", "[1]", "[[]]", "{kind: ''}", "error 'no'", "{", "import 'none'"]
)
def test_what_gives_no_object_is_an_error(tmp_path: Path, text: str) -> None:
    """It names the file."""
    with pytest.raises(RenderError, match=r"a\.jsonnet") as caught:
        data(tmp_path, text)

    assert "python" not in str(caught.value)
    assert "Warning" not in str(caught.value)


def test_the_deadline_ends_it(tmp_path: Path) -> None:
    """A program can run for ever."""
    (tmp_path / "a.jsonnet").write_text("local f(n) = f(n + 1) tailstrict; f(0)")

    with pytest.raises((DeadlineExceeded, RenderError)):
        render(tmp_path, Settings(), Deadline(0.5))
