"""What may be raised: we could not decide, so nothing is deployed.

A denial is never an exception; it is a `Finding` in a `Verdict`. The tree::

    Error                    we could not decide                                   exit 3
    ├── InvalidReference     a text that is no image reference, or no digest
    ├── RenderError          the renderer failed, or printed nothing
    ├── DocumentError        YAML that cannot be read one way only; file and line
    ├── RegistryError        refused, failed or unreachable; code, status and URL kept
    │   ├── Unauthorized     401 and 403
    │   ├── NotFound         404
    │   └── DigestMismatch   other bytes than asked for
    ├── DeadlineExceeded     our own time limit
    ├── HookError            the check at sync time cannot be prepared, or what it was given cannot be read
    ├── Busy                 others were being worked on all the time
    └── OperatorError        config, policy, key, trust root or command line           exit 2
        ├── UsageError       the command line
        └── FileFaults       an operator's file: all its faults, each with line and path
"""

from collections.abc import Sequence


class Error(Exception):
    """We could not decide; deploy nothing."""

    exit_code = 3
    code = "internal"
    """The finding code under which a report lists this error (`verdict.CODES`)."""
    fix = ""
    """What to do, where the message ends with it and does not mark it by ``Fix:``."""


class InvalidReference(Error):
    """The text is no image reference, or the digest no digest."""

    code = "invalid-reference"


class RenderError(Error):
    """The renderer failed, is missing, or printed nothing (`code`: ``empty-render``); `fix` ends its text."""

    code = "render-failed"

    def __init__(self, message: str, *, code: str = "render-failed", fix: str = "") -> None:
        super().__init__(f"{message}; {fix}" if fix else message)
        self.code, self.fix = code, fix


class DocumentError(Error):
    """YAML that two readers could understand differently, or not at all."""

    code = "ambiguous-yaml"

    def __init__(self, message: str, *, file: str = "", line: int = 0) -> None:
        place = f"{file or '-'}:{line}: " if line else f"{file}: " if file else ""
        super().__init__(f"{place}{message}")
        self.message, self.file, self.line = message, file, line


class RegistryError(Error):
    """A registry refused, failed, lied or could not be reached.

    `code` is a finding code, `status` the HTTP status (0: no answer), `url` what was asked, without its query.
    """

    code = "registry-unavailable"

    def __init__(self, message: str, *, code: str | None = None, status: int = 0, url: str = "") -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.status, self.url = status, url


class Unauthorized(RegistryError):
    """The registry wants other credentials than ours (401, 403)."""

    code = "registry-unauthorized"


class NotFound(RegistryError):
    """The registry has no such thing (404)."""

    code = "image-not-found"


class DigestMismatch(RegistryError):
    """The registry sent other bytes than asked for: an attack, or a broken registry."""

    code = "digest-mismatch"


class DeadlineExceeded(Error):
    """Our own time limit was reached."""

    code = "deadline"


class HookError(Error):
    """The check at sync time cannot be prepared, or what it was given cannot be read.

    `code` is ``hook-not-possible``, ``hook-too-large``, ``hook-payload`` or ``cluster``.
    """

    code = "hook-payload"

    def __init__(self, message: str, *, code: str = "hook-payload") -> None:
        super().__init__(message)
        self.code = code


class Busy(Error):
    """Its turn did not come in time: as many requests as this machine can bear were being worked on."""

    code = "busy"


class OperatorError(Error):
    """The operator's config, policy, key, trust root or command line is wrong."""

    exit_code = 2
    code = "config"


class UsageError(OperatorError):
    """The command line asks for nothing that can be proved."""

    code = "usage"


class FileFaults(OperatorError):
    """All faults of an operator's files, each as ``FILE:LINE: path: what is wrong and what is right``."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)
