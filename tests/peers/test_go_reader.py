"""What we print, read by the reader that Argo CD has: sigs.k8s.io/yaml over apimachinery's document splitter.

The law under test: whatever we accept, Argo CD reads as we do, and no image in our output is unpinned; hostile YAML is
refused or safe. The Go program in ``goreader/`` is the reader; ``GOREADER_BIN`` names a folder where it is built already.
"""

import json
import os
import random
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance.documents import ObjectImages, emit, read
from argocd_provenance.errors import Error

pytestmark = pytest.mark.peers

HERE = Path(__file__).resolve().parent
DIGEST = "@sha256:" + "ab" * 32
_ALIAS = re.compile(r"\*(\w+)")
_LISTS = ("containers", "initContainers", "ephemeralContainers")


@pytest.fixture(scope="session")
def goreader() -> Path:
    """The compiled reader."""
    if folder := os.environ.get("GOREADER_BIN"):
        return Path(folder) / "goreader"
    target = HERE.parent.parent / ".cache" / "goreader" / "goreader"
    path = f"{os.environ['PATH']}:/usr/local/go/bin"
    go = shutil.which("go", path=path)
    assert go, "Go is needed to build tests/peers/goreader"
    environment = {**os.environ, "PATH": path, "GOFLAGS": "-p=1", "CGO_ENABLED": "0"}
    subprocess.run([go, "build", "-o", str(target), "."], cwd=HERE / "goreader", env=environment, check=True)
    return target


@pytest.fixture(scope="session")
def corpus_files() -> dict[str, str]:
    """Name and text of the real manifests."""
    with tarfile.open(Path(os.environ["CORPUS"]) / "manifests" / "manifests.tar.xz") as archive:
        members = [m for m in archive if m.isfile() and m.name.endswith((".yaml", ".yml", ".json"))]
        return {m.name: content.read().decode() for m in members if (content := archive.extractfile(m)) is not None}


