"""Values files are those that Argo CD would take, in its order, and all lie in the source."""

from pathlib import Path

import pytest

from argocd_provenance.errors import RenderError
from argocd_provenance.render import HelmOptions, Settings
from argocd_provenance.render.valuefiles import parameter_file, value_files

NAMES = (
    "chart/values.yaml",
    "chart/a.yaml",
    "chart/env/b.yaml",
    "chart/env/deep/c.yaml",
    "shared/d.yaml",
    "chart/z.yml",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_text("a: 1\n")
    (tmp_path / "outside.yaml").write_text("secret: 1\n")
    return tmp_path / "root"


def nothing(address: str) -> Path:
    raise RenderError(f"not fetched: {address}")


def found(root: Path, *written: str, ignore: bool = False) -> list[str]:
    helm = HelmOptions(value_files=written, ignore_missing_value_files=ignore)
    settings = Settings(helm=helm, variables={"ARGOCD_APP_NAME": "a"})
    return [str(path.relative_to(root)) for path in value_files(root / "chart", root, settings, nothing)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(["a.yaml"], ["chart/a.yaml"], id="from the chart on"),
        pytest.param(["/shared/d.yaml"], ["shared/d.yaml"], id="from the root on"),
        pytest.param(["../shared/d.yaml"], ["shared/d.yaml"], id="upwards"),
        pytest.param(["$ARGOCD_APP_NAME.yaml"], ["chart/a.yaml"], id="a variable"),
        pytest.param(["a.yaml", "values.yaml", "a.yaml"], ["chart/a.yaml", "chart/values.yaml"], id="each once"),
        pytest.param(["*.yaml"], ["chart/a.yaml", "chart/values.yaml"], id="a pattern, by name"),
        pytest.param(["*.yaml", "a.yaml"], ["chart/values.yaml", "chart/a.yaml"], id="one written out keeps its place"),
        pytest.param(
            ["**/*.yaml"],
            ["chart/a.yaml", "chart/values.yaml", "chart/env/b.yaml", "chart/env/deep/c.yaml"],
            id="at any depth",
        ),
        pytest.param(["{z,a}.y*ml"], ["chart/a.yaml", "chart/z.yml"], id="alternatives"),
        pytest.param(["[!a].y?l"], ["chart/z.yml"], id="sets"),
        pytest.param(["/*/d.yaml"], ["shared/d.yaml"], id="a pattern from the root on"),
    ],
)
def test_are_those_of_argo_cd(root: Path, written: list[str], expected: list[str]) -> None:
    """Later ones win, so their order is part of the result."""
    assert found(root, *written) == expected


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("../../outside.yaml", "lies outside of the source"),
        ("link.yaml", "lies outside of the source"),
        ("l*.yaml", "leads out of the source"),
        ("../../*.yaml", "leads out of the source"),
        ("/", "lies outside of the source"),
        ("missing.yaml", "no such file"),
        ("missing*.yaml", "matches no file"),
        ("$values/a.yaml", r"\$values names another"),
        ("https://example.com/values.yaml", "not fetched"),
        ("file:///etc/passwd", "not fetched"),
        ("[a", "never closed"),
    ],
)
def test_what_is_not_there_is_an_error(root: Path, written: str, why: str) -> None:
    """It names what is written."""
    (root / "chart" / "link.yaml").symlink_to(root.parent / "outside.yaml")

    with pytest.raises(RenderError, match=why):
        found(root, written)


def test_missing_ones_can_be_ignored(root: Path) -> None:
    """Files and patterns alike."""
    assert found(root, "missing.yaml", "x*.yaml", "a.yaml", ignore=True) == ["chart/a.yaml"]


@pytest.mark.parametrize(("written", "why"), [("../../outside.yaml", "lies outside"), ("missing", "no such file")])
def test_the_file_of_a_parameter_lies_in_the_source(root: Path, written: str, why: str) -> None:
    """It would become a value, and show in the manifests."""
    with pytest.raises(RenderError, match=why):
        parameter_file(written, root / "chart", root, Settings(), nothing)
