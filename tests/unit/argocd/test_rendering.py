"""The fields of an Application's source, as plugin parameters."""

import json
from typing import Any

import pytest

from argocd_provenance.argocd.parameters import Parameters, parse_parameters
from argocd_provenance.errors import UsageError
from argocd_provenance.render import DirectoryOptions, HelmOptions, JsonnetOptions, KustomizeOptions


def parsed(**values: Any) -> Parameters:
    forms = {str: "string", list: "array", dict: "map"}
    return parse_parameters(
        json.dumps([{"name": name.replace("__", "."), forms[type(value)]: value} for name, value in values.items()])
    )


class TestFields:
    def test_of_directory(self) -> None:
        """Jsonnet's variables are a map for texts, and one for code."""
        found = parsed(
            directory__recurse="true",
            directory__include="a",
            directory__exclude="b",
            directory__jsonnet__extVars={"a": "1"},
            directory__jsonnet__extVars__code={"b": "2"},
            directory__jsonnet__tlas={"c": "3"},
            directory__jsonnet__tlas__code={"d": "4"},
            directory__jsonnet__libs=["lib"],
        )

        jsonnet = JsonnetOptions({"a": "1"}, {"b": "2"}, {"c": "3"}, {"d": "4"}, ("lib",))
        assert (found.kind, found.directory) == ("directory", DirectoryOptions(True, "a", "b", jsonnet))

    def test_of_helm(self) -> None:
        """Each in its form."""
        found = parsed(
            helm__releaseName="r",
            helm__namespace="n",
            helm__valueFiles=["a"],
            helm__ignoreMissingValueFiles="true",
            helm__values="a: 1",
            helm__parameters={"a": "1"},
            helm__parameters__forceString={"b": "2"},
            helm__fileParameters={"c": "f"},
            helm__skipCrds="true",
            helm__skipSchemaValidation="true",
            helm__skipTests="true",
            helm__kubeVersion="1.33.0",
            helm__apiVersions=["v1"],
            helm__version="v3",
            helm__passCredentials="false",
        )

        assert (found.kind, found.helm) == (
            "helm",
            HelmOptions(
                "r", "n", ("a",), True, "a: 1", {"a": "1"}, {"b": "2"}, {"c": "f"}, True, True, True, "1.33.0", ("v1",)
            ),
        )

    def test_of_kustomize(self) -> None:
        """Patches are one text, as in an Application, or a text for each."""
        options = {
            "namePrefix": "p",
            "nameSuffix": "s",
            "images": ["a=b"],
            "replicas": {"web": "3"},
            "commonLabels": {"l": "1"},
            "forceCommonLabels": "true",
            "labelWithoutSelector": "true",
            "labelIncludeTemplates": "true",
            "commonAnnotations": {"a": "1"},
            "forceCommonAnnotations": "true",
            "commonAnnotationsEnvsubst": "true",
            "namespace": "n",
            "patches": "- {path: p.yaml, target: {kind: Deployment}, options: {allowNameChange: true}}",
            "components": ["../c"],
            "ignoreMissingComponents": "true",
            "kubeVersion": "1.33.0",
            "apiVersions": ["v1"],
        }
        patch = {"path": "p.yaml", "target": {"kind": "Deployment"}, "options": {"allowNameChange": True}}

        found = parsed(**{f"kustomize__{name}": value for name, value in options.items()})

        assert (found.kind, found.kustomize) == (
            "kustomize",
            KustomizeOptions(
                "p",
                "s",
                ("a=b",),
                {"web": 3},
                {"l": "1"},
                True,
                True,
                True,
                {"a": "1"},
                True,
                True,
                "n",
                (patch,),
                ("../c",),
                True,
            ),
        )
        assert parsed(kustomize__patches=["{path: a}", "{path: b}"]).kustomize.patches == ({"path": "a"}, {"path": "b"})

    def test_values_object_replaces_values(self) -> None:
        """As in Argo CD."""
        assert parsed(helm__values="a: 1", helm__valuesObject='{"b": 2}').helm.values == '{"b": 2}'

    def test_name_the_type(self) -> None:
        """Without any, the folder decides."""
        assert parsed(policy__mode="enforce").kind is None


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"helm__values": "a", "kustomize__images": ["a"]}, "for helm and kustomize: a source has one type"),
        ({"helm__valueFiles": "a"}, "'helm.valueFiles' takes `array: …` and nothing else"),
        ({"helm__parameters": ["a"]}, "takes `map: …`"),
        ({"helm__parameters": {"a": 1}}, "which is a map of texts"),
        ({"helm__valueFiles": [1]}, "which is a list of texts"),
        ({"kustomize__patches": {"a": "b"}}, "takes `string: …` or `array: …`"),
        ({"helm__skipCrds": "yes"}, '"true" or "false"'),
        ({"helm__values": "[1]"}, "'helm.values': not a mapping"),
        ({"helm__valuesObject": "{"}, "'helm.valuesObject': not YAML"),
        ({"helm__version": "v2"}, "Argo CD knows v3 and v4"),
        ({"helm__passCredentials": "true"}, "and to no other"),
        ({"kustomize__version": "v4"}, "the image has one kustomize"),
        ({"kustomize__buildOptions": "--enable-helm"}, "they are the operator's"),
        ({"kustomize__replicas": {"web": "-1"}}, "is no number of replicas"),
        ({"kustomize__replicas": {"web": "٣"}}, "is no number of replicas"),
        ({"kustomize__patches": "{}x"}, "not YAML"),
        ({"kustomize__patches": "a: 1"}, "not a list"),
        ({"kustomize__patches": "[1]"}, "a patch has"),
        ({"kustomize__patches": "[{patches: a}]"}, "a patch has"),
        ({"kustomize__patches": "[{path: 1}]"}, "texts"),
        ({"kustomize__patches": "[{target: {kinds: a}}]"}, "target has"),
        ({"kustomize__patches": "[{target: [a]}]"}, "target has"),
        ({"kustomize__patches": "[{options: {a: 1}}]"}, "options are true or false"),
        ({"helm__valueFile": ["a"]}, r"did you mean 'helm\.valueFiles'"),
    ],
)
def test_what_is_not_understood_is_an_error(values: dict[str, Any], why: str) -> None:
    """It names the parameter, and what is right."""
    with pytest.raises(UsageError, match=why):
        parsed(**values)
