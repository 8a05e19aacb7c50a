"""What a kustomization names is in the source, and none of it is a program."""

from pathlib import Path

import pytest

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.render.kustomization import check_local

LATER = Deadline(60, clock=lambda: 0.0)


def checked(folder: Path, text: str) -> None:
    (folder / "kustomization.yaml").write_text(text)
    check_local(folder, folder, LATER)


class TestWhatIsRefused:
    @pytest.mark.parametrize("field", ["resources", "bases", "components"])
    @pytest.mark.parametrize(
        "entry",
        [
            "https://github.com/acme/base?ref=v1",
            "github.com/acme/base",
            "GitHub.com/acme/base",
            "git@github.com:acme/base",
            "ssh://git@host/acme/base",
            "git::https://host/acme",
            "host.example:acme/base",
            "acme@host/base",
            "dev.azure.com/acme/_git/base",
            "file:///etc",
            "HTTP://host/a.yaml",
        ],
    )
    def test_a_remote_base(self, tmp_path: Path, field: str, entry: str) -> None:
        """Also if a folder of that name is there: kustomize would take it for an address first."""
        if ":" not in entry:
            (tmp_path / entry.partition("?")[0]).mkdir(parents=True)

        with pytest.raises(RenderError, match=r"kustomization\.yaml.*copy it into the repository"):
            checked(tmp_path, f"{field}: ['{entry}']")

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("patches: [{path: https://host/p.yaml}]", id="patch"),
            pytest.param("configMapGenerator: [{name: a, files: ['k=https://host/f']}]", id="generated file"),
            pytest.param("configMapGenerator: [{name: a, envs: [http://host/f]}]", id="envs"),
            pytest.param("openapi: {path: https://host/s.json}", id="schema"),
            pytest.param("crds: [https://host/crd.json]", id="crd"),
            pytest.param("replacements: [{path: https://host/r.yaml}]", id="replacement"),
        ],
    )
    def test_a_file_by_its_address(self, tmp_path: Path, text: str) -> None:
        """Any path that is an http URL is fetched by kustomize."""
        with pytest.raises(RenderError, match="nothing is fetched"):
            checked(tmp_path, text)

    @pytest.mark.parametrize(
        "field",
        ["helmCharts: [{name: a}]", "helmChartInflationGenerator: [{chartName: a}]", "helmGlobals: {chartHome: a}"],
    )
    def test_charts(self, tmp_path: Path, field: str) -> None:
        """They make kustomize run helm."""
        with pytest.raises(RenderError, match="not supported"):
            checked(tmp_path, field)

    @pytest.mark.parametrize("field", ["generators", "transformers", "validators"])
    @pytest.mark.parametrize(
        "plugin",
        [
            pytest.param("apiVersion: acme/v1\nkind: X\nmetadata: {name: a}\n", id="exec plugin"),
            pytest.param(
                "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: a}\n", id="chart inflation"
            ),
            pytest.param(
                "apiVersion: builtin\nkind: X\nmetadata: {name: a, annotations: {config.kubernetes.io/function: 'exec: {path: ./x}'}}\n",
                id="function",
            ),
            pytest.param(
                "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: a}\npath: https://host/p\n", id="address"
            ),
            pytest.param("a: [\n", id="unreadable"),
        ],
    )
    @pytest.mark.parametrize("inline", [False, True], ids=["file", "inline"])
    def test_a_plugin_that_runs_something(self, tmp_path: Path, field: str, plugin: str, inline: bool) -> None:  # noqa: FBT001 - a parameter of the test
        """In a file beside the kustomization, or in it."""
        (tmp_path / "plugin.yaml").write_text(plugin)
        entry = repr(plugin).strip("'").replace('"', "") if inline else "plugin.yaml"

        with pytest.raises(RenderError):
            checked(tmp_path, f'{field}: ["{entry}"]')

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            pytest.param("resources: [../base]", "outside of the source", id="outside"),
            pytest.param("resources: [/etc]", "outside of the source", id="absolute"),
            pytest.param("resources: [missing.yaml]", "no such file", id="missing"),
            pytest.param("resources: [empty]", "without a kustomization", id="a folder without kustomization"),
            pytest.param("resources: a", "not a list", id="no list"),
            pytest.param("resources: [{a: b}]", "not a list of texts", id="no texts"),
            pytest.param("a: [", "cannot be read", id="no YAML"),
            pytest.param("- a", "mapping", id="a list"),
            pytest.param("x: &x {resources: [https://h]}\n<<: *x", "mapping", id="a merge"),
        ],
    )
    def test_what_is_not_here(self, tmp_path: Path, text: str, why: str) -> None:
        """An entry must name a file or a folder of the source."""
        (tmp_path / "empty").mkdir()

        with pytest.raises(RenderError, match=why):
            checked(tmp_path, text)

    def test_the_base_of_a_base(self, tmp_path: Path) -> None:
        """Bases are read as deep as they go."""
        (tmp_path / "base").mkdir()
        (tmp_path / "base" / "Kustomization").write_text("resources: [https://host/x]")

        with pytest.raises(RenderError, match="'base/Kustomization'"):
            checked(tmp_path, "resources: [base]")


class TestWhatIsAllowed:
    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("commonAnnotations: {runbook: https://acme.example}", id="an annotation"),
            pytest.param("configMapGenerator: [{name: a, literals: ['URL=https://acme.example']}]", id="a literal"),
            pytest.param("patches: [{patch: 'https://x'}]", id="a patch in place"),
            pytest.param(
                'transformers: ["apiVersion: builtin\\nkind: PrefixTransformer\\nmetadata: {name: a}\\nprefix: x\\n"]',
                id="a transformer of its own",
            ),
            pytest.param("resources: [a.yaml, base]", id="a file and a folder"),
            pytest.param("resources: []\n---\n", id="an empty list"),
            pytest.param("", id="an empty file: kustomize says so itself"),
        ],
    )
    def test_data_and_what_is_here(self, tmp_path: Path, text: str) -> None:
        """What kustomize copies and opens no address of."""
        (tmp_path / "a.yaml").write_text("kind: Pod")
        (tmp_path / "base").mkdir()
        (tmp_path / "base" / "kustomization.yml").write_text("resources: [../base]")

        checked(tmp_path, text)
