"""``policy import``, put together: a file, standard input or a command line becomes an ImagePolicy."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from argocd_provenance.errors import OperatorError, UsageError
from argocd_provenance.policy.importing import import_command, import_file

_TOOLS = ("cosign", "gh", "slsa-verifier")
# What people write is far below.
_LIMIT = 1024 * 1024


def imported(words: Sequence[str], stdin: BinaryIO) -> str:
    """The ImagePolicies as YAML. Raises `OperatorError` with all that cannot be carried over."""
    if words[0] in _TOOLS:
        return import_command(words, lambda name: Path(name).read_bytes())
    if len(words) > 1:
        raise UsageError(
            "import one FILE, or - for standard input, or after -- a command line of cosign, gh or slsa-verifier"
        )
    name = words[0]
    try:
        content = stdin.read(_LIMIT + 1) if name == "-" else Path(name).read_bytes()
        return import_file(name, content.decode("utf-8"))
    except OSError as error:
        raise OperatorError(f"{name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{name}: is not UTF-8 text (byte {error.start})") from error
