"""Globs match as gobwas/glob matches without separators."""

import pytest

from argocd_provenance.render.globs import GlobError, glob


class TestGlob:
    @pytest.mark.parametrize(
        ("pattern", "text"),
        [
            ("*.yaml", "a/b.yaml"),
            ("a*", "a"),
            ("?.yaml", "a.yaml"),
            ("{a,b/*}.yaml", "b/c.yaml"),
            ("{a,{b,c}}", "c"),
            ("[abc]x", "bx"),
            ("[a-c]x", "bx"),
            ("[!a-c]x", "dx"),
            ("[!ab]x", "cx"),
            (r"\*", "*"),
            ("a.b", "a.b"),
            ("a,b", "a,b"),
            ("}", "}"),
            ("*", "a\nb"),
        ],
    )
    def test_matches(self, pattern: str, text: str) -> None:
        """What gobwas matches."""
        assert glob(pattern).fullmatch(text)

    @pytest.mark.parametrize(
        ("pattern", "text"),
        [
            ("*.yaml", "a.yaml.bak"),
            ("a.b", "axb"),
            ("?", "ab"),
            (r"\*", "a"),
            ("[!a-c]", "b"),
            ("{a,b}", "a,b"),
            ("A", "a"),
        ],
    )
    def test_matches_not(self, pattern: str, text: str) -> None:
        """What gobwas does not match; both ends are anchored."""
        assert not glob(pattern).fullmatch(text)

    @pytest.mark.parametrize("pattern", ["{a", "[a", "[]", "[c-a]", "[a-bc]", "\\"])
    def test_malformed_patterns_are_refused(self, pattern: str) -> None:
        """With the pattern in the message."""
        with pytest.raises(GlobError):
            glob(pattern)
