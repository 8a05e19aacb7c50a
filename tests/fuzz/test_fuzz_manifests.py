"""Invariant: any bytes of a registry are a value, or a `RegistryError` (``registry-misbehaved``)."""

import json

from hypothesis import given
from hypothesis import strategies as st

from argocd_provenance.errors import RegistryError
from argocd_provenance.oci.bearer import parse_challenges
from argocd_provenance.oci.descriptor import Index, Manifest, parse_manifest
from argocd_provenance.oci.replies import error_codes

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.sampled_from(["digest", "size", "os"]), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.sampled_from(["mediaType", "config", "layers", "manifests", "subject", "annotations", "artifactType"])
documents = st.dictionaries(names, values).map(lambda found: json.dumps({"schemaVersion": 2, **found}).encode())


class TestStrangersBytes:
    """Parsers of what a registry sends."""

    @given(documents | st.binary())
    def test_a_manifest_is_a_value_or_an_error(self, content: bytes) -> None:
        """Nothing else is raised."""
        try:
            found: object = parse_manifest(content)
        except RegistryError as error:
            found = error.code

        assert isinstance(found, Manifest | Index) or found == "registry-misbehaved"

    @given(st.text() | st.text(alphabet='Basicre="\\, abc'))
    def test_a_challenge_is_read_or_dropped(self, header: str) -> None:
        """Nothing is raised."""
        assert len(parse_challenges(header)) <= len(header)

    @given(st.binary() | values.map(lambda found: json.dumps({"errors": found}).encode()))
    def test_an_error_body_is_read_or_dropped(self, body: bytes) -> None:
        """What is shown of it is printable."""
        assert all(text.isprintable() for pair in error_codes(body) for text in pair)
