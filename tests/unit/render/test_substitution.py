"""Variables in parameters are filled in as Argo CD does."""

import pytest

from argocd_provenance.errors import RenderError
from argocd_provenance.render import Settings
from argocd_provenance.render.substitution import substitute

SETTINGS = Settings(variables={"ARGOCD_APP_NAME": "shop"}, given={"ARGOCD_ENV_TAG": "v2"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$ARGOCD_APP_NAME", "shop"),
        ("${ARGOCD_APP_NAME}-x", "shop-x"),
        ("a$ARGOCD_APP_NAME.b", "ashop.b"),
        ("$ARGOCD_APP_NAMEX", ""),
        ("web:$ARGOCD_ENV_TAG", "web:v2"),
        ("$$ARGOCD_APP_NAME", "$ARGOCD_APP_NAME"),
        ("${$}", "$"),
        ("5$", "5$"),
        ("$ 5", "$ 5"),
        ("$1a", "a"),
        ("${}x${", "x"),
        ("$HOME", ""),
    ],
)
def test_is_gos_expand(text: str, expected: str) -> None:
    """A dollar is written twice, unknown names are nothing, and what is no name stays."""
    assert substitute(text, SETTINGS) == expected


def test_a_variable_of_the_application_must_be_there() -> None:
    """An image without its tag is another image."""
    with pytest.raises(
        RenderError, match=r"\$ARGOCD_ENV_OTHER: no such variable; set OTHER in the Application's plugin"
    ):
        substitute("web:$ARGOCD_ENV_OTHER", SETTINGS)
