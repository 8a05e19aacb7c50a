"""Why a candidate proves nothing: the closed list of codes, and how they travel inside this package."""

from collections.abc import Mapping

REJECTIONS: Mapping[str, str] = {
    "malformed": "it cannot be read, or not in one way only",
    "too-large": "it is larger, deeper or more numerous than is looked at",
    "unknown-form": "its form is not known or not supported",
    "digest-mismatch": "its bytes are not those that its descriptor names",
    "wrong-form": "it is signed, but what is signed is not what this place holds",
    "no-certificate": "a certificate was expected, and it has none",
    "has-certificate": "a key was expected, and it is signed with a certificate",
    "no-log": "a transparency log entry is required, and it has none",
    "no-proof": "its log entry carries neither an inclusion proof nor an inclusion promise",
    "no-time": "no time of signing can be proved",
    "verification": "a check of the cryptography, or of the trust behind it, fails",
    "ed25519ph": "it is signed with Ed25519ph, which is not supported",
    "other-subject": "it is about something else",
}

_LONGEST = 500


class Refused(Exception):
    """A candidate proves nothing. Never leaves this package: `verify` and the parsers turn it into a `Rejected`."""

    def __init__(self, code: str, reason: str) -> None:
        if code not in REJECTIONS:
            raise ValueError(f"no such rejection: {code}")
        super().__init__(f"{code}: {reason}")
        self.code, self.reason = code, printable(reason)


class Unexpected(Exception):
    """What went wrong with a candidate in another process, by its type and text."""


def printable(text: str) -> str:
    """`text` for people's terminals: what others wrote into it brings no control characters, and ends somewhere."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text[:_LONGEST])
