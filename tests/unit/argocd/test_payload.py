"""What the check at sync time carries: whole, deterministic, nothing secret; and nothing else is read."""

import base64
import dataclasses
import json
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argocd_provenance.argocd import payload
from argocd_provenance.argocd.payload import LIMIT, CarriedImage, CarriedPlace, Payload, pack, read, unpack
from argocd_provenance.config import ClusterObjects
from argocd_provenance.errors import HookError
from argocd_provenance.oci.reference import Digest
from argocd_provenance.oci.settings import HostSettings
from support.signing import DOMAIN

DIGEST = Digest.of(b"image")
IMAGE = CarriedImage("ghcr.io/acme/web:v1", DIGEST, ("shop",), (CarriedPlace("Deployment", "", "web", "web"),))
FULL = Payload(
    application="shop",
    images=(IMAGE,),
    policies=(("/etc/p.yaml", "kind: ImagePolicy\n"),),
    trust=(DOMAIN,),
    files={"/etc/cosign.pub": b"-----BEGIN PUBLIC KEY-----\n\xff"},
    registries=(HostSettings("ghcr.io", mirrors=("https://m",), fallback=True, realm="a.example", tls=True),),
    authorities={"ghcr.io": "-----BEGIN CERTIFICATE-----\n"},
    enforce=True,
    deadline=50.0,
    cluster=ClusterObjects({"cosign": "/etc/cosign.pub"}, cue_missing="allow"),
)


def packed(value: Any) -> str:
    """Any JSON, in the form of a payload."""
    return base64.b64encode(zlib.compress(json.dumps(value).encode())).decode()


def changed(**fields: Any) -> str:
    """The full payload with other fields."""
    return packed(read(pack(FULL)) | fields)


class TestRoundTrip:
    def test_what_is_packed_is_unpacked(self) -> None:
        """Every field."""
        assert unpack(pack(FULL)) == FULL

    def test_the_same_decisions_give_the_same_text(self) -> None:
        """Whatever the order of mappings."""
        twice = dataclasses.replace(FULL, files=dict(reversed([*FULL.files.items(), ("/a", b"")])))

        assert pack(FULL) == pack(FULL)
        assert pack(twice) == pack(dataclasses.replace(FULL, files={**FULL.files, "/a": b""}))

    def test_every_setting_of_a_registry_is_carried_or_known_to_stay(self) -> None:
        """A new setting must be decided about: what names a secret never travels."""
        known = {*payload._SETTINGS, *payload.NEVER_CARRIED}

        assert {field.name for field in dataclasses.fields(HostSettings)} == known

    def test_paths_of_certificates_and_keys_are_not_carried(self) -> None:
        """Neither the client certificate nor the place of a CA file."""
        host = HostSettings("ghcr.io", ca_file="/etc/ca.pem", client_cert="/etc/client.pem", password_file="/etc/pass")
        text = json.dumps(read(pack(dataclasses.replace(FULL, registries=(host,)))))

        assert "/etc/ca" not in text
        assert "/etc/client" not in text
        assert "/etc/pass" not in text


class TestLimits:
    def test_what_does_not_fit_is_an_error_with_counts(self) -> None:
        """64 KiB, compressed; the message says what it is made of and what helps."""
        noise = "".join(Digest.of(str(n).encode()).hex for n in range(4000))
        with pytest.raises(
            HookError, match=r"compressed of 65536, for 1 images, 1 policies and 1 trusted roots\. Fix:"
        ) as caught:
            pack(dataclasses.replace(FULL, policies=(("p", noise),)))

        assert caught.value.code == "hook-too-large"

    def test_the_largest_payload_fits_into_one_argument(self) -> None:
        """Linux: MAX_ARG_STRLEN is 32 pages of 4 KiB."""
        assert len(base64.b64encode(bytes(LIMIT))) < 32 * 4096

    def test_a_payload_that_would_inflate_too_far_is_not_made(self) -> None:
        """What could not be read is not written."""
        with pytest.raises(HookError):
            pack(dataclasses.replace(FULL, policies=(("p", "a" * (5 * 1024 * 1024)),)))


