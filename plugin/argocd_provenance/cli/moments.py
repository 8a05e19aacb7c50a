"""When a run did what, taken while it runs, for who wants to know afterwards."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argocd_provenance.oci.reference import Digest
    from argocd_provenance.report.spans import Times


class Moments:
    """The stages of a run, each until the next one begins, and what was done about each image. The clock is monotonic."""

    def __init__(self) -> None:
        # Two clocks at one moment: one that nobody sets, and one that others can read.
        self.began, self._epoch = time.monotonic(), time.time()
        self._stages: list[tuple[str, float]] = []
        self._images: list[tuple[str, float, float]] = []  # appending needs no lock
        self._parts: dict[str, str] = {}

    def begin(self, stage: str) -> None:
        """From here on the run does this."""
        self._stages.append((stage, time.monotonic()))

    def did(self, key: str, since: float) -> None:
        """Since `since` until now something was done about the image of this reference or digest."""
        self._images.append((self._parts.get(key, key), since, time.monotonic()))

    def parts(self, digest: str, children: Mapping[str, "Digest"]) -> None:
        """What is done about `children` is done about the image `digest`."""
        self._parts.update({child.text: digest for child in children.values()})

    def times(self) -> "Times":
        """All that was taken, until now, by the clock that others can read."""
        from argocd_provenance.report.spans import Times

        shift, now = self._epoch - self.began, time.monotonic()
        ends = [begin for _, begin in self._stages[1:]] + [now]
        stages = [(n, (a + shift, b + shift)) for (n, a), b in zip(self._stages, ends, strict=False)]
        images: dict[str, tuple[float, float]] = {}
        for key, begin, end in self._images:
            known = images.get(key, (begin, end))
            images[key] = min(begin, known[0]), max(end, known[1])
        shifted = {key: (begin + shift, end + shift) for key, (begin, end) in images.items()}
        return Times((self.began + shift, now + shift), stages, shifted)
