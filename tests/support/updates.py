"""A TUF repository in a folder, served on loopback: made with python-tuf, as sigstore's root-signing is.

with Updates(folder) as updates: updates.publish({"trusted_root.json": raw}); updates.url, updates.bootstrap
"""

import contextlib
import functools
import http.server
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Key, Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

END = datetime(2099, 1, 1, tzinfo=UTC)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


class Updates:
    """Everything is signed with one key; `publish` makes a new version of all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "targets").mkdir(parents=True)
        self._signer = CryptoSigner.generate_ed25519()
        self._version = 0
        root = Root(expires=END, consistent_snapshot=True)
        for role in ("root", "timestamp", "snapshot", "targets"):
            root.add_key(self._key, role)
        self.bootstrap = self._signed(root)
        (folder / "1.root.json").write_bytes(self.bootstrap)
        handler = functools.partial(_Quiet, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def _key(self) -> Key:
        return self._signer.public_key

    def publish(self, targets: Mapping[str, bytes], *, end: datetime = END, signer: CryptoSigner | None = None) -> None:
        """A new version with these targets."""
        self._version += 1
        listed = Targets(version=self._version, expires=end)
        for name, content in targets.items():
            entry = TargetFile.from_data(name, content, ["sha256"])
            listed.targets[name] = entry
            (self.folder / "targets" / f"{entry.hashes['sha256']}.{name}").write_bytes(content)
        snapshot = Snapshot(version=self._version, expires=end, meta={"targets.json": MetaFile(version=self._version)})
        timestamp = Timestamp(version=self._version, expires=end, snapshot_meta=MetaFile(version=self._version))
        for name, role in (
            (f"{self._version}.targets.json", listed),
            (f"{self._version}.snapshot.json", snapshot),
            ("timestamp.json", timestamp),
        ):
            (self.folder / name).write_bytes(self._signed(role, signer))

    def _signed(self, role: Any, signer: CryptoSigner | None = None) -> bytes:
        metadata: Metadata[Any] = Metadata(role)
        metadata.sign(signer or self._signer)
        return metadata.to_bytes()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Be away."""
        with contextlib.suppress(OSError):
            self._server.shutdown()
            self._server.server_close()
