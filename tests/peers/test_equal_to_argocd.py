"""Every field of an Application's `directory`, `helm` and `kustomize` does what it does in Argo CD.

Each case is rendered twice by one repo-server: by Argo CD itself, and by the plugin, told the same by parameters of the
same names, with a config that changes nothing. The real folders are in `test_corpus_rendering.py`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.argocd import ArgoCD, GitRepository
from support.asapplication import both, operator

pytestmark = pytest.mark.peers

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {own: yes-it-is}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "acme/web:v1"}, {name: d, image: "acme/side"}]}
"""
KUSTOMIZATION = """\
resources: [web.yaml, ../base]
commonAnnotations: {own: "on"}
images: [{name: acme/side, newTag: "010"}]
configMapGenerator: [{name: generated, literals: [a=1], envs: [wanted.env]}]
patches: [{path: patch.yaml}]
"""
CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}", namespace: "{{ .Release.Namespace }}"}
data:
  values: {{ .Values | toJson | quote }}
  kube: {{ .Capabilities.KubeVersion.Version | quote }}
  apis: {{ .Capabilities.APIVersions.Has "acme.example/v1" | quote }}
"""
HOOK = "metadata: {name: test, annotations: {helm.sh/hook: test}}\napiVersion: v1\nkind: Pod\nspec: {containers: [{name: c, image: acme/test}]}\n"
CRD = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.acme.example}\n"
JSONNET = """\
local lib = import 'lib.libsonnet';
function(t='none', c=0) [lib(name, std.extVar('e'), std.extVar('n'), t, c) for name in ['one', 'two']]
"""
LIBRARY = "function(name, e, n, t, c) {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: name}, data: {e: e, n: '%d' % n, t: t, c: '%d' % c, big: '%g' % 1e21}}\n"

FILES: Mapping[str, str | bytes] = {
    "plain/a.yaml": MAP % "a",
    "plain/b.yml": f"{MAP % 'b'}---\n{MAP % 'b2'}---\n",
    "plain/c.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"n": "1e3"}}',
    "plain/.hidden.yaml": MAP % "hidden",
    "plain/skipped.yaml": f"# +argocd:skip-file-rendering\n{MAP % 'skipped'}",
    "plain/unrelated.yaml": "a: 1\n",
    "plain/list.yaml": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: item}}\n",
    "plain/utf16.yaml": b"\xff\xfe" + (MAP % "wide").encode("utf-16-le"),
    "plain/sub/d.yaml": MAP % "d",
    "plain/sub/deep/e.yaml": MAP % "e",
    "plain/sub/scalars.yaml": f"{MAP % 'scalars'}data: {{a: \"y\", b: '010', c: '1e3', d: 'null'}}\nx: [y, 010, 1e3, 12:30:00, 0o7, ~, 1_000]\n",
    "jsonnet/main.jsonnet": JSONNET,
    "libs/lib.libsonnet": LIBRARY,
    "chart/Chart.yaml": "apiVersion: v2\nname: chart\nversion: 0.1.0\n",
    "chart/values.yaml": "a: {b: 1}\nlist: [1]\n",
    "chart/values-prod.yaml": "a: {b: prod, c: 2}\n",
    "chart/env/x.yaml": "env: x\nlast: x\n",
    "chart/env/deep/y.yaml": "env: deep\nlast: deep\n",
    "chart/values.schema.json": '{"properties": {"strict": {"type": "integer"}}}',
    "chart/file.txt": "text, with a comma\n",
    "chart/templates/config.yaml": CONFIG,
    "chart/templates/hook.yaml": HOOK,
    "chart/crds/crd.yaml": CRD,
    "shared.yaml": "shared: true\n",
    "app/kustomization.yaml": KUSTOMIZATION,
    "app/web.yaml": DEPLOYMENT,
    "app/patch.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {minReadySeconds: 7}\n",
    "app/more.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {minReadySeconds: 8}\n",
    "app/wanted.env": "ARGOCD_APP_NAME\n",
    "base/kustomization.yml": "resources: [map.yaml]\nnamePrefix: base-\n",
    "base/map.yaml": MAP % "map",
    "component/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -c\n",
    "both/Chart.yaml": "apiVersion: v2\nname: both\nversion: 0.1.0\n",
    "both/kustomization.yaml": "resources: [map.yaml]\n",
    "both/map.yaml": MAP % "both",
    "suffix/MyChart.yaml": MAP % "chart",
    "flow/kustomization.yaml": '{"resources": ["map.yaml"]}',
    "flow/map.yaml": MAP % "flow",
    "empty/README": "",
}
JSON_PATCH = {
    "patch": "- {op: add, path: /metadata/labels/é, value: 'on'}\n",
    "target": {"kind": "Deployment", "name": "web"},
}
STRATEGIC = {"path": "more.yaml"}
RENAME = {
    "patch": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: renamed}\n",
    "target": {"labelSelector": "own=yes-it-is", "group": "apps", "version": "v1"},
    "options": {"allowNameChange": True},
}

DIRECTORY: Mapping[str, Mapping[str, Any]] = {
    "not recursive": {},
    "recursive": {"recurse": True},
    "include": {"recurse": True, "include": "*.yml"},
    "include crosses folders": {"recurse": True, "include": "sub*.yaml"},
    "include one of": {"recurse": True, "include": "{a.yaml,sub/**}"},
    "exclude": {"recurse": True, "exclude": "[a-b]*"},
    "exclude before include": {"recurse": True, "include": "*", "exclude": "sub/deep/?.yaml"},
    "nothing left": {"include": "none"},
}
HELM: Mapping[str, Mapping[str, Any]] = {
    "defaults": {},
    "releaseName": {"releaseName": "other"},
    "namespace": {"namespace": "elsewhere"},
    "valueFiles": {"valueFiles": ["values-prod.yaml", "/shared.yaml", "../shared.yaml"]},
    "valueFiles with a variable": {
        "valueFiles": ["values-$ARGOCD_APP_NAME.yaml", "${ARGOCD_APP_NAME}.yaml"],
        "ignoreMissingValueFiles": True,
    },
    "valueFiles by pattern": {"valueFiles": ["env/**/*.yaml", "values-*.yaml"]},
    "valueFiles by pattern, one written out": {"valueFiles": ["env/x.yaml", "env/**/*.yaml", "/{shared,none}.y?ml"]},
    "valueFiles by pattern, one level": {"valueFiles": ["e*/*.yaml"]},
    "valueFiles missing": {"valueFiles": ["missing.yaml"]},
    "valueFiles by pattern, none": {"valueFiles": ["missing*.yaml"]},
    "valueFiles missing, ignored": {
        "valueFiles": ["missing.yaml", "x*.yaml", "values-prod.yaml"],
        "ignoreMissingValueFiles": True,
    },
    "valueFiles outside": {"valueFiles": ["../../outside.yaml"]},
    "values": {"values": "a: {b: 010, c: on}\nlist: [2, 3]\n", "valueFiles": ["values-prod.yaml"]},
    "values without variables": {"values": "a: $ARGOCD_APP_NAME\n"},
    "valuesObject": {"valuesObject": {"a": {"b": None, "c": 1.5}}, "values": "ignored: true\n"},
    "parameters": {
        "parameters": [
            {"name": "a.b", "value": "1,2"},
            {"name": "a.c", "value": "true"},
            {"name": "a.d", "value": "true", "forceString": True},
            {"name": "a.e", "value": "007", "forceString": True},
            {"name": "list", "value": "{x,y}"},
            {"name": "escaped", "value": "a\\,b"},
            {"name": "annotation\\.with\\.dots", "value": "1"},
            {"name": "list2[1].x", "value": "z"},
            {"name": "name", "value": "$ARGOCD_APP_NAME-${ARGOCD_APP_NAMESPACE}-$$-$ARGOCD_APP_SOURCE_PATH-$NONE"},
        ],
        "values": "a: {b: loses}\n",
    },
    "fileParameters": {
        "fileParameters": [{"name": "a.b", "path": "file.txt"}, {"name": "root", "path": "/shared.yaml"}]
    },
    "fileParameters missing": {"fileParameters": [{"name": "a.b", "path": "none.txt"}]},
    "skipCrds": {"skipCrds": True},
    "skipTests": {"skipTests": True},
    "a broken schema": {"values": "strict: text\n"},
    "skipSchemaValidation": {"values": "strict: text\n", "skipSchemaValidation": True},
    "kubeVersion": {"kubeVersion": "v1.30.3-gke.1"},
    "no kubeVersion": {"kubeVersion": "latest"},
    "apiVersions": {"apiVersions": ["acme.example/v1", "v1"]},
    "version": {"version": "v3"},
    "another version": {"version": "v2"},
}
KUSTOMIZE: Mapping[str, Mapping[str, Any]] = {
    "defaults": {},
    "namePrefix and nameSuffix": {"namePrefix": "pre-", "nameSuffix": "-post"},
    "images": {"images": ["acme/web:v2", "acme/side=ghcr.io/acme/other:v3", "acme/none@sha256:" + "0" * 64]},
    "images with a variable": {"images": ["acme/web:$ARGOCD_APP_NAME"]},
    "replicas": {"replicas": [{"name": "web", "count": 3}]},
    "commonLabels": {"commonLabels": {"team": "shop", "app-name": "$ARGOCD_APP_NAME", "number": "007"}},
    "commonLabels that are no labels": {"commonLabels": {"true": "a b"}},
    "commonLabels that are there": {"commonLabels": {"own": "other"}},
    "forceCommonLabels": {"commonLabels": {"own": "other"}, "forceCommonLabels": True},
    "labelWithoutSelector": {"commonLabels": {"team": "shop"}, "labelWithoutSelector": True},
    "labelIncludeTemplates": {
        "commonLabels": {"team": "shop"},
        "labelWithoutSelector": True,
        "labelIncludeTemplates": True,
    },
    "commonAnnotations": {
        "commonAnnotations": {"team": "shop", "app": "$ARGOCD_APP_NAME", "url": "https://a.example/?a=b"}
    },
    "commonAnnotationsEnvsubst": {"commonAnnotations": {"app": "$ARGOCD_APP_NAME"}, "commonAnnotationsEnvsubst": True},
    "commonAnnotations that are there": {"commonAnnotations": {"own": "other"}},
    "forceCommonAnnotations": {"commonAnnotations": {"own": "other"}, "forceCommonAnnotations": True},
    "namespace": {"namespace": "elsewhere"},
    "patches": {"patches": [JSON_PATCH, STRATEGIC]},
    "patches with options": {"patches": [RENAME]},
    "patches of nothing": {"patches": [{"patch": "- {op: remove, path: /none}\n", "target": {"kind": "Deployment"}}]},
    "components": {"components": ["../component"]},
    "components missing": {"components": ["../none"]},
    "components missing, ignored": {
        "components": ["../none", "../component", "../../x"],
        "ignoreMissingComponents": True,
    },
    "kubeVersion and apiVersions": {"kubeVersion": "1.30.3", "apiVersions": ["v1"]},
    "all at once": {
        "namePrefix": "p-",
        "images": ["acme/web:v9"],
        "replicas": [{"name": "web", "count": 0}],
        "commonLabels": {"team": "shop"},
        "commonAnnotations": {"team": "shop"},
        "namespace": "elsewhere",
        "patches": [JSON_PATCH],
        "components": ["../component"],
    },
}
JSONNETS: Mapping[str, Mapping[str, Any]] = {
    "variables": {
        "extVars": [{"name": "e", "value": "$ARGOCD_APP_NAME"}, {"name": "n", "value": "1 + 1", "code": True}],
        "tlas": [{"name": "t", "value": "1"}, {"name": "c", "value": "2 * 3", "code": True}],
        "libs": ["libs"],
    },
    "no library": {"extVars": [{"name": "e", "value": "1"}, {"name": "n", "value": "1", "code": True}]},
    "a library outside": {"libs": ["../outside"]},
    "a variable that is not there": {"libs": ["/libs"]},
}

CASES = [
    *(pytest.param("plain", {"directory": fields}, id=f"directory: {name}") for name, fields in DIRECTORY.items()),
    *(pytest.param("chart", {"helm": fields}, id=f"helm: {name}") for name, fields in HELM.items()),
    *(pytest.param("app", {"kustomize": fields}, id=f"kustomize: {name}") for name, fields in KUSTOMIZE.items()),
    *(pytest.param("jsonnet", {"directory": {"jsonnet": f}}, id=f"jsonnet: {n}") for n, f in JSONNETS.items()),
    pytest.param(
        "flow", {"kustomize": {"patches": [], "namePrefix": "p-"}}, id="kustomize: a kustomization in flow style"
    ),
    pytest.param("both", {}, id="type: a kustomization beside a chart"),
    pytest.param("both", {"directory": {"include": "map.yaml"}}, id="type: a folder by name"),
    pytest.param("both", {"helm": {"releaseName": "x"}}, id="type: a chart by name"),
    pytest.param("plain", {"kustomize": {"namePrefix": "x-"}}, id="type: no kustomization"),
    pytest.param("plain", {"helm": {"releaseName": "x"}}, id="type: no chart"),
    pytest.param("suffix", {}, id="type: a name that ends in Chart.yaml"),
    pytest.param("empty", {}, id="type: an empty folder"),
]


@pytest.fixture(scope="module")
def repository(servers: ArgoCD, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitRepository]:
    repository = servers.repository(tmp_path_factory.mktemp("equal"))
    repository.commit(FILES)
    return repository


@pytest.mark.parametrize(("path", "source"), CASES)
def test_renders_as_argo_cd_does(
    servers: ArgoCD, repository: GitRepository, tmp_path: Path, path: str, source: Mapping[str, Any]
) -> None:
    """The same objects in the same order, or an error where Argo CD has one."""
    servers.operator(operator(tmp_path))

    native, ours = both(servers, repository, path, source, app="prod")

    assert bool(ours.error) == bool(native.error), (native.error, ours.error)
    assert ours.objects == native.objects
    assert str(servers.work) not in ours.error
    assert "argocd-provenance-" not in ours.error


def test_one_of_argo_cds_own_namespaces_is_named_without_it(
    servers: ArgoCD, repository: GitRepository, tmp_path: Path
) -> None:
    """`<namespace>_<name>` is no name of a release."""
    servers.operator(operator(tmp_path))

    native, ours = both(servers, repository, "chart", {"helm": {"skipCrds": True}}, app="team_prod")

    assert ours.objects == native.objects != []
