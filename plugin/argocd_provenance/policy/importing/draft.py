"""What other tools' policies become: an ImagePolicy as a value, with remarks, and as YAML."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from argocd_provenance.policy.patterns import BadPatternError, Expression
from argocd_provenance.records import dataclass, field

API_VERSION = "argocd-provenance.io/v1alpha1"


@dataclass(slots=True)
class Draft:
    """An ImagePolicy in the making. `remarks` say where it is stricter than what it was made of, and what was left out."""

    name: str
    came_from: str
    images: list[str] = field(default_factory=list)
    require: list[dict[str, Any]] = field(default_factory=list)
    exclude: list[str] = field(default_factory=list)
    mode: str = "enforce"
    remarks: list[str] = field(default_factory=list)

    def remark(self, text: str) -> None:
        """Say something of it, once."""
        if text not in self.remarks:
            self.remarks.append(text)

    def stricter(self, text: str) -> None:
        """Say where it is stricter."""
        self.remark(f"Stricter: {text}")


def write(drafts: Sequence[Draft]) -> str:
    """The drafts as one YAML file, each with its remarks above it."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - only where something is written

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 4096
    out = io.StringIO()
    for place, draft in enumerate(drafts):
        if place:
            out.write("---\n")
        yaml.dump(_document(draft), out)
    return out.getvalue()


def _document(draft: Draft) -> Any:
    from ruamel.yaml.comments import CommentedMap  # noqa: PLC0415 - as above

    spec = CommentedMap(mode=draft.mode, images=_node(draft.images))
    if draft.exclude:
        spec["exclude"] = _node(draft.exclude)
    spec["require"] = _node(draft.require)
    root = CommentedMap()
    root["apiVersion"], root["kind"] = API_VERSION, "ImagePolicy"
    root["metadata"], root["spec"] = _node({"name": draft.name}), spec
    lines = [f"Imported from {draft.came_from}; decides the same or stricter.", *draft.remarks]
    root.yaml_set_start_comment("\n".join(_line(text) for text in lines) + "\n")
    return root


def _node(value: Any) -> Any:
    """`value` with every text in quotes, so that it is read as one."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq  # noqa: PLC0415 - as above
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString  # noqa: PLC0415 - as above

    if isinstance(value, Mapping):
        return CommentedMap((name, _node(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return CommentedSeq(_node(inner) for inner in value)
    if isinstance(value, str):
        return LiteralScalarString(value) if "\n" in value else DoubleQuotedScalarString(value)
    return value


def _line(text: str) -> str:
    """A remark on one line: a line break in it would end the comment."""
    return re.sub(r"[^\x20-\x7e\u00a1-\u2027\u202a-\ud7ff]+", " ", text)


def any_spelling(name: str) -> str:
    """`name` wide enough for Docker Hub's images too, which a wildcard in its first part may meet in any spelling."""
    first, slash, rest = name.partition("/")
    if "*" in first:
        return f"**/{rest}" if slash and rest else "**" if slash or "**" in first else name
    on_hub = first in {"docker.io", "index.docker.io", "registry-1.docker.io"}
    return f"{first}/**" if on_hub and "/" not in rest and "**" in rest else name


def identity(issuer: str, subject: Mapping[str, str], domain: str = "") -> dict[str, Any]:
    """A signer with an exact issuer."""
    return {"identity": {"issuer": issuer, **subject}, **({"domain": domain} if domain else {})}


def exact(subject: str) -> dict[str, str]:
    """The subject compared as it stands: a `*` in it is no wildcard."""
    return {"subjectPattern": re.escape(subject)} if "*" in subject else {"subject": subject}


def whole(expression: str, draft: Draft) -> dict[str, str]:
    """The field for an expression that was searched for anywhere: it must begin the subject now. Raises `BadPatternError`.

    Whatever the new one matches the old one does: it is found at the first character.
    """
    if any(ord(letter) < 0x20 for letter in expression):
        raise BadPatternError("holds a control character")
    if "\\Q" in expression:
        raise BadPatternError("quotes with \\Q, behind which nothing can be told; escape each character")
    if re.search(r"\(\?[a-zA-Z]*m", expression):
        raise BadPatternError("uses the flag m, by which ^ and $ match inside the text")
    Expression(expression)
    body = f"(?:{expression}).*"
    if "|" not in expression and "(?" not in expression:
        ends = re.fullmatch(r"[^$]*?(?<!\\)(?:\\\\)*\$", expression) is not None
        if ends:
            body = expression.removeprefix("^").removesuffix("$")
        elif "$" not in expression:
            body = expression.removeprefix("^") + ("" if expression.endswith(".*") else ".*")
    Expression(body)
    if not expression.startswith("^"):
        draft.stricter(f"{expression} must begin the subject; it was searched for anywhere in it")
    return {"subjectPattern": body}
