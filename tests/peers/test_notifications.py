"""The notifications of argocd/samples by Argo CD's own engine: what fires, and what it says."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.processes import program

pytestmark = pytest.mark.peers
SAMPLE = Path(__file__).resolve().parents[2] / "argocd" / "samples" / "notifications.yaml"
REFUSED = "rpc error: … failed exit status 4: image policy: 1 of 1 image refused\n DENY acme/api:v2 [unsigned] …"


def fired(status: Any) -> dict[str, str]:
    """The messages of the triggers that fire for an Application in this state."""
    engine = program("argocd-notifications", "tests/argocd/build")
    asked = json.dumps({"metadata": {"name": "shop"}, "status": status})
    done = subprocess.run([engine, str(SAMPLE)], input=asked, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    messages: dict[str, str] = json.loads(done.stdout)
    return messages


def hook(phase: str, message: str | None) -> Any:
    """An operation of that phase whose PreSync hook left that message; None: it did not get so far."""
    ran = [] if message is None else [{"kind": "Pod", "hookType": "PreSync", "message": message}]
    result = {"resources": [*ran, {"kind": "ConfigMap", "status": "Synced"}]}
    return {"operationState": {"phase": phase, "startedAt": "2026-01-01T00:00:00Z", "syncResult": result}}


def test_a_refusal_is_told_in_its_own_words() -> None:
    """With what to do when the image is signed."""
    messages = fired({"conditions": [{"type": "ComparisonError", "message": REFUSED}]})

    assert list(messages) == ["on-image-refused"]
    assert REFUSED in messages["on-image-refused"]
    assert "https://argocd.example.com/applications/shop" in messages["on-image-refused"]


def test_a_refusal_of_the_hook_is_told_in_its_own_words() -> None:
    """From the hook's row in the result: the condition lacks its text."""
    messages = fired(hook("Failed", "image policy: 1 of 1 image refused [unsigned]"))

    assert list(messages) == ["on-image-refused-at-sync"]
    assert "image policy: 1 of 1 image refused [unsigned]" in messages["on-image-refused-at-sync"]


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"conditions": [{"type": "ComparisonError", "message": "repository not found"}]},
        {"conditions": [{"type": "SyncError", "message": "image policy: quoted by somebody"}]},
        {"operationState": {"phase": "Error", "startedAt": "2026-01-01T00:00:00Z"}},
        hook("Failed", "some other hook failed"),
        hook("Succeeded", "image policy: 1 image verified"),
        hook("Failed", None),
    ],
)
def test_anything_else_is_silent(status: Any) -> None:
    """Other errors have their own notifications."""
    assert fired(status) == {}
