"""Where images are found, what is a suspect, and what is left alone."""

import pytest

from argocd_provenance.documents import Row, read
from argocd_provenance.errors import DocumentError

POD = "spec:\n  containers:\n  - {name: c, image: a}\n"


class TestObjectsThatAreNeverApplied:
    """Argo CD applies no object whose only hooks are helm's tests (gitops-engine: pkg/sync/hook)."""

    @staticmethod
    def applied(annotations: str) -> bool:
        (image,) = read([("f", f"kind: Pod\nmetadata: {{name: a, annotations: {annotations}}}\n{POD}")]).images
        return image.applied

    @pytest.mark.parametrize("hook", ["test", "test-success", "'test, test-success'"])
    def test_are_those_with_helms_tests_alone(self, hook: str) -> None:
        """They are hooks of no phase."""
        assert not self.applied(f"{{helm.sh/hook: {hook}}}")

    @pytest.mark.parametrize(
        "annotations",
        [
            "{}",
            "null",
            "{helm.sh/hook: 'test,pre-install'}",
            "{helm.sh/hook: pre-delete}",
            "{helm.sh/hook: ''}",
            "{helm.sh/hook: null}",
            "{helm.sh/hook: Test}",
            "{helm.sh/hook: test, argocd.argoproj.io/hook: Sync}",
            "{helm.sh/hook: test, argocd.argoproj.io/hook: ''}",
            "{helm.sh/hook: test, helm.sh/hook: pre-install}",
            "{helm.sh/hook: pre-install, helm.sh/hook: test}",
            "{HELM.SH/HOOK: test}",
        ],
    )
    def test_are_no_others(self, annotations: str) -> None:
        """What could be applied by any reading counts."""
        assert self.applied(annotations)


class TestImages:
    @pytest.mark.parametrize("key", ["containers", "initContainers", "ephemeralContainers"])
    def test_container_lists_are_found_at_any_depth_of_any_object(self, key: str) -> None:
        """The kind does not matter, nor the path."""
        images = read(
            [("f", f"kind: Odd\na:\n  b:\n  - c:\n      {key}:\n      - name: x\n        image: r/i:1\n")]
        ).images

        assert [(i.written, i.container, i.path, i.role) for i in images] == [
            ("r/i:1", "x", f"a.b[0].c.{key}[0].image", "other")
        ]

    def test_an_alias_under_image_is_an_image(self) -> None:
        """Also where nothing else in the document speaks of images."""
        images = read([("f", "kind: Odd\nx: &i a:1\ncontainers: [{image: *i}]\n")]).images

        assert [i.written for i in images] == ["a:1"]

    def test_image_volumes_are_found(self) -> None:
        """An image volume runs what its reference names."""
        images = read(
            [("f", "apiVersion: v1\nkind: Pod\nspec:\n  volumes:\n  - name: v\n    image:\n      reference: data:1\n")]
        ).images

        assert [(i.written, i.role) for i in images] == [("data:1", "core")]

    def test_a_place_is_told_for_people(self) -> None:
        """Kind, namespace, name, container, file and the scalar's own line."""
        text = (
            "# top\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec:\n  template:\n    "
            + POD.replace("\n", "\n    ")
        )
        image = read([("dir/web.yaml", text)]).images[0]

        assert (image.kind, image.namespace, image.name, image.container, image.file, image.line) == (
            "Deployment", "shop", "web", "c", "dir/web.yaml", 10,
        )  # fmt: skip

    @pytest.mark.parametrize("kind", ["List", "PodList", "Anything"])
    def test_an_object_with_items_is_many_objects(self, kind: str) -> None:
        """Argo CD flattens whatever has an items list."""
        text = f"kind: {kind}\nitems:\n- kind: Pod\n  metadata: {{name: a}}\n  {POD}\n".replace(
            "spec:\n  con", "spec:\n    con"
        ).replace("\n  - {n", "\n    - {n")
        images = read([("f", text + text.split("items:\n")[1])]).images

        assert [(i.name, i.object_id) for i in images] == [("a", 0), ("a", 1)]

    def test_a_field_that_is_no_reference_is_an_image_field_too(self) -> None:
        """What stands there is judged later; it is never overlooked."""
        images = read(
            [("f", "apiVersion: v1\nkind: Pod\nspec:\n  containers: [{image: ''}, {image: $TAG}, {image: 'ko://x'}]\n")]
        ).images

        assert [i.written for i in images] == ["", "$TAG", "ko://x"]

    def test_text_in_an_unknown_kind_need_not_be_a_string(self) -> None:
        """A schema or a policy may say anything under `image`."""
        assert read([("f", "kind: Rule\ncontainers:\n- image: {type: string}\n")]).images == ()


