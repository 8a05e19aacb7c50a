"""A credential as a value that cannot be shown by accident."""

import base64

from argocd_provenance.records import dataclass, field


@dataclass(frozen=True, slots=True)
class Credential:
    """A user and password, or an identity token that a token server trades for another."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an ``Authorization: Basic`` header."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
