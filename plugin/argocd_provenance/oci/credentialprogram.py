"""Docker's credential helpers: programs that know a registry's credential, asked by their protocol.

One law: the program is the operator's (found by absolute entries of PATH alone, started outside of the Application's
folder), it has little time, and nothing it prints reaches a message.

Source: docker/docker-credential-helpers, ``client/command.go`` and ``credentials/error.go``; docker/cli,
``cli/config/credentials/native_store.go`` (a user ``<token>`` marks an identity token).
"""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping

from argocd_provenance.errors import Unauthorized
from argocd_provenance.oci.credential import Credential
from argocd_provenance.oci.strictjson import NotJSONError, read_object
from argocd_provenance.regex import regex

SECONDS = 10.0
_ANSWER = 64 * 1024
_NAME = regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# What the programs print for a server that they do not know; it is no fault (credentials/error.go).
_UNKNOWN = b"credentials not found in native keychain"


def ask(name: str, server: str, seconds: float, environment: Mapping[str, str] | None = None) -> Credential | None:
    """What ``docker-credential-<name> get`` says of `server`; None when it knows none.

    Raises `Unauthorized` when the program is missing, fails, takes longer than `seconds`, or prints something else.
    """
    variables = os.environ if environment is None else environment
    program = _find(name, variables.get("PATH", ""))
    # `ARGOCD_*` holds what an Application's author wrote.
    given = {key: value for key, value in variables.items() if not key.startswith("ARGOCD_")}
    process = subprocess.Popen(  # noqa: S603 - no shell, and a program of the operator's
        [program, "get"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=given,
        start_new_session=True,
    )
    try:
        answer, _ = process.communicate(server.encode(), timeout=min(SECONDS, seconds))
    except subprocess.TimeoutExpired:
        raise _fault(name, server, f"gave no answer in {min(SECONDS, seconds):g} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its children hold the pipe
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
    if process.returncode != 0:
        if answer.strip() == _UNKNOWN:
            return None
        raise _fault(name, server, f"ended with exit code {process.returncode}")
    return _read(name, server, answer)


def _find(name: str, path: str) -> str:
    if not _NAME.fullmatch(name):
        raise Unauthorized(f"{name[:60]!r} is no name of a credential helper")
    absolute = os.pathsep.join(entry for entry in path.split(os.pathsep) if os.path.isabs(entry))  # noqa: PTH117 - PATH
    program = shutil.which(f"docker-credential-{name}", path=absolute) if absolute else None
    if program is None:
        raise Unauthorized(
            f"the credential helper docker-credential-{name} is not installed; put it into a folder of PATH"
        )
    return program


def _read(name: str, server: str, answer: bytes) -> Credential | None:
    if len(answer) > _ANSWER:
        raise _fault(name, server, "printed too much")
    try:
        said = read_object(answer)
    except NotJSONError:
        raise _fault(name, server, "printed something that is no credential") from None
    user, secret = said.get("Username", ""), said.get("Secret", "")
    if not isinstance(user, str) or not isinstance(secret, str):
        raise _fault(name, server, "printed something that is no credential")
    if user == "<token>":
        return Credential(identity_token=secret) if secret else None
    return Credential(user, secret) if user or secret else None


def _fault(name: str, server: str, what: str) -> Unauthorized:
    return Unauthorized(
        f"the credential helper docker-credential-{name} {what}; see what it says: "
        f"echo {server[:200]} | docker-credential-{name} get"
    )
