# ruff: noqa: INP001, PLC0415, T201, S603
"""What questions to a registry cost in processor time: our client beside the libraries alone.

    python benchmarks/questions.py [--questions 300] [--threads 16] [--rounds 5] [--rtt 0.02] [--profile]

Each client is a process of its own that imports what it needs, then fetches as many blobs over kept-alive connections, from
a registry `--rtt` seconds away (`faraway.py`). The clients of a round run one after another, and the least of the rounds
counts: other programs on the machine can only add to it. `--profile` shows where our own time goes, in one thread.
"""

import argparse
import hashlib
import json
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

LIMIT = 1 << 20
Ask = Callable[[str], bytes]
Client = tuple[Callable[[], Ask], Callable[[], None]]
"""What a thread asks with, and what ends it all."""


def http_client(host: str, _: int) -> Client:
    """A connection a thread."""
    import http.client

    def thread() -> Ask:
        connection = http.client.HTTPConnection(host)

        def ask(path: str) -> bytes:
            connection.request("GET", path)
            return connection.getresponse().read()

        return ask

    return thread, lambda: None


def urllib3(host: str, _: int) -> Client:
    """A pool for all threads."""
    import urllib3

    pool = urllib3.HTTPConnectionPool(host, maxsize=64)

    def ask(path: str) -> bytes:
        answer = pool.urlopen("GET", path, retries=False, redirect=False)
        return bytes(answer.data)

    return lambda: ask, pool.close


def requests(host: str, _: int) -> Client:
    """A Session a thread."""
    import requests

    def thread() -> Ask:
        session = requests.Session()
        session.trust_env = False
        return lambda path: session.get(f"http://{host}{path}").content

    return thread, lambda: None


def transport(host: str, _: int) -> Client:
    """Our connections, with limits, deadline and manners."""
    from argocd_provenance.deadline import Deadline
    from argocd_provenance.oci.transport import Transport

    ours = Transport({}, Deadline(60))
    return lambda: lambda path: ours.send(f"http://{host}{path}", {}, LIMIT).body, ours.close


def questions(host: str, count: int) -> Client:
    """The whole of it: endpoints, credentials, challenges, digests."""
    from argocd_provenance.deadline import Deadline
    from argocd_provenance.oci.bearer import Authority
    from argocd_provenance.oci.credentials import Credentials
    from argocd_provenance.oci.descriptor import Descriptor
    from argocd_provenance.oci.questions import Questions, Wire
    from argocd_provenance.oci.reference import Digest, Repository
    from argocd_provenance.oci.transport import Transport

    deadline = Deadline(60)

    def connect() -> Wire:
        wire = Transport({}, deadline)
        return Wire(wire, Authority(wire, Credentials(), deadline))

    ours = Questions((), lambda _: True, connect)
    meant = {}
    for path, content in paths(count).items():
        repository, _, digest = path.removeprefix("/v2/").partition("/blobs/")
        meant[path] = Repository(host, repository), Descriptor("", Digest(digest), len(content))
    return lambda: lambda path: ours.blob(*meant[path]), ours.close


CLIENTS = {
    "http.client": http_client,
    "urllib3": urllib3,
    "requests": requests,
    "our transport": transport,
    "our questions": questions,
}


def paths(count: int) -> dict[str, bytes]:
    """The blob under each path: six in a repository, each as long as a bundle is."""
    found = {}
    for number in range(count):
        content = f"{number:06d}".encode() * 700
        found[f"/v2/acme/svc-{number // 6:03d}/blobs/sha256:{hashlib.sha256(content).hexdigest()}"] = content
    return found


def measure(client: str, host: str, count: int, threads: int) -> None:
    """Print what the import and the questions took; a client runs here alone."""
    before = time.process_time()
    thread, close = CLIENTS[client](host, count)
    imported = time.process_time() - before
    from concurrent.futures import ThreadPoolExecutor

    expected = list(paths(count).items())
    parts = [expected[start::threads] for start in range(threads)]

    def work(part: Iterable[tuple[str, bytes]]) -> None:
        ask = thread()
        for path, content in part:
            if ask(path) != content:
                raise SystemExit(f"{client}: other bytes under {path}")

    sys.setswitchinterval(0.0005)  # as our commands do while the verifier is imported
    wall, before = time.perf_counter(), time.process_time()
    if threads == 1:
        work(expected)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, parts))
    print(
        json.dumps({"import": imported, "questions": time.process_time() - before, "wall": time.perf_counter() - wall})
    )
    close()


def profiled(host: str, count: int) -> None:
    """Print where our time goes."""
    import cProfile
    import pstats

    thread, close = questions(host, count)
    ask, profile = thread(), cProfile.Profile()
    found = list(paths(count))
    ask(found[0])
    profile.enable()
    for path in found:
        ask(path)
    profile.disable()
    pstats.Stats(profile).sort_stats("tottime").print_stats(45)
    close()


def main() -> None:
    """Measure all clients and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rtt", type=float, default=0.02)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--client", choices=CLIENTS, help=argparse.SUPPRESS)
    parser.add_argument("--host", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client:
        measure(arguments.client, arguments.host, arguments.questions, arguments.threads)
        return
    with tempfile.NamedTemporaryFile() as contents:
        found = {
            path: ("application/octet-stream", content, path.rpartition("/")[2])
            for path, content in paths(arguments.questions).items()
        }
        contents.write(pickle.dumps(found))
        contents.flush()
        command = [sys.executable, str(Path(__file__).with_name("faraway.py")), contents.name, str(arguments.rtt)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as registry:
            assert registry.stdout is not None  # noqa: S101 - a pipe was asked for
            host = f"127.0.0.1:{registry.stdout.readline().strip()}"
            try:
                if arguments.profile:
                    profiled(host, arguments.questions)
                else:
                    report(compared(arguments, host), arguments)
            finally:
                registry.communicate()


def compared(arguments: argparse.Namespace, host: str) -> dict[str, list[dict[str, float]]]:
    """What each client said of each round."""
    found: dict[str, list[dict[str, float]]] = {client: [] for client in CLIENTS}
    more = ["--questions", str(arguments.questions), "--threads", str(arguments.threads)]
    for _ in range(arguments.rounds):
        for client, rounds in found.items():
            command = [sys.executable, "-I", __file__, "--client", client, "--host", host, *more]
            rounds.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    return found


def report(found: dict[str, list[dict[str, float]]], arguments: argparse.Namespace) -> None:
    """Print the table, with ratios to the barest client."""
    print(
        f"{arguments.questions} questions, {arguments.threads} threads, {arguments.rtt * 1000:g} ms away, least of {arguments.rounds} rounds, ms"
    )
    print(f"{'':16}{'import, CPU':>14}{'questions, CPU':>17}{'/ http.client':>16}{'wall':>8}")
    bare: Any = None
    for client, rounds in found.items():
        imported, asked, wall = (1000 * min(one[what] for one in rounds) for what in ("import", "questions", "wall"))
        bare = bare or asked
        print(f"{client:16}{imported:14.0f}{asked:17.0f}{asked / bare:16.2f}{wall:8.0f}")


if __name__ == "__main__":
    main()