def seen_by_go(binary: Path, streams: list[str]) -> list[dict[str, Any]]:
    """What the reader says about each stream: objects, or an error."""
    asked = "".join(json.dumps(stream) + "\n" for stream in streams)
    done = subprocess.run([str(binary)], input=asked.encode(), capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def images(node: Any) -> Iterator[str]:
    """Every image that containers and image volumes of `node` run, at any depth."""
    if isinstance(node, list):
        for item in node:
            yield from images(item)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in _LISTS and isinstance(value, list):
            yield from (c["image"] for c in value if isinstance(c, dict) and isinstance(c.get("image"), str))
        if key == "volumes" and isinstance(value, list):
            found = [v["image"] for v in value if isinstance(v, dict) and isinstance(v.get("image"), dict)]
            yield from (image["reference"] for image in found if isinstance(image.get("reference"), str))
        yield from images(value)


def rewritten(text: str) -> str | None:
    """Our output with every image pinned and every object annotated, or None when we refuse."""
    try:
        rendered = read([("f.yaml", text)])
        pins = {image.written: image.written + DIGEST for image in rendered.images}
        return emit(rendered, pins, lambda _: {"argocd-provenance.io/verdict": "verified"})
    except Error:
        return None


def objects_of(answer: dict[str, Any]) -> str:
    """The objects of an answer in one order of keys."""
    return json.dumps(answer.get("objects"), sort_keys=True)


def with_intent(node: Any) -> Any:
    """What Argo CD reads in the input, with what we mean to change in it."""
    if isinstance(node, list):
        return [with_intent(item) for item in node]
    if not isinstance(node, dict):
        return node
    changed = {key: with_intent(value) for key, value in node.items()}
    for holder in (item for key in _LISTS if isinstance(changed.get(key), list) for item in changed[key]):
        if isinstance(holder, dict) and isinstance(holder.get("image"), str):
            holder["image"] += DIGEST
    for volume in changed["volumes"] if isinstance(changed.get("volumes"), list) else ():
        if (
            isinstance(volume, dict)
            and isinstance(volume.get("image"), dict)
            and isinstance(volume["image"].get("reference"), str)
        ):
            volume["image"]["reference"] += DIGEST
    return changed


class TestCorpus:
    @pytest.mark.corpus
    def test_no_image_of_a_real_file_leaves_unpinned(self, goreader: Path, corpus_files: dict[str, str]) -> None:
        """Argo CD's reader sees only pinned images in what we print of real files, and reads all of them."""
        assert len(corpus_files) > 1000
        outputs = {name: out for name, text in corpus_files.items() if (out := rewritten(text)) is not None}

        answers = dict(zip(outputs, seen_by_go(goreader, list(outputs.values())), strict=True))

        inputs = dict(zip(outputs, seen_by_go(goreader, [corpus_files[name] for name in outputs]), strict=True))
        broken = [name for name, answer in answers.items() if "error" in answer and "error" not in inputs[name]]
        assert broken == []
        seen = [image for answer in answers.values() for image in images(answer.get("objects"))]
        assert len(seen) > 500
        assert [image for image in seen if not image.endswith(DIGEST)] == []


class TestHostile:
    @pytest.mark.parametrize("seed", range(8))
    def test_hostile_yaml_is_refused_or_safe(self, goreader: Path, seed: int) -> None:
        """Of generated YAML with every odd construct, nothing that we accept deploys an image that we did not pin."""
        chance = random.Random(seed)
        streams = [Generator(chance).stream() for _ in range(600)]
        accepted = [(text, out) for text in streams if (out := rewritten(text)) is not None]

        answers = seen_by_go(goreader, [out for _, out in accepted])

        assert len(accepted) > 60, "the generator makes too little that is accepted"
        loose = [
            (text, out)
            for (text, out), a in zip(accepted, answers, strict=True)
            if any(not i.endswith(DIGEST) for i in images(a.get("objects")))
        ]
        assert loose == []

    @pytest.mark.parametrize("seed", range(4))
    def test_nothing_but_images_and_our_annotations_changes(self, goreader: Path, seed: int) -> None:
        """Argo CD reads our output as it reads the input, but for what we mean to change."""
        chance = random.Random(1000 + seed)
        pairs = []
        for text in (Generator(chance).stream() for _ in range(600)):
            try:
                rendered = read([("f.yaml", text)])
                pairs.append((text, emit(rendered, {i.written: i.written + DIGEST for i in rendered.images})))
            except Error:
                continue

        before = seen_by_go(goreader, [text for text, _ in pairs])
        after = seen_by_go(goreader, [out for _, out in pairs])

        for (text, out), one, two in zip(pairs, before, after, strict=True):
            if "error" not in one and "argocd-provenance" not in text:
                wanted = {"objects": with_intent(one["objects"])}
                assert objects_of(two) == objects_of(wanted), (text, out)


class TestObjects:
    def test_each_object_carries_its_own_annotation(self, goreader: Path) -> None:
        """After Argo CD has flattened the Lists, every object that runs an image says so, and only there."""
        text = "kind: List\nitems:\n" + "".join(
            f"- kind: Pod\n  metadata: {{name: p{n}}}\n  spec: {{containers: [{{image: 'a:{n}'}}]}}\n" for n in range(3)
        )
        rendered = read([("f.yaml", text)])

        def note(one: ObjectImages) -> dict[str, str]:
            return {"argocd-provenance.io/images": one.images[0].written}

        answer = seen_by_go(goreader, [emit(rendered, {}, note)])[0]

        noted = [o["metadata"]["annotations"]["argocd-provenance.io/images"] for o in answer["objects"]]
        assert noted == ["a:0", "a:1", "a:2"]


class Generator:
    """Makes streams that look like manifests, with the constructs that readers of YAML take differently."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.anchors: list[str] = []

    def stream(self) -> str:
        """A few documents with odd separators between them."""
        documents = [self.document() for _ in range(self.chance.choice((1, 1, 1, 2, 3)))]
        text = documents[0]
        for following in documents[1:]:
            text += (
                self.pick(
                    "---\n" * 6,
                    "---\n",
                    "--- \n",
                    "---#x\n",
                    "--- # x\n",
                    "...\n",
                    "---\t\n",
                    "--- {}\n",
                    "\n",
                    "---\u00a0\n",
                    "...\n---\n",
                )
                if self.rare(4)
                else "---\n"
            )
            text += following
        if self.rare(40):
            text = self.pick("\ufeff", "%YAML 1.1\n---\n", "---\n", "~\n---#x\n", "\ufeff---\n") + text
        if self.rare(30):
            text = text.replace("\n", "\r\n")
        if self.rare(60):
            at = self.chance.randrange(len(text))
            text = (
                text[:at]
                + self.pick("\r", "\u2028", "\x85", "\t", "#", " ", "\n", "&a ", "*a", "'", '"', "!", "? ", ": ", "- ")
                + text[at:]
            )
        return text

    def document(self) -> str:
        """One Pod with odd constructs in it."""
        self.anchors = []
        if self.rare(6):
            return json.dumps(self.plain_object(), ensure_ascii=self.rare(8)) + self.pick(
                "\n", "", "\n\n", " # c\n", "\n"
            )
        lines = ["apiVersion: v1", "kind: Pod"]
        if self.rare(2):
            lines.append(
                self.pick(
                    "x-image: &img evil:1",
                    "x: &c {image: evil:1}",
                    "x: &k image",
                    "x: &l [{name: a, image: evil:1}]",
                    "x: &m {containers: [{image: evil:1}]}",
                )
            )
            self.anchors = [lines[-1].split("&")[1][:3].split()[0]]
        if self.rare(2):
            lines.append(
                self.pick(
                    "metadata: {name: a}",
                    "metadata:\n  name: a\n  annotations:\n    a: b",
                    "metadata: &meta\n  name: a",
                    "metadata:",
                    "metadata:\n  annotations: {}",
                    "metadata:\n  annotations:\n    argocd-provenance.io/verdict: verified",
                )
            )
        lines.append("spec:")
        if self.rare(6):
            lines.append("  <<: *m")
        if self.rare(8):
            lines.append("  template: {metadata: *meta}")
        for key in self.chance.sample(_LISTS, self.chance.choice((1, 1, 2))):
            lines += self.containers(key)
        if self.rare(5):
            lines += [
                "  volumes:",
                "  - name: v",
                f"    image: {{reference: {self.pick('data:1', chr(34) + 'data:1' + chr(34), '*img')}}}",
            ]
        if self.rare(12):
            lines += self.containers("containers")
        if self.rare(12):
            lines.append("  <<: *m")
        known = [
            line
            for line in lines
            if "<<" not in line or self.rare(20) or all(f"&{a}" in "\n".join(lines) for a in _ALIAS.findall(line))
        ]
        text = "\n".join(known) + self.pick("\n", "\n", "\n", "\n\n", "\n# end\n", "")
        return (
            text
            if self.rare(20)
            else _ALIAS.sub(lambda found: found[0] if f"&{found[1]} " in text else "nginx:1", text)
        )

    def containers(self, key: str) -> list[str]:
        """A list of containers under `key`."""
        lines = [f"  {self.key(key)}:"]
        if self.rare(15):
            return [
                f"  {self.key(key)}: {self.pick('*l', '[*c]', '[{image: a}, *c]', '!!seq []', 'null', '[{<<: *c}]', '[{image: good:1, <<: *c}]')}"
            ]
        for number in range(self.chance.choice((1, 2))):
            first = f"  - {self.pick('', '&n ', '!!map ', '? ') if self.rare(12) else ''}"
            lines.append(
                f"{first}name: c{number}" if not first.endswith(("&n ", "!!map ")) else f"{first}\n    name: c{number}"
            )
            lines += self.image()
            if self.rare(6):
                lines.append(
                    f"    args: [{self.pick('x', '*img', '1e3', 'on', '0o17', '1_000', '1.0', '.5', '-0', '0x1F', '12:30', '2001-01-01', '~')}]"
                )
            if self.rare(10):
                lines.append(
                    self.pick(
                        "    <<: *c",
                        '    "<<": *c',
                        "    <<: [*c]",
                        "    ? image\n    : evil:2",
                        "    *k : evil:3",
                        "    !!binary aW1hZ2U=: evil:4",
                        '    "im\\u0061ge": evil:5',
                        "    image: evil:6",
                    )
                )
        return lines

    def image(self) -> list[str]:
        """An image field."""
        if not self.rare(3):
            return [
                f"    {self.key('image')}: {self.pick('nginx:1', chr(34) + 'a/b:1' + chr(34), '*img', 'nginx:1 # comment')}"
            ]
        value = self.pick(
            "'nginx:1'",
            '"nginx:1"',
            "&i nginx:1",
            "|-\n      nginx:1",
            ">-\n      nginx:1\n",
            "|\n      nginx:1",
            '"ngin\\x78:1"',
            '"nginx\\\n      :1"',
            "nginx",
            "190:20",
            "1e3",
            "0o17",
            "on",
            "2001-01-01",
            "1_000",
            "*img",
            "!!str nginx:1",
            "! nginx:1",
            "!custom nginx:1",
            "nginx:1 # comment",
            "nginx\n      continued",
            "?nginx",
            "''",
            "null",
            "0x1F",
            "1.5",
            "{a: b}",
            "'it''s'",
            "|+\n      nginx:1\n\n",
            "nginx:1#x",
        )
        return [f"    {self.key('image')}{self.pick(': ', ': ', ': ', ' : ', ':  ', ':' + chr(9))}{value}"]

    def key(self, key: str) -> str:
        """`key`, in one of its spellings."""
        return (
            self.pick(key, f"'{key}'", f'"{key}"', f'"{key[:-1]}\\x{ord(key[-1]):02x}"', f"&kk {key}", f"!!str {key}")
            if self.rare(8)
            else key
        )

    def plain_object(self) -> dict[str, Any]:
        """What becomes a JSON document."""
        container: dict[str, Any] = {"name": "c", "image": self.pick("nginx:1", "a/b", "\u00e9:1", "\U0001f600")}
        return {
            "kind": "Pod",
            "x": self.pick("\u2028", "a/b", "\x7f", "t\tt", "---"),
            "n": self.chance.choice((1, 1.5, 1e22, None, True)),
            "spec": {"containers": [container]},
        }

    def rare(self, one_in: int) -> bool:
        """True once in so many times."""
        return self.chance.randrange(one_in) == 0

    def pick(self, *choices: str) -> str:
        """One of them."""
        return self.chance.choice(choices)
