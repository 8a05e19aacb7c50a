"""The shared cache against a real redis-server: replicas, lies, and days on which it vanishes."""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from argocd_provenance.cache.memory import Memory
from argocd_provenance.cache.shared import Shared
from argocd_provenance.cache.store import ENTRY_LIMIT, StoreError
from support.memories import Keeper
from support.shop import API, WEB, pod, shop

pytestmark = pytest.mark.peers
PASSWORD = "a-password-that-nobody-prints"


class Redis:
    """A redis-server on a free port of loopback."""

    def __init__(self, folder: Path) -> None:
        executable = shutil.which("redis-server")
        assert executable is not None, "redis-server is missing (Debian package redis-server)"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        command = [executable, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", str(folder)]
        self.process = subprocess.Popen(
            [*command, "--requirepass", PASSWORD], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        while self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
        raise AssertionError("redis-server does not start")

    def vanish(self) -> None:
        """Die as processes die."""
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    """A server, alive when the test begins."""
    server = Redis(tmp_path)
    yield server
    server.vanish()


def client(server: Redis) -> "Shared":
    return Shared(server.url, PASSWORD)


class TestShared:
    def test_what_one_replica_keeps_another_finds(self, redis: Redis) -> None:
        """Names and contents of any bytes."""
        client(redis).put({b"\x00\xff": b"\x00\r\n\xff", b"b": b"2"})

        other = client(redis)
        assert (other.get(b"\x00\xff"), other.get(b"b"), other.get(b"c")) == (b"\x00\r\n\xff", b"2", None)

    def test_a_wrong_password_is_a_warning_that_does_not_repeat_it(self, redis: Redis) -> None:
        """Nor does any other fault."""
        with pytest.raises(StoreError) as raised:
            Shared(redis.url, "wrong-" + PASSWORD).get(b"a")

        assert PASSWORD not in str(raised.value)
        assert "cache.redis" in str(raised.value)

    def test_when_it_vanishes_the_run_goes_on_without_it(self, redis: Redis) -> None:
        """One warning, and it is not asked again."""
        keeper = Keeper(store=client(redis))
        with keeper.memory() as memory:
            memory.keep(("a",), b"1")
        with keeper.memory() as memory:
            assert memory.recall(("a",)) is not None
            redis.vanish()
            assert memory.recall(("a",)) is None
            assert memory.recall(("a",)) is None
            memory.keep(("b",), b"2")

        assert len(memory.warnings) == 1

    def test_lies_in_redis_are_absent(self, redis: Redis) -> None:
        """Another type, an endless value, another's entry: nothing of it is believed."""
        import redis as library

        keeper = Keeper(store=client(redis))
        with keeper.memory() as memory:
            for name in "abcd":
                memory.keep((name,), name.encode())
        raw = library.Redis(port=redis.port, password=PASSWORD)
        keys = sorted(raw.keys())
        raw.delete(*keys[:2])
        raw.lpush(keys[0], "a list")
        raw.setrange(keys[1], ENTRY_LIMIT * 4, b"x")
        swapped = [raw.get(keys[3]), raw.get(keys[2])]
        raw.set(keys[2], swapped[0])
        raw.set(keys[3], swapped[1])

        with keeper.memory() as memory:
            assert [memory.recall((name,)) for name in "abcd"] == [None] * 4
            assert memory.warnings == []
        raw.close()

    def test_what_redis_knows_is_told_to_the_disk(self, redis: Redis) -> None:
        """A replica asks for each entry once."""
        keeper, near = Keeper(store=client(redis)), Keeper()
        with keeper.memory() as memory:
            memory.keep(("a",), b"1")
        both = Memory(keeper.seal, [near.dictionary, client(redis)], lambda: keeper.now)
        assert both.recall(("a",)) is not None
        both.close()
        redis.vanish()

        alone = Memory(keeper.seal, [near.dictionary], lambda: keeper.now)
        assert alone.recall(("a",)) is not None


class TestWholeCommand:
    def test_replicas_with_one_key_share_what_they_learned(self, tmp_path: Path, redis: Redis) -> None:
        """The second asks the registry nothing; without Redis both decide the same, and say what is missing."""
        (tmp_path / "password").write_text(f"{PASSWORD}\n")
        config = f"cache: {{keyFile: key, redis: {{url: '{redis.url}', passwordFile: {tmp_path / 'password'}}}}}\n"
        with shop(tmp_path, images=[WEB, API], source={"web.yaml": pod("acme/web:v1")}, config=config) as scenario:
            first = scenario.generate()
            scenario.registry.requests.clear()
            assert scenario.generate() == first
            assert scenario.registry.requests == []
            redis.vanish()
            code, manifests, report = scenario.generate()

        assert (code, manifests) == (0, first[1])
        assert "note: the cache cannot be used" in report
        assert PASSWORD not in report
