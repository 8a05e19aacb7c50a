"""Cryptography in a process of its own: what it says, what becomes of it, and what it can see."""

import base64
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from argocd_provenance.demo.sigstore import VirtualSigstore, encode
from argocd_provenance.errors import OperatorError
from argocd_provenance.evidence import aside as module
from argocd_provenance.evidence.artifact import Artifact
from argocd_provenance.evidence.aside import _LENGTH, Aside, Gone, _frame, _understood, main
from argocd_provenance.evidence.parts import Candidate
from argocd_provenance.evidence.trust import check_keys, parse, trust_domain
from argocd_provenance.evidence.values import DomainAnchor, Evidence, Rejected
from argocd_provenance.evidence.verify import Verifier
from support.signing import (
    BARE,
    DOMAIN,
    IMAGE,
    NOW,
    OTHER,
    SIGSTORE,
    VERIFIER,
    bundle_candidate,
    layer_candidate,
    provenance,
)

BRIDGE = "argocd_provenance.evidence.bridge"
ANCHOR = DomainAnchor("test")
FOREIGN = trust_domain("foreign", encode(VirtualSigstore(NOW).trusted_root()))
ASKED = pickle.dumps(("root", DOMAIN.root))
STARTED = (
    "import sys, time\n"
    "from argocd_provenance.evidence.aside import Aside\n"
    "aside = Aside()\n"
    "assert aside.start()\n"
    "print(aside._pid, flush=True)\n"
    "sys.stdin.read()\n"
)


def begun() -> Aside:
    """A process, as it is started where sigstore is not imported yet and a second processor is there."""
    aside = Aside()
    with pytest.MonkeyPatch.context() as patched:
        patched.delitem(sys.modules, BRIDGE, raising=False)
        patched.setattr(os, "sched_getaffinity", lambda _process: {0, 1})
        assert aside.start()
    return aside


@pytest.fixture(scope="module")
def aside() -> Iterator[Aside]:
    """One process for all who only ask it."""
    made = begun()
    yield made
    made.close()


def good() -> Candidate:
    made = bundle_candidate(SIGSTORE.bundle(SIGSTORE.issue(), provenance()))
    assert isinstance(made, Candidate)
    return made


def beside(aside: Aside) -> Verifier:
    return Verifier({"test": DOMAIN, "bare": BARE}, aside=aside)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="good"),
        pytest.param({"signature": b"another"}, id="another signature"),
        pytest.param({"certificate": None}, id="no certificate"),
        pytest.param({"certificate": b"not DER"}, id="no DER"),
        pytest.param({"signature": 7}, id="what no parser makes"),
        pytest.param({"entry": None}, id="no log entry"),
        pytest.param({"timestamps": (b"t",)}, id="no timestamp"),
    ],
)
@pytest.mark.parametrize("anchor", [ANCHOR, DomainAnchor("bare")])
def test_it_says_what_this_process_says(aside: Aside, change: dict[str, object], anchor: DomainAnchor) -> None:
    """Every field of the evidence, every word of the refusal, and whether it may be remembered."""
    candidate = replace(good(), **change)  # type: ignore[arg-type]
    here = VERIFIER.verify(candidate, anchor, Artifact((IMAGE,)))
    there = beside(aside).verify(candidate, anchor, Artifact((IMAGE,)))

    assert there == here
    assert isinstance(there, Evidence) or there.lasting == here.lasting  # type: ignore[union-attr]


def test_it_says_it_of_layers_and_of_other_images_too(aside: Aside) -> None:
    """Cosign's signature is good for its image, and for no other."""
    layer = layer_candidate(SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue()))
    assert isinstance(layer, Candidate)

    assert isinstance(beside(aside).verify(layer, ANCHOR, Artifact((IMAGE,))), Evidence)
    assert isinstance(beside(aside).verify(layer, ANCHOR, Artifact((OTHER,))), Rejected)


def test_a_trusted_root_that_cannot_be_used_is_told_in_the_same_words(aside: Aside) -> None:
    """It is looked into where cryptography is imported anyway."""
    root = VirtualSigstore(NOW).trusted_root()
    aside.check_root(encode(root))
    root["tlogs"][0]["publicKey"]["rawBytes"] = base64.b64encode(b"no key").decode()
    with pytest.raises(OperatorError) as here:
        check_keys(parse(encode(root)))

    with pytest.raises(OperatorError) as there:
        aside.check_root(encode(root))
    assert str(there.value) == str(here.value)


def test_where_it_dies_the_work_is_done_here() -> None:
    """Killed before it answered, and asked again when it is gone."""
    aside = begun()
    verifier = beside(aside)
    os.kill(aside._pid, signal.SIGKILL)

    assert all(isinstance(verifier.verify(good(), ANCHOR, Artifact((IMAGE,))), Evidence) for _ in range(2))
    with pytest.raises(Gone):
        aside.check_root(DOMAIN.root)
    aside.close()


@pytest.mark.parametrize("answer", [b"", b"=", b"={}", b"=null", b"!no", b'={"certificate":null}', b"+", b"={\xff"])
def test_an_answer_that_is_not_understood_proves_nothing(answer: bytes) -> None:
    """The run does the work itself."""
    with pytest.raises(Gone):
        _understood(answer)


