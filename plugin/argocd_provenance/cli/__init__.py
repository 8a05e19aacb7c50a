"""The command line. The law: streams and exit codes, no decisions. One file a command.

Exit codes: 0 allowed, 2 usage, config or policy file, 3 could not check, 4 denied; 1 is Python's own crash.
"""

import gc
import os
import sys

from argocd_provenance.errors import Error

COMMANDS = {
    "generate": "Render, verify, pin and annotate an Application's manifests.",
    "verify": "Verify images, or one bundle offline, by policy.",
    "hook": "Verify again at sync time what generate verified.",
    "trust": "Show trusted roots and their age, refresh them, import others.",
    "serve": "Keep a process ready that runs generate for the plugin.",
    "doctor": "Check an installation, in the sidecar or in a cluster.",
    "policy": "Check policies, test them on recorded evidence, bring them from other tools.",
    "demo": "Show the whole product on loopback, without network.",
}
PLAIN = (["generate", "."], ["generate", "-"])


def main() -> None:
    """Run the command line; a fault of our own says so first, then crashes as Python does (exit 1)."""
    # One run and the process ends: looking for cycles costs a fifth of the time that large manifests take to read.
    gc.disable()
    # Who has an answer from the network must not wait long for who computes: the default is 5 ms, for each step of each image.
    sys.setswitchinterval(0.001)
    _open_closed_streams()
    try:
        _run(sys.argv[1:])
    except SystemExit as end:
        _leave(end)
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said, and nothing is deployed
        from argocd_provenance.cli.streams import write_crash

        write_crash(error)
        sys.exit(1)


def _run(arguments: list[str]) -> None:
    """What the arguments ask for; Argo CD's own line has no options, and does not wait for what reads options."""
    if arguments in PLAIN:
        from argocd_provenance.cli.generating import generate

        try:
            code = generate(arguments[1])
        except Error as error:
            from argocd_provenance.cli.streams import write_fault

            write_fault(error)
            code = error.exit_code
        sys.exit(code)
    from argocd_provenance.cli.group import group

    group(prog_name="argocd-provenance")


def _open_closed_streams() -> None:
    """Without standard input there is nothing to read, and without standard error nobody who listens; both are legal."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115 - for as long as we run
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - for as long as we run


def _leave(end: SystemExit) -> None:
    """Leave at once where a thread still waits for a registry: Python would wait for it, and Argo CD would kill us."""
    threading = sys.modules.get("threading")  # which nobody imported who started no thread
    if threading is not None and threading.active_count() > 1:
        if sys.stdout is not None:
            sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)
