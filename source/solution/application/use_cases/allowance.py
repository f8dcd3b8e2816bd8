"""May these archives be asked for now, and whose turn is it? Asked before every request, by all runs, of one ledger."""

from __future__ import annotations

import contextlib
import logging
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from solution.domain.costs import Asked
from solution.domain.errors import InvalidInput, QuotaUsed, Throttled
from solution.domain.pacing import admit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from solution.application.ports.clock import Clock, Deadline
    from solution.application.ports.expenses import Expenses
    from solution.application.ports.quota import LedgerPage, QuotaLedger
    from solution.application.ports.records import Outcome
    from solution.application.use_cases.asking import JobAsker, Wish
    from solution.application.use_cases.backoff import FullJitter
    from solution.application.use_cases.claims import Claims
    from solution.domain.archive import Tier
    from solution.domain.pacing import Admission, Budget, Ledger

_log = logging.getLogger(__name__)

_ATTEMPTS: Final = 20

_BY_RULE: Final = "|rule"
"""Behind a run's id: the same run asking by rule waits for itself."""

_TICKS: Final = 12
"""In a twelfth of a period, two hours of a day, a rule has ticked again."""


class Allowance:
    """Enters archives into the ledger before they are asked for.

    What Glacier has refused to hear, for it throttles, is taken out again. What dies between the entry and the request
    was entered for nothing, so the budget may be used less than fully, never more. Two writers at once read the same
    version; one of them writes, the other reads again.
    """

    def __init__(
        self,
        *,
        ledger: QuotaLedger,
        expenses: Expenses,
        clock: Clock,
        jitter: FullJitter,
        budget: Budget,
        jobs_per_second: float,
    ) -> None:
        """``jobs_per_second`` is what all runs together may ask for."""
        if jobs_per_second <= 0:
            raise InvalidInput(f"{jobs_per_second} jobs per second lets nothing through; it must be positive")
        self._ledger = ledger
        self._expenses = expenses
        self._clock = clock
        self._jitter = jitter
        self._budget = budget
        self._lock = threading.Lock()
        self._each = timedelta(seconds=1 / jobs_per_second)

    def ask(
        self,
        asker: JobAsker,
        run: str,
        wishes: Sequence[Wish],
        *,
        deadline: Deadline,
        settle: Callable[[list[Outcome]], None],
        go_on: Callable[[], bool],
        claims: Claims | None = None,
    ) -> int:
        """Ask for as many wishes, from the first, as the budget allows for now; returns how many have an outcome.

        ``go_on`` is asked before each request, and may end it. With ``claims`` a rule asks: what it has not claimed is
        left to who has, and if it is refused it comes back with the next tick, not when `CalculateTimeout` says.
        Raises as `JobAsker.ask` does, and as `take`.
        """
        until = self.until(deadline)
        owner = f"{run}{_BY_RULE}" if claims else run
        admission = self._admit([wish.cost for wish in wishes], owner, by_rule=claims is not None)
        if admission is None:
            return 0
        settled = 0
        spent: dict[Tier, Asked] = {}
        by_id = {wish.archive_id: wish for wish in wishes}

        def count(outcomes: list[Outcome]) -> None:
            nonlocal settled
            for wish in (by_id[outcome.archive_id] for outcome in outcomes if outcome.job_id is not None):
                before = spent.get(wish.tier, Asked())
                spent[wish.tier] = Asked(requests=before.requests + 1, size=before.size + wish.cost)
            settle(outcomes)
            settled += len(outcomes)

        def enter_again(wish: Wish) -> None:
            with self._lock:
                if not self.take([wish.cost], owner=owner):
                    raise QuotaUsed(
                        f"Glacier has not answered, and the budget does not allow for {wish.archive_id} again"
                    )

        admitted = wishes[: admission.count]
        mine = claims.claim(admitted) if claims else admitted

        def give_back(unheard: Sequence[Wish]) -> None:
            if claims:
                claims.release(unheard)
            others = sum(wish.cost for wish in admitted) - sum(wish.cost for wish in mine)
            self._give_back(admission.moment, others + sum(wish.cost for wish in unheard))

        try:
            with contextlib.suppress(QuotaUsed):
                asker.ask(
                    run,
                    mine,
                    deadline=until,
                    settle=count,
                    enter_again=enter_again,
                    unheard=give_back,
                    go_on=go_on,
                )
        finally:
            for tier, asked in spent.items():
                self._note(run, tier, asked)
        return settled

    def _note(self, run: str, tier: Tier, asked: Asked) -> None:
        try:
            self._expenses.add(run, tier, asked)
        except Exception:  # noqa: BLE001 - a batch must not fail for want of a note about its cost
            _log.exception("What Glacier was asked for is missing from the cost of the run", extra={"tier": tier})

    def take(self, sizes: Sequence[int], *, owner: str = "") -> int:
        """How many archives of these sizes, from the first, may be asked for; an `until` of before says how long.

        Size 0 stands for a request that costs no budget. An ``owner`` with a name that gets none is served before those
        who come after it. Waits for the turn, which other runs' requests may delay.
        Raises `Throttled` when other runs write the ledger all the time.
        """
        admission = self._admit(sizes, owner)
        return admission.count if admission else 0

    def _admit(self, sizes: Sequence[int], owner: str, *, by_rule: bool = False) -> Admission | None:
        if not sizes:
            return None
        for attempt in range(_ATTEMPTS):
            page = self._ledger.read()
            now = self._clock.now()
            admission = admit(
                page.ledger,
                self._budget,
                sizes,
                now,
                each=self._each,
                owner=owner,
                back_within=self._budget.period / _TICKS if by_rule else None,
            )
            if self._write(admission.ledger, page):
                if not admission.count:
                    _log.info(
                        "The retrieval budget is used",
                        extra={"weighing_bytes": admission.ledger.size, "waiting": len(admission.ledger.waiting)},
                    )
                    return None
                self._clock.sleep(admission.delay.total_seconds())
                return admission
            self._clock.sleep(self._jitter.delay(attempt))
        raise Throttled(f"the quota's ledger changed between reading and writing {_ATTEMPTS} times in a row")

    def _give_back(self, moment: int, size: int) -> None:
        # Once: a write that seems to have failed may have been made, and to give back twice would exceed the budget.
        if size:
            page = self._ledger.read()
            given_back = self._write(page.ledger.without(moment, size), page)
            _log.info("Budget of what Glacier did not hear", extra={"bytes": size, "given_back": given_back})

    def _write(self, ledger: Ledger, page: LedgerPage) -> bool:
        expires = self._clock.now() + 2 * (self._budget.period + self._budget.grace)
        return self._ledger.replace(ledger, version=page.version, expires=expires)

    def until(self, deadline: Deadline) -> Deadline:
        """Until when what is taken from now on may be asked for; not later than ``deadline``."""
        own = type(deadline).after(self._clock, self._budget.grace.total_seconds())
        return min(deadline, own, key=lambda one: one.at)
