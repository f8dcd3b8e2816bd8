"""May these archives be asked for now, and whose turn is it? Asked before every request, by all runs, of one ledger."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from solution.domain.errors import InvalidInput, Throttled
from solution.domain.pacing import admit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solution.application.ports.clock import Clock, Deadline
    from solution.application.ports.quota import QuotaLedger
    from solution.application.use_cases.backoff import FullJitter
    from solution.domain.pacing import Budget

_log = logging.getLogger(__name__)

_ATTEMPTS: Final = 20


class Allowance:
    """Enters archives into the ledger before they are asked for.

    What dies between the entry and the request was entered for nothing, so the budget may be used less than fully,
    never more. Two writers at once read the same version; one of them writes, the other reads again.
    """

    def __init__(
        self, *, ledger: QuotaLedger, clock: Clock, jitter: FullJitter, budget: Budget, jobs_per_second: float
    ) -> None:
        """``jobs_per_second`` is what all runs together may ask for."""
        if jobs_per_second <= 0:
            raise InvalidInput(f"{jobs_per_second} jobs per second lets nothing through; it must be positive")
        self._ledger = ledger
        self._clock = clock
        self._jitter = jitter
        self._budget = budget
        self._each = timedelta(seconds=1 / jobs_per_second)

    def take(self, sizes: Sequence[int]) -> int:
        """How many archives of these sizes, from the first, may be asked for; an `until` of before says how long.

        Size 0 stands for a request that costs no budget. Waits for the turn, which other runs' requests may delay.
        Raises `Throttled` when other runs write the ledger all the time.
        """
        if not sizes:
            return 0
        for attempt in range(_ATTEMPTS):
            page = self._ledger.read()
            now = self._clock.now()
            admission = admit(page.ledger, self._budget, sizes, now, each=self._each)
            if not admission.count:
                _log.info("The retrieval budget is used", extra={"weighing_bytes": admission.ledger.size})
                return 0
            expires = now + 2 * (self._budget.period + self._budget.grace)
            if self._ledger.replace(admission.ledger, version=page.version, expires=expires):
                self._clock.sleep(admission.delay.total_seconds())
                return admission.count
            self._clock.sleep(self._jitter.delay(attempt))
        raise Throttled(f"the quota's ledger changed between reading and writing {_ATTEMPTS} times in a row")

    def until(self, deadline: Deadline) -> Deadline:
        """Until when what is taken from now on may be asked for; not later than ``deadline``."""
        own = type(deadline).after(self._clock, self._budget.grace.total_seconds())
        return min(deadline, own, key=lambda one: one.at)
