"""How long to wait before more archives may be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solution.domain.pacing import seconds_until_more

if TYPE_CHECKING:
    from solution.application.ports.clock import Clock
    from solution.application.ports.quota import QuotaLedger
    from solution.domain.pacing import Budget


class CalculateTimeout:
    """Asked when the budget did not allow for all archives of a batch."""

    def __init__(self, *, ledger: QuotaLedger, clock: Clock, budget: Budget) -> None:
        self._ledger = ledger
        self._clock = clock
        self._budget = budget

    def __call__(self) -> int:
        """Whole seconds, at least one. Afterwards there is more room, though others may have been faster to take it."""
        return seconds_until_more(self._ledger.read().ledger, self._budget, self._clock.now())
