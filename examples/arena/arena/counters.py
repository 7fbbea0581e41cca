"""
Counters over all instances, for monitors. Each instance counts in a slot of its own of one shared file, so none waits for
another; the supervisor adds what an instance that has ended leaves behind to the first slot. They only ever rise.
"""

import mmap
import os
import struct
import tempfile

NAMES = ("total", "2xx", "3xx", "401", "403", "4xx", "5xx")
SLOTS = 64
_SLOT = struct.Struct(f"{len(NAMES)}q")


class Counters:
    def __init__(self, fd: int, slot: int = 0) -> None:
        self._map = mmap.mmap(fd, SLOTS * _SLOT.size)
        self._offset = slot * _SLOT.size

    @staticmethod
    def create() -> int:
        """A file without a name, as a descriptor that children may inherit."""
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
        os.ftruncate(fd, SLOTS * _SLOT.size)
        return fd

    def count(self, status: int) -> None:
        counts = list(_SLOT.unpack_from(self._map, self._offset))
        for name in ("total", f"{status // 100}xx", str(status)):
            if name in NAMES:
                counts[NAMES.index(name)] += 1
        _SLOT.pack_into(self._map, self._offset, *counts)

    def totals(self) -> dict[str, int]:
        slots = (_SLOT.unpack_from(self._map, slot * _SLOT.size) for slot in range(SLOTS))
        return dict(zip(NAMES, (sum(column) for column in zip(*slots))))

    def fold(self, slot: int) -> None:
        """In the supervisor: what an ended instance has counted moves to the first slot, and its own is free."""
        left = _SLOT.unpack_from(self._map, slot * _SLOT.size)
        kept = _SLOT.unpack_from(self._map, 0)
        _SLOT.pack_into(self._map, 0, *(a + b for a, b in zip(kept, left)))
        _SLOT.pack_into(self._map, slot * _SLOT.size, *([0] * len(NAMES)))
