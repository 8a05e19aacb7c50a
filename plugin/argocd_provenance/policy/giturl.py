"""Git repository URLs, compared as Argo CD compares them.

argo-cd: util/git/git.go, NormalizeGitURL: lower case, without ``.git``, and ``git@host:path`` as ``git@host/path``. A
trailing slash is dropped too, so that a policy cannot miss its Application by one.
"""

import re

from argocd_provenance.regex import regex

_SCP = regex(r"(ssh://)?([^/:]*?)@[^@]+", re.DOTALL)
_CONTROL = regex(r"[\x00-\x20\x7f]")
# Git's HTTP client resolves these before it asks: acme/../mallory is a repository of mallory's.
_DOTS = regex(r"(?:^|[/\\:])(?:\.|%2e){1,2}(?:$|[/\\?#])")


def normalised(url: str) -> str:
    """The one form of `url`; empty for a text that is none."""
    text = url.strip().lower()
    if _SCP.fullmatch(text) and not text.startswith("ssh://"):
        text = "ssh://" + text.replace(":", "/", 1)
    text = text.rstrip("/").removesuffix(".git").rstrip("/")
    if _CONTROL.search(text) or _DOTS.search(text):
        return ""
    return text.removeprefix("ssh://")
