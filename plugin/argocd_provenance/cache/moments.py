"""When something was learned: by the clock on the wall, and by the one of this machine that nobody can set back."""

import struct
import time
from collections.abc import Callable
from pathlib import Path

from argocd_provenance.records import dataclass

_PACKED = struct.Struct(">dd16s")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time; `since_boot` counts seconds of the machine that booted as `boot`."""

    wall: float
    since_boot: float
    boot: bytes

    def age(self, now: "Moment") -> float | None:
        """The seconds from here until `now`; None where this lies in the future, by either clock.

        Both clocks are asked, and the longer time counts: setting the wall clock back makes nothing young again. Across
        machines, and after a restart, there is only the wall.
        """
        wall, since = now.wall - self.wall, now.since_boot - self.since_boot
        if wall < 0 or (self.boot == now.boot and since < 0):
            return None
        return max(wall, since) if self.boot == now.boot else wall

    def packed(self) -> bytes:
        """The moment as bytes, always as many."""
        return _PACKED.pack(self.wall, self.since_boot, self.boot)

    @classmethod
    def unpacked(cls, content: bytes) -> "Moment":
        """The moment that `packed` gave."""
        return cls(*_PACKED.unpack(content))


SIZE = _PACKED.size


def clock() -> Callable[[], Moment]:
    """A reader of this machine's clocks."""
    try:
        boot = bytes.fromhex(_BOOT_ID.read_text(encoding="ascii").strip().replace("-", ""))[:16].ljust(16, b"\0")
    except (OSError, ValueError):
        boot = b""  # no such clock is compared then: an empty name never comes back from sixteen packed bytes
    return lambda: Moment(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), boot)
