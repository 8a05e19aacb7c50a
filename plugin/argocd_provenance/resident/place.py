"""Where the resident process listens, and why nobody but our own user can listen, or ask, there.

The folder of the socket is ours and closed to everybody else (0700), so what lies in it is ours. Both ends go through a
descriptor of the folder, not by its path, which others may move. And whoever asks hands its descriptor over: a renderer's
child that may open sockets runs as our user too, but under Landlock it cannot open this folder.
"""

import os

USUAL = "/var/lib/argocd-provenance/serve/socket"
"""In a volume that the sidecar has to itself; fixed, for nothing in the environment may say who verifies."""
_OPTION = "--socket"


def named(arguments: list[str]) -> tuple[str, list[str]]:
    """The place that ``--socket PATH`` names, and the arguments without it; `USUAL`, and all of them, where none does.

    What names no absolute path stays among the arguments, for whoever explains usage.
    """
    place, rest, words = USUAL, list[str](), iter(arguments)
    for word in words:
        if word == "--":
            return place, [*rest, word, *words]
        name, equals, path = word.partition("=")
        if name == _OPTION:
            path = path if equals else next(words, "")
            if not path.startswith("/"):
                return USUAL, arguments
            place = path
        else:
            rest.append(word)
    return place, rest


def opened(folder: str) -> int:
    """A descriptor of `folder`; raises `OSError` where it is absent, a link, or not closed to all but our user."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    found = os.fstat(descriptor)
    if found.st_uid == os.geteuid() and not found.st_mode & 0o077:
        return descriptor
    os.close(descriptor)
    raise PermissionError(f"{folder} must belong to our user, and be closed to all others (0700)")


def within(descriptor: int, name: str) -> str:
    """The path of `name` in the folder of `descriptor`, whatever path that has by now; of any length, as sockets' are not."""
    return f"/proc/self/fd/{descriptor}/{name}"
