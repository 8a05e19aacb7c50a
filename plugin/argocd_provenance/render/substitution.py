"""``$ARGOCD_APP_NAME`` in a parameter, as Argo CD fills it in.

Rules: Go's ``os.Expand`` with Argo CD's table (``types.go``, Env.Envsubst): ``$$`` is a dollar, an unknown name is
nothing. Ours beside them are the Application's own ``plugin.env`` (``$ARGOCD_ENV_TAG``), where the Argo CD image updater
writes versions; of these an unknown one is an error, for an image without its tag is another image.
"""

import re

from argocd_provenance.errors import RenderError
from argocd_provenance.regex import regex
from argocd_provenance.render.settings import Settings

# os.Expand: `${}` and a `${` that never ends vanish; a special character or a digit is a name by itself.
_VARIABLE = regex(r"\$(?:\{([^}]+)\}|(\{\}?)|([*#$@!?\-0-9])|([A-Za-z0-9_]+))")
_GIVEN = "ARGOCD_ENV_"


def substitute(text: str, settings: Settings) -> str:
    """`text` with every variable filled in; raises `RenderError` for an ``ARGOCD_ENV_`` name that is not there."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[3] or match[4] or ""
        if name == "$":
            return "$"
        if name.startswith(_GIVEN) and name not in settings.given:
            raise RenderError(
                f"${name}: no such variable", fix=f"set {name.removeprefix(_GIVEN)} in the Application's plugin.env"
            )
        return settings.variables.get(name, settings.given.get(name, ""))

    return _VARIABLE.sub(value, text)
