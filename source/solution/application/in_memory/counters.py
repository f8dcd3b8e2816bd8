"""Counters in dictionaries."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from solution.application.ports.counters import (
    COUNTED_METRICS,
    MAX_SLOTS_PER_COMMIT,
    Memory,
    Pulse,
    SeenSlot,
    Tally,
)

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
        self._counted_from: dict[str, int] = {}
        self._seen: dict[tuple[str, int], SeenSlot] = {}
        self._pulses: dict[str, Pulse] = {}

    def read(self, run: str) -> Tally | None:
        if run not in self._archives:
            return None
        return Tally(archives=dict(self._archives[run]), size=dict(self._size[run]))

    def memory(self, run: str, slots: Collection[int]) -> Memory:
        seen = {slot: self._seen[run, slot] for slot in slots if (run, slot) in self._seen}
        return Memory(counted_from=self._counted_from.get(run, 0), slots=seen)

    def commit(self, run: str, delta: Tally, updates: Collection[SlotUpdate], *, counted_from: int) -> bool:
        if len(updates) > MAX_SLOTS_PER_COMMIT:
            raise ValueError(f"{len(updates)} slots do not fit into one commit of {MAX_SLOTS_PER_COMMIT}")
        if self.conflicts:
            self.conflicts -= 1
            return False
        empty = SeenSlot(version=0, ids=frozenset())
        if counted_from != self._counted_from.get(run, 0):
            return False
        if any(self._seen.get((run, update.slot), empty).version != update.version for update in updates):
            return False
        for update in updates:
            ids = self._seen.get((run, update.slot), empty).ids | set(update.ids)
            self._seen[run, update.slot] = SeenSlot(version=update.version + 1, ids=ids)
        self.add(run, delta)
        return True

    def restate(self, run: str, tally: Tally, *, counted_from: int) -> bool:
        if run not in self._archives or self._counted_from.get(run, 0) >= counted_from:
            return False
        for metric in COUNTED_METRICS:
            self._archives[run][metric] = tally.count(metric)
            self._size[run][metric] = tally.size.get(metric, 0)
        self._counted_from[run] = counted_from
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
