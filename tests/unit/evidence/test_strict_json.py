"""JSON and base64 that can be read in one way only."""

import pytest

from argocd_provenance.evidence import strict_json
from argocd_provenance.evidence.rejections import Refused


def refusal(raw: bytes) -> str:
    """The code under which `raw` is refused."""
    with pytest.raises(Refused) as caught:
        strict_json.read(raw, "it", 10_000)
    return caught.value.code


class TestRead:
    @pytest.mark.parametrize(
        "raw",
        [
            pytest.param(b'{"a":1,"a":2}', id="duplicate key"),
            pytest.param(b'{"x":[{"a":1,"\\u0061":2}]}', id="duplicate key, escaped"),
            pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
            pytest.param("{}".encode("utf-16"), id="UTF-16"),
            pytest.param(b'{"a":"\xff"}', id="no UTF-8"),
            pytest.param(b'{"a":"\xed\xa0\x80"}', id="surrogate in UTF-8"),
            pytest.param(b'{"a":"\\ud800"}', id="lone surrogate"),
            pytest.param(b'{"\\udc00":1}', id="lone surrogate in a key"),
            pytest.param(b'["\\udc00\\ud800"]', id="surrogates in the wrong order"),
            pytest.param(b'{"a":NaN}', id="NaN"),
            pytest.param(b'{"a":-Infinity}', id="infinity"),
            pytest.param(b'{"a":1e999}', id="infinity by exponent"),
            pytest.param(b"{'a':1}", id="no JSON"),
            pytest.param(b"{} {}", id="two documents"),
            pytest.param(b"", id="nothing"),
            pytest.param(b"1" * 5000, id="a number of 5,000 digits"),
        ],
    )
    def test_what_two_readers_could_understand_differently(self, raw: bytes) -> None:
        """N25: ambiguous text is malformed."""
        assert refusal(raw) == "malformed"

    def test_a_surrogate_pair_is_a_character(self) -> None:
        """A pair spells one character, as in any JSON."""
        assert strict_json.read(b'"\\ud83d\\ude00"', "it", 100) == "\U0001f600"

    def test_depth(self) -> None:
        """N23: 64 levels are read, 65 are not."""
        assert strict_json.read(b"[" * 64 + b"]" * 64, "it", 1000)
        assert refusal(b"[" * 65 + b"]" * 65) == "too-large"
        assert refusal(b'{"a":' * 65 + b"1" + b"}" * 65) == "too-large"

    def test_brackets_in_text_are_no_depth(self) -> None:
        """Only nesting counts."""
        assert strict_json.read(b'"' + b"[" * 500 + b'"', "it", 1000) == "[" * 500

    def test_size(self) -> None:
        """N23: the limit is checked before anything is read."""
        assert refusal(b" " * 10_001) == "too-large"


class TestDecoded:
    @pytest.mark.parametrize("spelled", ["QQ", "QR==", "QQ==QQ==", "QQ==\n", " QQ==", "-_==", "é", 1, None])
    def test_one_spelling_of_the_same_bytes(self, spelled: object) -> None:
        """U8: base64 is padded, standard and canonical, or it is malformed."""
        with pytest.raises(Refused) as caught:
            strict_json.decoded(spelled, "it")

        assert caught.value.code == "malformed"

    def test_bytes(self) -> None:
        """Canonical base64 is read."""
        assert strict_json.decoded("QQ==", "it") == b"A"


def test_what_is_not_there_is_called_missing() -> None:
    """Not a wrong type: who reads it would look for a value that nobody wrote."""
    with pytest.raises(Refused, match="the start is missing"):
        strict_json.text(None, "the start")
