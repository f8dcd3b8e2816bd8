"""Counters in dictionaries."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from solution.application.ports.counters import MAX_SLOTS_PER_COMMIT, Pulse, SeenSlot, Tally

if TYPE_CHECKING:
    from collections.abc import Collection

    from solution.application.ports.counters import SlotUpdate
    from solution.domain.status import Metric


class InMemoryCounters:
    """`solution.application.ports.counters.Counters`; ``conflicts`` makes that many commits fail."""

    def __init__(self) -> None:
        self.conflicts = 0
        self._archives: dict[str, Counter[Metric]] = {}
        self._size: dict[str, Counter[Metric]] = {}
        self._seen: dict[tuple[str, int], SeenSlot] = {}
        self._pulses: dict[str, Pulse] = {}

    def read(self, run: str) -> Tally | None:
        if run not in self._archives:
            return None
        return Tally(archives=dict(self._archives[run]), size=dict(self._size[run]))

    def seen(self, run: str, slots: Collection[int]) -> dict[int, SeenSlot]:
        return {slot: self._seen[run, slot] for slot in slots if (run, slot) in self._seen}

    def commit(self, run: str, delta: Tally, updates: Collection[SlotUpdate]) -> bool:
        if len(updates) > MAX_SLOTS_PER_COMMIT:
            raise ValueError(f"{len(updates)} slots do not fit into one commit of {MAX_SLOTS_PER_COMMIT}")
        if self.conflicts:
            self.conflicts -= 1
            return False
        empty = SeenSlot(version=0, ids=frozenset())
        if any(self._seen.get((run, update.slot), empty).version != update.version for update in updates):
            return False
        for update in updates:
            ids = self._seen.get((run, update.slot), empty).ids | set(update.ids)
            self._seen[run, update.slot] = SeenSlot(version=update.version + 1, ids=ids)
        self.add(run, delta)
        return True

    def add(self, run: str, delta: Tally) -> None:
        """Add to a run's counters, as the inventory job does at first."""
        archives, size = self._archives.setdefault(run, Counter()), self._size.setdefault(run, Counter())
        for metric, count in delta.archives.items():
            archives[metric] += count
        for metric, octets in delta.size.items():
            size[metric] += octets

    def pulse(self, run: str) -> Pulse | None:
        return self._pulses.get(run)

    def keep_pulse(self, run: str, pulse: Pulse) -> None:
        self._pulses[run] = pulse
