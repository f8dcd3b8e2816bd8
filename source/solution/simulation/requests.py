"""Asking for all archives, batch by batch, as `InitiateRetrievalStateMachine` does it over production's pacing."""

from __future__ import annotations

import itertools
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from solution.application.in_memory.expenses import InMemoryExpenses
from solution.application.in_memory.quota import InMemoryQuotaLedger
from solution.application.ports.quota import QuotaLedger
from solution.application.use_cases.allowance import Allowance
from solution.application.use_cases.backoff import FullJitter
from solution.application.use_cases.calculate_timeout import CalculateTimeout
from solution.domain.pacing import Budget
from solution.simulation.clock import VirtualClock
from solution.simulation.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Batch:
    """Sizes of archives that were asked for between ``begun`` and ``ended`` (seconds from the start)."""

    begun: float
    ended: float
    sizes: list[int]
    size: int


@dataclass(slots=True)
class StretchMeter:
    """The most bytes in any stretch of a period; a batch counts whole wherever it touches the stretch."""

    period: float
    most: int = 0
    by_period: list[int] = field(default_factory=list)
    _within: deque[tuple[float, int]] = field(default_factory=deque)
    _size: int = 0

    def add(self, batch: Batch) -> None:
        """Batches come in the order of time."""
        self._within.append((batch.ended, batch.size))
        self._size += batch.size
        while self._within[0][0] < batch.begun - self.period:
            self._size -= self._within.popleft()[1]
        self.most = max(self.most, self._size)
        number = int(batch.begun // self.period)
        self.by_period += [0] * (number + 1 - len(self.by_period))
        self.by_period[number] += batch.size


@dataclass(slots=True)
class Requests:
    """One run's asking. ``ledger`` may be shared with others."""

    scenario: Scenario
    clock: VirtualClock = field(default_factory=VirtualClock)
    ledger: QuotaLedger = field(default_factory=InMemoryQuotaLedger)
    waits: int = 0
    waited: float = 0.0

    def batches(self, sizes: Iterable[int]) -> Iterator[Batch]:
        """What is asked for, and when; waits where the budget is used."""
        scenario, clock = self.scenario, self.clock
        allowance = Allowance(
            ledger=self.ledger,
            expenses=InMemoryExpenses(),
            clock=clock,
            jitter=FullJitter(seed=1),
            budget=scenario.budget,
            jobs_per_second=scenario.jobs_per_second,
        )
        timeout = CalculateTimeout(ledger=self.ledger, clock=clock, budget=scenario.budget)
        rows = iter(sizes)
        most = max(1, min(scenario.batch, int(scenario.budget.grace.total_seconds() * scenario.jobs_per_second)))
        while batch := list(itertools.islice(rows, most)):
            clock.sleep(scenario.seconds_between_batches)
            while batch:
                count = allowance.take(batch, owner="simulated")
                if count:
                    asked, batch = batch[:count], batch[count:]
                    begun = clock.seconds
                    clock.sleep(count / scenario.jobs_per_second)
                    yield Batch(begun, clock.seconds, asked, sum(asked))
                if batch:
                    seconds = timeout()
                    self.waits += 1
                    self.waited += seconds
                    clock.sleep(seconds)


class LowerBound:
    """The earliest moment by which anyone could have asked for the last archive, in this order.

    An archive comes at least one over the rate after the one before, and at least a period after the latest one with
    which it, and all between, would exceed the budget. Who asks as soon as both allow is never overtaken.
    """

    def __init__(self, budget: Budget, jobs_per_second: float) -> None:
        self.last = 0.0
        self._budget = budget.size
        self._period = budget.period.total_seconds()
        self._gap = 1 / jobs_per_second
        self._moments = array("d")
        self._sizes = array("Q")
        self._oldest = 0
        self._within = 0
        self._earliest = 0.0

    def add(self, sizes: Iterable[int]) -> None:
        """The next archives in order."""
        budget, period, gap = self._budget, self._period, self._gap
        moments, known = self._moments, self._sizes
        oldest, within, earliest = self._oldest, self._within, self._earliest
        for size in sizes:
            within += size
            while within > budget and oldest < len(moments):
                within -= known[oldest]
                earliest = max(earliest, moments[oldest] + period)
                oldest += 1
            moments.append(earliest)
            known.append(size)
            earliest += gap
        self._oldest, self._within, self._earliest = oldest, within, earliest
        if moments:
            self.last = moments[-1]
