"""One run from the first request to the last copy."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from solution.simulation.copies import SLOT_SECONDS, Copies
from solution.simulation.requests import Batch, LowerBound, Requests, StretchMeter
from solution.simulation.scenario import Scenario

_SPREADS: Final = 64
"""So many ways in which the archives of a batch may be staged; each spreads them evenly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a run. Times in seconds from the first request's batch, sizes in bytes.

    Attributes:
        archives: copied, all of them.
        size: bytes copied.
        makespan: when the last archive was copied.
        last_request: when the last archive was asked for.
        bound: the earliest moment at which it could have been, given budget, rate and order.
        slowest_staging: the longest that Glacier takes; with ``bound`` it is what the makespan is compared with.
        most_in_a_period: most bytes asked for in any stretch of a quota period.
        by_period: bytes asked for in each period from the start.
        waits: how often asking waited for the budget.
        waited: for how long in all.
        most_staged: most archives that were staged and not yet copied.
        most_staged_bytes: likewise, bytes.
        longest_wait: longest time from staged to copied.
        extensions: archives asked for again before or because their window closed.
        closed: of these, how often an archive's window closed before it was copied.
    """

    archives: int
    size: int
    makespan: float
    last_request: float
    bound: float
    slowest_staging: float
    most_in_a_period: int
    by_period: tuple[int, ...]
    waits: int
    waited: float
    most_staged: int
    most_staged_bytes: int
    longest_wait: float
    extensions: int
    closed: int

    @property
    def excess(self) -> float:
        """Seconds by which it took longer than bound and one staging time; negative if shorter."""
        return self.makespan - self.slowest_staging - self.bound

    @property
    def over_bound(self) -> float:
        """The excess as a share of the bound."""
        return self.excess / self.bound if self.bound else 0.0


class _Stagings:
    """Archives and bytes by the minute in which they become staged."""

    def __init__(self, scenario: Scenario) -> None:
        rng = random.Random(scenario.seed)  # noqa: S311 - makes staging times, keeps no secret
        span = scenario.staging.most - scenario.staging.least
        self._spreads = []
        for _ in range(_SPREADS):
            shift = rng.random()
            slots = [
                int((scenario.staging.least + span * ((place + shift) / scenario.batch)) // SLOT_SECONDS)
                for place in range(scenario.batch)
            ]
            rng.shuffle(slots)
            self._spreads.append(slots)
        self._choice = rng.randrange
        self.archives: list[int] = []
        self.size: list[int] = []

    def add(self, batch: Batch) -> None:
        """Spread the archives of a batch over what Glacier takes."""
        # the minute after the one in which the last of them was asked for
        first = int(batch.ended // SLOT_SECONDS) + 1
        spread = self._spreads[self._choice(_SPREADS)]
        missing = first + max(spread) + 1 - len(self.archives)
        if missing > 0:
            self.archives += [0] * missing
            self.size += [0] * missing
        archives, sizes = self.archives, self.size
        for size, later in zip(batch.sizes, spread, strict=False):
            slot = first + later
            archives[slot] += 1
            sizes[slot] += size


def simulate(sizes: Iterable[int], scenario: Scenario) -> Outcome:
    """Copy archives of these sizes, given in the order in which they are asked for."""
    requests = Requests(scenario)
    period = scenario.budget.period.total_seconds()
    meter, bound = StretchMeter(period), LowerBound(scenario.budget, scenario.jobs_per_second)
    stagings = _Stagings(scenario)
    archives = size = 0
    for batch in requests.batches(sizes):
        meter.add(batch)
        bound.add(batch.sizes)
        stagings.add(batch)
        archives, size = archives + len(batch.sizes), size + batch.size
    last_request = requests.clock.seconds
    copies = Copies(scenario)
    for slot, (count, volume) in enumerate(zip(stagings.archives, stagings.size, strict=True)):
        copies.pass_slot(slot, count, volume)
    slot = len(stagings.archives)
    while not copies.idle:
        copies.pass_slot(slot, 0, 0)
        slot += 1
    return Outcome(
        archives=copies.copied,
        size=copies.copied_bytes,
        makespan=copies.finished,
        last_request=last_request,
        bound=bound.last,
        slowest_staging=scenario.staging.most,
        most_in_a_period=meter.most,
        by_period=tuple(meter.by_period),
        waits=requests.waits,
        waited=requests.waited,
        most_staged=copies.most_staged,
        most_staged_bytes=copies.most_staged_bytes,
        longest_wait=copies.longest_wait,
        extensions=copies.extensions,
        closed=copies.closed,
    )