class TestTable:
    @pytest.mark.parametrize(
        ("head", "body"),
        [
            ("argoproj.io/v1alpha1 Workflow", "spec: {templates: [{container: {image: X}}]}"),
            ("argoproj.io/v1alpha1 CronWorkflow", "spec: {workflowSpec: {templates: [{script: {image: X}}]}}"),
            ("argoproj.io/v1alpha1 Rollout", "spec: {template: {spec: {containers: [{image: X}]}}}"),
            ("tekton.dev/v1 Task", "spec: {steps: [{image: X}]}"),
            ("tekton.dev/v1 Task", "spec: {stepTemplate: {image: X}}"),
            ("tekton.dev/v1beta1 Pipeline", "spec: {tasks: [{taskSpec: {sidecars: [{image: X}]}}]}"),
            ("tekton.dev/v1 StepAction", "spec: {image: X}"),
            ("caching.internal.knative.dev/v1alpha1 Image", "spec: {image: X}"),
            ("monitoring.coreos.com/v1 Prometheus", "spec: {image: X}"),
            ("monitoring.coreos.com/v1 Prometheus", "spec: {thanos: {image: X}}"),
            ("opentelemetry.io/v1alpha1 Instrumentation", "spec: {java: {image: X}}"),
            ("kibana.k8s.elastic.co/v1 Kibana", "spec: {image: X}"),
            ("postgresql.cnpg.io/v1 Cluster", "spec: {imageName: X}"),
            ("kafka.strimzi.io/v1beta2 Kafka", "spec: {entityOperator: {userOperator: {image: X}}}"),
            ("pkg.crossplane.io/v1 Provider", "spec: {package: X}"),
        ],
    )
    def test_known_resources_with_other_places_are_read(self, head: str, body: str) -> None:
        """The table knows where the common CRDs keep images."""
        api_version, kind = head.split()
        images = read([("f", f"apiVersion: {api_version}\nkind: {kind}\n{body.replace('X', 'r.io/i:1')}\n")]).images

        assert [(i.written, i.role) for i in images] == [("r.io/i:1", "crd")]

    @pytest.mark.parametrize(
        "path", ["$.spec.engineImage", "$.spec['engineImage']", "$.spec[?(@ == 'x/y:1')]", "$..engineImage"]
    )
    def test_an_operators_row_adds_a_place(self, path: str) -> None:
        """Rows take any JSONPath."""
        text = "apiVersion: example.com/v1\nkind: Engine\nspec: {engineImage: 'x/y:1'}\n"
        if "?" in path:
            text, path = text.replace("{engineImage: 'x/y:1'}", "[{i: 'x/y:1'}]"), "$.spec[?(@.i == 'x/y:1')].i"

        images = read([("f", text)], [Row("example.com/*", "Engine", path)]).images

        assert [(i.written, i.role) for i in images] == [("x/y:1", "crd")]

    def test_a_row_speaks_only_about_its_kinds(self) -> None:
        """Another apiVersion or kind is another thing."""
        text = "apiVersion: other.com/v1\nkind: Engine\nspec: {engineImage: y}\n"

        assert read([("f", text)], [Row("example.com/*", "Engine", "$.spec.engineImage")]).images == ()

    @pytest.mark.parametrize("path", ["$.spec[", "spec engine", "$..["])
    def test_a_path_that_is_none_is_an_error_at_once(self, path: str) -> None:
        """The operator hears of it when the config is loaded."""
        with pytest.raises(ValueError, match="JSONPath"):
            Row("a/*", "B", path)

    def test_a_known_place_must_hold_text(self) -> None:
        """A number where a CRD keeps its image is refused."""
        with pytest.raises(DocumentError, match="must be a string"):
            read([("f", "apiVersion: tekton.dev/v1\nkind: Task\nspec: {steps: [{image: 1e3}]}\n")])


class TestSuspects:
    @pytest.mark.parametrize(
        "text",
        [
            "ghcr.io/a/b:v1",
            "localhost:5000/a@sha256:" + "a" * 64,
            "reg:5000/a/b:1",
            "r.example.com/a/b:v1@sha256:" + "0" * 64,
        ],
    )
    def test_a_string_that_looks_like_an_image_is_reported(self, text: str) -> None:
        """A host, a path, and a tag or a digest."""
        suspects = read([("f", f"kind: Engine\nmetadata: {{name: e}}\nspec:\n  engine: '{text}'\n")]).suspects

        assert [(s.text, s.kind, s.name, s.line, s.path) for s in suspects] == [(text, "Engine", "e", 4, "spec.engine")]

    @pytest.mark.parametrize(
        "text",
        [
            "https://ghcr.io/a:1",
            "nginx:1",
            "a/b:c",
            "see ghcr.io/a/b:v1 for more",
            "ghcr.io/a/b",
            "10:20",
            "/var/run:/x",
        ],
    )
    def test_other_strings_are_not(self, text: str) -> None:
        """Not every string with a colon is an image."""
        assert read([("f", f"kind: Engine\nspec:\n  engine: '{text}'\n")]).suspects == ()

    def test_an_image_is_no_suspect(self) -> None:
        """What is known to be an image is not reported twice."""
        rendered = read([("f", "kind: Pod\nspec:\n  containers: [{image: 'ghcr.io/a/b:1'}]\n")])

        assert (len(rendered.images), rendered.suspects) == (1, ())
