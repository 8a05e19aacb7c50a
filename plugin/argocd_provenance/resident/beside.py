"""``serve -- COMMAND``: the entry point of an image becomes its command, and whoever serves beside it is a child.

The law: nothing that serving needs can keep the command from starting, so this comes before anything else is imported.
"""

import contextlib
import os
import signal


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What stands before ``--`` in the arguments of `serve`, and the command behind it, where there is one."""
    if arguments[:1] != ["serve"] or "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def begin(command: list[str]) -> int:
    """Become `command`, and return in a child: the process id of the command.

    The command gets process id, streams, signals and environment; where it cannot be started the exit code is a shell's
    (127: not found, 126: not to be executed).
    """
    above = os.getpid()
    try:
        if not os.fork():
            return above
    except OSError as error:
        say(f"cannot serve beside {command[0]}: {error.strerror}")
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python alone; who is executed would inherit it
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - what the operator's own entry point names
    except OSError as error:
        say(f"cannot start {command[0]}: {error.strerror}")
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


def say(text: str) -> None:
    """One line in the container's log, where somebody reads it."""
    with contextlib.suppress(OSError):
        os.write(2, f"argocd-provenance serve: {' '.join(text.split())}\n".encode(errors="backslashreplace"))
