"""Counters of a run, and the memory that keeps them exact when the stream is replayed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

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
class Memory:
    """What is counted already: ``slots`` by number, absent ones being empty, and all of attempts before this one.

    `solution.contract.tables.COUNTED_FROM` says what ``counted_from`` means.
    """

    counted_from: int
    slots: Mapping[int, SeenSlot]


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

    def memory(self, run: str, slots: Collection[int]) -> Memory:
        """What is remembered of each of these slots. Consistent."""
        ...

    def commit(self, run: str, delta: Tally, updates: Collection[SlotUpdate], *, counted_from: int) -> bool:
        """Add to the counters and remember the ids, both or neither.

        False, and nothing is changed, when a slot has another version by now, or the counters are counted from another
        attempt. Takes at most `MAX_SLOTS_PER_COMMIT` slots.
        """
        ...

    def restate(self, run: str, tally: Tally, *, counted_from: int) -> bool:
        """Set `COUNTED_METRICS` to ``tally``, which holds all archives of attempts before ``counted_from``.

        False, and nothing is changed, when the counters are counted from that attempt or a later one already, or the
        run has no counters.
        """
        ...

    def pulse(self, run: str) -> Pulse | None:
        """The last pulse."""
        ...

    def keep_pulse(self, run: str, pulse: Pulse) -> None:
        """Replace the pulse."""
        ...


COUNTED_METRICS: Final = (Metric.REQUESTED, Metric.STAGED, Metric.DOWNLOADED, Metric.FAILED)
"""What follows from the states of archives; the others are stated by the inventory job."""

MAX_SLOTS_PER_COMMIT = 99
"""A DynamoDB transaction holds 100 items; one of them is the counters."""