class TestMalformed:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "*",
            "AAAA",
            base64.b64encode(b"{}").decode(),
            base64.b64encode(zlib.compress(b"[]")).decode(),
            base64.b64encode(zlib.compress(b'{"a":1,"a":2}')).decode(),
            base64.b64encode(zlib.compress(b"\xff")).decode(),
            pack(FULL)[:-8],
            base64.b64encode(base64.b64decode(pack(FULL)) + b"more").decode(),
            base64.b64encode(zlib.compress(b" " * (4 * 1024 * 1024 + 1))).decode(),
            "A" * (LIMIT * 2),
        ],
        ids=[
            "empty",
            "no base64",
            "no zlib",
            "not packed",
            "a list",
            "doubled",
            "no text",
            "cut",
            "longer",
            "bomb",
            "long",
        ],
    )
    def test_text_that_is_no_payload_is_refused(self, text: str) -> None:
        """By one error, with a remedy."""
        with pytest.raises(HookError, match="Fix: ") as caught:
            unpack(text)

        assert (caught.value.code, caught.value.exit_code) == ("hook-payload", 3)

    def test_a_bomb_is_not_inflated(self) -> None:
        """The limit holds while inflating, not afterwards."""
        bomb = base64.b64encode(zlib.compress(bytes(60 * 1024 * 1024), 9)).decode()

        tracemalloc.start()
        try:
            with pytest.raises(HookError, match="inflates to more than"):
                unpack(bomb)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert peak < 20 * 1024 * 1024

    @pytest.mark.parametrize("version", [0, 2, "1", None])
    def test_another_version_is_refused_by_name(self, version: Any) -> None:
        """And the remedy is the image of the sidecar."""
        with pytest.raises(HookError, match=r"reads version 1, and .*hook\.image"):
            unpack(changed(version=version))

    @pytest.mark.parametrize(
        "fields",
        [
            {"extra": 1},
            {"images": []},
            {"images": [read(pack(FULL))["images"][0]] * 2},
            {"images": [read(pack(FULL))["images"][0] | {"policies": []}]},
            {"images": [read(pack(FULL))["images"][0] | {"digest": "sha256:1"}]},
            {"images": [read(pack(FULL))["images"][0] | {"reference": f"ghcr.io/acme/web@{Digest.of(b'other')}"}]},
            {"images": [read(pack(FULL))["images"][0] | {"where": [["a"]]}]},
            {"images": {}},
            {"policies": [["a"]]},
            {"policies": None},
            {"files": []},
            {"files": {"a": "*"}},
            {"trust": [{"name": "a", "root": "{}", "requires": ["log"]}]},
            {"trust": [{"name": "test", "root": DOMAIN.root.decode(), "requires": []}]},
            {"registries": [{"host": "a"}]},
            {"registries": [read(pack(FULL))["registries"][0] | {"client_cert": "/etc/k"}]},
            {"registries": [read(pack(FULL))["registries"][0] | {"tls": "yes"}]},
            {"enforce": "no"},
            {"deadline": True},
            {"deadline": 0},
            {"cluster": {}},
            {"cluster": read(pack(FULL))["cluster"] | {"cue": "/bin/sh"}},
            {"cluster": read(pack(FULL))["cluster"] | {"cue_missing": "perhaps"}},
            {"deadline": 10**6},
            {"application": None},
        ],
    )
    def test_a_field_that_is_not_as_written_is_refused(self, fields: dict[str, Any]) -> None:
        """Unknown, missing, of another type, or saying two things."""
        with pytest.raises(HookError):
            unpack(changed(**fields))

    def test_a_missing_field_is_refused(self) -> None:
        """None has a default."""
        whole = read(pack(FULL))
        for name in whole:
            with pytest.raises(HookError):
                unpack(packed({key: value for key, value in whole.items() if key != name}))

    @settings(max_examples=25)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        )
    )
    def test_no_json_raises_anything_else(self, value: Any) -> None:
        """One error for everything, in every field."""
        for name in read(pack(FULL)):
            if name in ("application", "deadline", "enforce"):
                continue
            try:
                unpack(changed(**{name: value}))
            except HookError:
                continue