def test_a_question_is_put_to_the_root_of_its_own_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though what told the other end of a domain before was lost: numbers must mean the same at both ends."""
    aside = begun()
    verifier = Verifier({"test": DOMAIN, "foreign": FOREIGN}, aside=aside)
    with monkeypatch.context() as patched:
        patched.setattr(aside, "_send", _lost)
        with pytest.raises(Gone):
            aside.prove(good(), DomainAnchor("foreign"), Artifact((IMAGE,)), FOREIGN)

    assert isinstance(verifier.verify(good(), ANCHOR, Artifact((IMAGE,))), Evidence)
    assert isinstance(verifier.verify(good(), DomainAnchor("foreign"), Artifact((IMAGE,))), Rejected)
    aside.close()


def test_threads_that_ask_first_are_answered_by_the_roots_of_their_domains() -> None:
    """Sixteen at once, of two domains, while the process is started."""
    made, aside = good(), Aside()
    verifier = Verifier({"test": DOMAIN, "foreign": FOREIGN}, aside=aside)
    with pytest.MonkeyPatch.context() as patched, ThreadPoolExecutor(16) as pool:
        patched.delitem(sys.modules, BRIDGE, raising=False)
        patched.setattr(os, "sched_getaffinity", lambda _process: {0, 1})
        asked = ["foreign", "test"] * 16
        found = list(pool.map(lambda name: verifier.verify(made, DomainAnchor(name), Artifact((IMAGE,))), asked))
    aside.close()

    assert [isinstance(one, Evidence) for one in found] == [False, True] * 16


def test_who_hears_nothing_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is stopped must not hold up a run that has time left."""
    aside = begun()
    aside.check_root(DOMAIN.root)
    os.kill(aside._pid, signal.SIGSTOP)
    monkeypatch.setattr(module, "_PATIENCE", 0.05)

    assert isinstance(beside(aside).verify(good(), ANCHOR, Artifact((IMAGE,))), Evidence)
    aside.close()


def test_it_is_not_there_where_there_are_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of processes counts threads, too."""
    monkeypatch.delitem(sys.modules, BRIDGE, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1})
    monkeypatch.setattr(threading.Thread, "start", _no_more)
    aside = Aside()

    assert not aside.start()
    aside.close()


def _no_more(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def _lost(_number: int, _what: object) -> None:
    raise Gone


def test_an_answer_that_nobody_asked_for_ends_it() -> None:
    """Who waits for another one does the work, instead of waiting for ever."""
    aside = Aside()
    ours, theirs = socket.socketpair()
    aside._socket = ours
    waiting: Future[bytes] = Future()
    aside._waiting[1] = waiting
    theirs.sendall(_LENGTH.pack(1, 7) + b"=")
    aside._listen(ours)
    theirs.close()

    with pytest.raises(Gone):
        waiting.result(0)
    with pytest.raises(Gone):
        aside.check_root(DOMAIN.root)


def test_it_is_asked_for_a_proof_first(aside: Aside) -> None:
    """A trusted root that was found sound before is not looked into again."""
    fresh = begun()
    try:
        assert fresh.prove(good(), ANCHOR, Artifact((IMAGE,)), DOMAIN) == aside.prove(
            good(), ANCHOR, Artifact((IMAGE,)), DOMAIN
        )
    finally:
        fresh.close()


def test_it_sees_nothing_of_ours(aside: Aside) -> None:
    """No environment, and no stream that somebody waits for the end of."""
    aside.check_root(DOMAIN.root)
    of = Path("/proc", str(aside._pid))
    files = {entry.name: str(entry.readlink()) for entry in (of / "fd").iterdir()}

    assert (of / "environ").read_bytes() == b""
    assert files.pop("0").startswith("socket:")
    assert files == {"1": os.devnull, "2": os.devnull}


def test_it_closes_what_is_left_open_in_it() -> None:
    """What whoever started the run, Argo CD's server or a shell, let it inherit."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if not pid:
        os.dup2(theirs.fileno(), 0)
        main()
        os._exit(0)
    with ours, theirs:
        ours.sendall(_LENGTH.pack(len(ASKED), 1) + ASKED)
        number, answer = _frame(ours)
        left = {entry.name for entry in Path("/proc", str(pid), "fd").iterdir()}
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    assert (number, answer) == (1, b"=")
    assert left <= {"0", "1", "2"}


def test_it_ends_when_it_is_closed() -> None:
    """Nobody stays behind, and nobody is left for the container's first process to bury."""
    aside = begun()
    pid = aside._pid
    aside.close()
    aside.close()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_ends_with_whoever_started_it() -> None:
    """Argo CD kills a plugin that takes too long, and tells nobody."""
    line = [sys.executable, "-I", "-c", STARTED]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        watched = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        ended, _, _ = select.select([watched], [], [], 30)
    finally:
        os.close(watched)

    assert ended


def test_it_is_not_started_where_it_is_of_no_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one processor, or with sigstore in this process already, it would only cost."""
    assert not Aside().start()
    monkeypatch.delitem(sys.modules, BRIDGE)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0})

    assert not Aside().start()


def test_it_is_not_there_where_it_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has no room for another process verifies all the same."""
    monkeypatch.delitem(sys.modules, BRIDGE)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1})
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    aside = Aside()

    assert not aside.start()
    with pytest.raises(Gone):
        aside.check_root(DOMAIN.root)
