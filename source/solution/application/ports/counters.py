"""Counters of a run, and the memory that keeps them exact when the stream is replayed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from solution.domain.status import Metric

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Archives and bytes per metric; absent ones are 0."""

    archives: Mapping[Metric, int] = field(default_factory=dict)
    size: Mapping[Metric, int] = field(default_factory=dict)

    def count(self, metric: Metric) -> int:
        """Archives counted under ``metric``."""
        return self.archives.get(metric, 0)

    @property
    def ended(self) -> int:
        """Archives that are copied or given up."""
        return self.count(Metric.DOWNLOADED) + self.count(Metric.FAILED)

    @property
    def missing(self) -> int:
        """Archives of which nothing final is known yet; the total also counts those that are never asked for."""
        return self.count(Metric.TOTAL) - self.count(Metric.SKIPPED) - self.count(Metric.REJECTED) - self.ended

    @property
    def complete(self) -> bool:
        """Whether every archive has ended."""
        return self.missing == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSlot:
    """Stream records of one second that are counted already; ``version`` is 0 while there are none."""

    version: int
    ids: frozenset[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotUpdate:
    """Ids to remember in a slot, if it still has ``version``."""

    slot: int
    version: int
    ids: Collection[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What the counters were when they last moved, as seen by one execution."""

    execution_name: str
    tally: Tally
    moved_at: datetime


class Counters(Protocol):
    """MetricTable."""

    def read(self, run: str) -> Tally | None:
        """The run's counters; None before the inventory has been counted. Consistent."""
        ...

    def seen(self, run: str, slots: Collection[int]) -> dict[int, SeenSlot]:
        """What is remembered of each of these slots. Consistent."""
        ...

    def commit(self, run: str, delta: Tally, updates: Collection[SlotUpdate]) -> bool:
        """Add to the counters and remember the ids, both or neither; False when a slot has another version by now.

        Takes at most `MAX_SLOTS_PER_COMMIT` slots.
        """
        ...

    def pulse(self, run: str) -> Pulse | None:
        """The last pulse."""
        ...

    def keep_pulse(self, run: str, pulse: Pulse) -> None:
        """Replace the pulse."""
        ...


MAX_SLOTS_PER_COMMIT = 99
"""A DynamoDB transaction holds 100 items; one of them is the counters."""
