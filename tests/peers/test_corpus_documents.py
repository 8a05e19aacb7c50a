"""Real manifests: every image is found, and pinning changes nothing else.

``CORPUS`` names the folder with ``manifests/manifests.tar.xz``: Kubernetes files of public repositories and, in
``expected.jsonl``, each image with its JSON path. What is refused or templated is told by rule, never by a file's name.
"""

import json
import os
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance.documents import emit, read
from argocd_provenance.errors import DocumentError

pytestmark = pytest.mark.corpus

DIGEST = "@sha256:" + "5" * 64
# The one rule by which a file of the corpus may be refused: none of them needs to be.
REFUSABLE = re.compile(r"(?!)")
# Image fields of real files that hold no reference yet: Knative's and Tekton's placeholders for ko, templates, parameters.
TEMPLATED = re.compile(r"ko://|\$\(|\$\{|\{\{|\$[A-Z]|[A-Z]|@sha256:(?![0-9a-f]{64}$)|$")
# An image that a cluster reports, or a build makes, runs nothing; an RBD volume's image is a disk.
NOT_RUN = re.compile(r"^(status/|build/artifacts/|spec/volumes/\d+/rbd/)")


@pytest.fixture(scope="module")
def corpus() -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The expectations, and the text of each file."""
    with tarfile.open(Path(os.environ["CORPUS"]) / "manifests" / "manifests.tar.xz") as archive:
        files = {
            m.name.removeprefix("./"): content.read().decode()
            for m in archive
            if (content := archive.extractfile(m)) is not None
        }
    rows = [json.loads(line) for line in files.pop("expected.jsonl").splitlines()]
    return [row for row in rows if "error" not in row], files


class TestCorpus:
    def test_every_image_is_found_and_pinning_changes_nothing_else(
        self, corpus: tuple[list[dict[str, Any]], dict[str, str]], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Of each file: all expected images at their paths, and an output that differs by the digests only."""
        rows, files = corpus
        found = templated = extra = 0
        refusals: list[str] = []
        for row in rows:
            text = files[row["file"]]
            try:
                rendered = read([(row["file"], text)])
            except DocumentError as error:
                refusals.append(str(error))
                continue
            have = [("/".join(map(str, image.keys)), image.written) for image in rendered.images]
            wanted = [(path, written) for _, path, written in row["images"]]
            known = [(path, written) for _, path, written in row["other_image_keys"]]
            templated += sum(1 for _, written in have if TEMPLATED.match(written))
            found, extra = found + len(have), extra + len(have) - len(wanted)
            assert [w for w in wanted if w not in have] == [], row["file"]
            assert [h for h in have if h not in wanted and h not in known] == [], row["file"]
            assert [k for k in known if k not in have and not NOT_RUN.match(k[0])] == [], row["file"]

            out = emit(rendered, {image.written: image.written + DIGEST for image in rendered.images})

            assert out.count(DIGEST) == len(have), row["file"]
            assert out.replace(DIGEST, "") == text, row["file"]
            assert emit(rendered, {}) == text, row["file"]
            again = read([(row["file"], out)])
            assert [image.written for image in again.images] == [written + DIGEST for _, written in have], row["file"]

        with capsys.disabled():
            print(
                f"\n{len(rows)} files, {found} images ({extra} of them in CRDs' own places), {templated} templated, {len(refusals)} files refused"
            )
        assert len(rows) > 1000
        assert [reason for reason in refusals if not REFUSABLE.search(reason)] == []
        assert found > 590

    def test_rewriting_twice_is_rewriting_once(self, corpus: tuple[list[dict[str, Any]], dict[str, str]]) -> None:
        """Annotated output, read and annotated again, is the same bytes."""
        rows, files = corpus
        note = {
            "argocd-provenance.io/verdict": "unverified",
            "link.argocd.argoproj.io/argocd-provenance": "Sigstore log|https://x",
        }
        for row in rows:
            once = emit(read([(row["file"], files[row["file"]])]), {}, lambda _: note)

            twice = emit(read([(row["file"], once)]), {}, lambda _: note)

            assert twice == once, row["file"]
