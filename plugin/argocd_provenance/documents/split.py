"""A stream of YAML cut into its documents, as Argo CD cuts it.

Argo CD looks for separator lines first and parses each part alone (apimachinery ``util/yaml`` ``YAMLReader.Read``,
through gitops-engine's ``SplitYAML``). A line at which readers of YAML could disagree is refused here, so that a part is
the same document to everybody. Joining the pieces of a `Source` gives its text, byte for byte.
"""

import re
from collections.abc import Iterator

from argocd_provenance.errors import DocumentError
from argocd_provenance.records import dataclass
from argocd_provenance.regex import regex

BOM = "\ufeff"

# Go's bufio.ReadLine takes these for text, libyaml for line breaks, YAML 1.2 readers for text again.
_OTHER_BREAKS = regex("[\x85\u2028\u2029]|\r(?!\n)")
_SEPARATOR = regex(r"---(.*)(?:\n|\Z)")
# What libyaml calls a marker: the dashes, then a space, a tab or the end of the line; then at most a comment.
_MARKER = regex(r"(?:[ \t]+#.*|[ \t]*)\r?")


@dataclass(frozen=True, slots=True)
class Part:
    """One document of a file: its text without separator lines, and the line (from 1) on which it begins."""

    file: str
    text: str
    line: int

    @property
    def newline(self) -> str:
        """The line ending of this part."""
        return "\r\n" if "\r\n" in self.text else "\n"

    @property
    def bom(self) -> int:
        """How many characters at the start the parser does not count."""
        return int(self.text.startswith(BOM))

    @property
    def content(self) -> str:
        """What the parser gets: no BOM, and with the final line break that Argo CD's line reader adds."""
        content = self.text[self.bom :]
        return content if not content or content.endswith("\n") else content + "\n"

    def refusal(self, reason: str, line: int = 0) -> DocumentError:
        """The error that says that this part cannot be read one way only; `line` counts from 0 within the part."""
        return DocumentError(reason, file=self.file, line=self.line + line)


@dataclass(frozen=True, slots=True)
class Source:
    """A file: its parts and the separator lines before, between and behind them."""

    separators: tuple[str, ...]
    parts: tuple[Part, ...]


def split(file: str, text: str) -> Source:
    """The documents of `text`; raises DocumentError at a line that readers take differently."""
    if (odd := _other_break(text)) is not None:
        line = text.count("\n", 0, odd.start()) + 1
        raise DocumentError(
            f"the character U+{ord(odd[0]):04X} is a line break to some YAML readers only; write it as an escape in double quotes",
            file=file,
            line=line,
        )
    separators, parts = [""], []
    start, line = 0, 1
    for separator in _separators(text):
        before = text[start : separator.start()]
        parts.append(Part(file, before, line))
        line += before.count("\n")
        if not _MARKER.fullmatch(separator[1]):
            raise DocumentError(
                f"{separator[0].strip()[:60]!r} is a document separator to some YAML readers only; write --- on a line of its own",
                file=file,
                line=line,
            )
        separators.append(separator[0])
        start, line = separator.end(), line + 1
    parts.append(Part(file, text[start:], line))
    return Source(tuple(separators), tuple(parts))


def _other_break(text: str) -> re.Match[str] | None:
    # Looking for single characters first is ten times faster, and nearly always enough.
    if "\r" in text or "\x85" in text or "\u2028" in text or "\u2029" in text:
        return _OTHER_BREAKS.search(text)
    return None


def _separators(text: str) -> Iterator[re.Match[str]]:
    """The lines of `text` that begin with three dashes."""
    at = 0 if text.startswith("---") else text.find("\n---") + 1 or -1
    while at >= 0 and (separator := _SEPARATOR.match(text, at)) is not None:
        yield separator
        at = text.find("\n---", separator.end() - 1) + 1 or -1
