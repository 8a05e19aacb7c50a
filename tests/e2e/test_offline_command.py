"""``--offline``: nobody is asked, and what could not be checked is said. The kernel's count is in tests/peers."""

from pathlib import Path

from support.shop import WEB, pod, shop


def test_no_registry_hears_of_it(tmp_path: Path) -> None:
    """Exit 3 for verify and generate alike, and no manifests."""
    with shop(tmp_path, images=[WEB], source={"web.yaml": pod("acme/web:v1")}) as here:
        code, out, err = here.generate("--offline")
        verified = here.run("verify", f"{here.registry.host}/acme/web:v1", "--offline")

        assert (code, out, verified[0]) == (3, "", 3)
        assert "[offline] cannot check: --offline: no registry is asked" in err
        assert here.registry.requests == []


def test_what_needs_nobody_is_decided(tmp_path: Path) -> None:
    """Manifests without images pass as they are."""
    source = {"c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"}
    with shop(tmp_path, source=source) as here:
        code, out, _ = here.generate("--offline")

    assert (code, out) == (0, source["c.yaml"])
