"""The story that ``argocd-provenance demo`` tells: four images, two applications, every answer a real run."""

import contextlib
import difflib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from argocd_provenance.demo.world import World
from argocd_provenance.errors import UsageError

Say = Callable[[str], object]


def tell(say: Say, keep: Path | None = None, *, serve: bool = False) -> int:
    """Tell the story through `say`; 0 when every answer was the one it should be, else 1.

    `keep` is a folder that then holds every file: policies, trust root, manifests, bundles, reports.
    """
    with contextlib.ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="argocd-provenance-demo-")))
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--keep: cannot make {folder}: {error.strerror}") from error
        world = stack.enter_context(World(folder, datetime.now(UTC)))
        good = _first_act(say, world) & _second_act(say, world) & _third_act(say, world)
        say("")
        say("Everything went as it should." if good else "This is not what should have happened: please report it.")
        if keep is not None:
            _what_is_left(say, world)
        if serve:
            say(f"The registry stays at {world.registry.host} until you press Ctrl-C.")
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
    return 0 if good else 1


def _first_act(say: Say, world: World) -> bool:
    say("1. An application whose image the team's own pipeline built and signed.")
    done = _run(say, world, "generate", "good")
    before = (world.folder / "good" / "web.yaml").read_text()
    changes = difflib.unified_diff(
        before.splitlines(), done.stdout.splitlines(), "in Git", "what Argo CD applies", lineterm="", n=0
    )
    say("\n".join(f"   {line}" for line in changes if not line.startswith("@@")))
    say(_indented(done.stderr))
    return done.returncode == 0 and "@sha256:" in done.stdout


def _second_act(say: Say, world: World) -> bool:
    say(
        "\n2. An application with an unsigned image, one from a fork's pipeline, and one whose tag was moved after signing."
    )
    done = _run(say, world, "generate", "bad")
    say(_indented(done.stderr))
    say(f"   exit code {done.returncode}, {len(done.stdout)} bytes of manifests: nothing is deployed.")
    refused = all(code in done.stderr for code in ("[unsigned]", "[wrong-signer]"))
    return done.returncode == 4 and not done.stdout and refused


def _third_act(say: Say, world: World) -> bool:
    say("\n3. The same question by hand, with every fact and where it was read.")
    done = _run(say, world, "verify", f"{world.registry.host}/acme/web:v1", "--explain")
    say(_indented(done.stdout))
    return done.returncode == 0


def _run(say: Say, world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The installed program, as Argo CD starts it, in the world's folder."""
    say(f"   $ argocd-provenance {' '.join(arguments)}")
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "ARGOCD_PROVENANCE_CONFIG": str(world.folder / "config.yaml"),
        "ARGOCD_APP_NAME": "demo",
        "ARGOCD_APP_PROJECT_NAME": "default",
    }
    command = [sys.executable, "-I", "-m", "argocd_provenance", *arguments]
    done = subprocess.run(  # noqa: S603 - our own program, no shell
        command, cwd=world.folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    if arguments[0] == "generate":
        (world.folder / f"{arguments[1]}.manifests.yaml").write_text(done.stdout)
        (world.folder / f"{arguments[1]}.report.txt").write_text(done.stderr)
    return done


def _indented(text: str) -> str:
    return "\n".join(f"   {line}" for line in text.rstrip().splitlines())


def _what_is_left(say: Say, world: World) -> None:
    say("")
    say(
        f"{world.folder} holds the applications, what came out of them, the policy, the trust root and the signed bundle. Look with other tools, in that folder:"
    )
    digest = world.good_digest
    say(f"  argocd-provenance verify --bundle web.bundle.json {digest} --trusted-root trusted_root.json \\")
    say(f"    --certificate-identity {world.identity} --certificate-oidc-issuer {world.issuer} --type slsaprovenance1")
    say(
        "  cosign verify-blob-attestation --bundle web.bundle.json --trusted-root trusted_root.json --type slsaprovenance1 \\"
    )
    say(f"    --certificate-identity {world.identity} --certificate-oidc-issuer {world.issuer} \\")
    say(f"    --digest {digest.removeprefix('sha256:')} --digestAlg sha256")
