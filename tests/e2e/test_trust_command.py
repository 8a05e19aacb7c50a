"""``trust``: roots shown, refreshed through TUF, and split; the last good one is never lost."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from argocd_provenance.demo.sigstore import VirtualSigstore, encode
from support.updates import Updates

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ROOT, NEWER = (encode(VirtualSigstore(NOW.replace(day=day)).trusted_root()) for day in (1, 2))


def trust(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and error of the installed command, started in `folder`."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("argocd-provenance")), "trust", *arguments],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "PYTHONPATH")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


class TestUpdate:
    @pytest.fixture
    def updates(self, tmp_path: Path) -> Iterator[Updates]:
        """A TUF repository with one root."""
        with Updates(tmp_path / "repository") as updates:
            (tmp_path / "first.json").write_bytes(updates.bootstrap)
            updates.publish({"trusted_root.json": ROOT})
            yield updates

    def asked(self, folder: Path, updates: Updates, root: str = "first.json") -> tuple[int, str, str]:
        """Ask for the newest."""
        return trust(folder, "update", "--url", updates.url, "--root", root, "--name", "ours")

    def kept(self, folder: Path) -> bytes:
        """The root that is in use."""
        return (folder / "trust" / "ours.json").read_bytes()

    def test_the_newest_root_is_written_and_the_config_told(self, tmp_path: Path, updates: Updates) -> None:
        """Then the next, and nothing when there is none."""
        code, out, err = self.asked(tmp_path, updates)
        assert (code, err) == (0, "")
        assert "trust: [{name: ours, trustedRoot: trust/ours.json}]" in out
        assert self.kept(tmp_path) == ROOT

        updates.publish({"trusted_root.json": NEWER})
        assert self.asked(tmp_path, updates)[:2] == (0, "trust/ours.json: written\n")
        assert self.kept(tmp_path) == NEWER
        assert self.asked(tmp_path, updates)[:2] == (0, "trust/ours.json: is the newest already\n")

    def test_what_is_not_signed_for_is_not_taken(self, tmp_path: Path, updates: Updates) -> None:
        """Another key, other bytes, another root of trust, an expired or an older list: the last good root stays."""
        self.asked(tmp_path, updates)
        old = {file.name: file.read_bytes() for file in updates.folder.glob("*.json")}
        updates.publish({"trusted_root.json": NEWER}, signer=CryptoSigner.generate_ed25519())
        forged = self.asked(tmp_path, updates)
        updates.publish({"trusted_root.json": NEWER}, end=datetime(2020, 1, 1, tzinfo=UTC))
        expired = self.asked(tmp_path, updates)
        updates.publish({"trusted_root.json": NEWER})
        for file in (updates.folder / "targets").iterdir():
            file.write_bytes(file.read_bytes().replace(b"rekor", b"taken"))
        damaged = self.asked(tmp_path, updates)
        for name, content in old.items():
            (updates.folder / name).write_bytes(content)
        rolled_back = self.asked(tmp_path, updates)

        for code, out, err in (forged, expired, damaged, rolled_back):
            assert (code, out) == (3, "")
            assert err.startswith("error [trust-update]: ")
            assert "The last good root stays: trust/ours.json, of " in err
        assert self.kept(tmp_path) == ROOT

    def test_another_root_of_trust_vouches_for_nothing(self, tmp_path: Path, updates: Updates) -> None:
        """What is trusted first is the operator's word."""
        with Updates(tmp_path / "other") as other:
            (tmp_path / "other.json").write_bytes(other.bootstrap)
        code, _, err = self.asked(tmp_path, updates, "other.json")

        assert (code, "Nothing was written" in err) == (3, True)
        assert not (tmp_path / "trust" / "ours.json").exists()

    def test_a_repository_that_is_away_changes_nothing(self, tmp_path: Path, updates: Updates) -> None:
        """Exit 3: could not be asked."""
        self.asked(tmp_path, updates)
        updates.stop()
        code, _, err = self.asked(tmp_path, updates)

        assert code == 3
        assert "could not be asked: " in err
        assert "refused" in err
        assert self.kept(tmp_path) == ROOT

    def test_a_signed_target_that_is_no_trusted_root_is_not_written(self, tmp_path: Path, updates: Updates) -> None:
        """Signed nonsense is nonsense."""
        self.asked(tmp_path, updates)
        updates.publish({"trusted_root.json": b"{}"})
        code, _, err = self.asked(tmp_path, updates)

        assert (code, "malformed" in err) == (3, True)
        assert self.kept(tmp_path) == ROOT

    def test_a_first_root_that_is_none_is_the_operators_mistake(self, tmp_path: Path, updates: Updates) -> None:
        """Exit 2, and nothing is asked."""
        (tmp_path / "nonsense").write_bytes(b"{}")
        code, _, err = self.asked(tmp_path, updates, "nonsense")

        assert (code, "--root is no TUF root" in err) == (2, True)

    @pytest.mark.parametrize(
        "arguments", [["--url", "http://127.0.0.1:1"], ["--url", "ftp://x", "--root", "f", "--name", "../x"]]
    )
    def test_half_a_question_is_refused(self, tmp_path: Path, arguments: list[str]) -> None:
        """Exit 2."""
        assert trust(tmp_path, "update", *arguments)[0] == 2


class TestImport:
    def test_what_gh_prints_is_split(self, tmp_path: Path) -> None:
        """A root on each line; the lines for the config say what each can prove."""
        github = json.loads(ROOT)
        for name in ("tlogs", "ctlogs"):
            del github[name]
        github["certificateAuthorities"][0]["uri"] = "https://fulcio.githubapp.com"
        (tmp_path / "roots.jsonl").write_bytes(ROOT.strip() + b"\n" + encode(github) + b"\n")

        code, out, err = trust(tmp_path, "import", "roots.jsonl")

        assert (code, err) == (0, "")
        assert "  - {name: github, trustedRoot: trust/github.json, requires: [timestamp]}" in out
        assert "requires: [log, sct]" in out
        assert (tmp_path / "trust" / "github.json").read_bytes().strip() == encode(github)

    @pytest.mark.parametrize("content", [b"", b"nonsense", b"{}", b"[]", ROOT.strip() + b"\n{}\n"])
    def test_what_is_no_root_is_refused(self, tmp_path: Path, content: bytes) -> None:
        """Exit 2, and nothing is written."""
        (tmp_path / "roots.jsonl").write_bytes(content)

        assert trust(tmp_path, "import", "roots.jsonl")[0] == 2
        assert not (tmp_path / "trust").exists()


class TestShow:
    def test_each_root_is_shown_with_its_age(self, tmp_path: Path) -> None:
        """The shipped one, a refreshed one, and the operator's own."""
        (tmp_path / "ours.json").write_bytes(ROOT)
        head = "apiVersion: argocd-provenance.io/v1alpha1\nkind: Config\npolicies: []\n"
        config = tmp_path / "config.yaml"
        config.write_text(head + "trust: [{name: ours, trustedRoot: ours.json}]\n")
        code, out, err = trust(tmp_path, "show", "--config", str(config))

        assert (code, err) == (0, "")
        assert "public-good: shipped with sigstore 4.5" in out
        assert f"ours: {tmp_path}/ours.json" in out
        assert out.count("newest key in use since") == 2
        config.write_text(head + "publicGood: ours.json\n")
        assert trust(tmp_path, "show", "--config", str(config))[1].startswith(f"public-good: {tmp_path}/ours.json\n")
