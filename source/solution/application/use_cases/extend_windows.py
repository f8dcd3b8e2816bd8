"""Ask again for staged archives whose download window is about to close."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from solution.application.use_cases.asking import Wish
from solution.application.use_cases.claims import Claims
from solution.domain.pacing import needs_extension
from solution.domain.status import ArchiveStatus

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from solution.application.ports.clock import Clock, Deadline
    from solution.application.ports.records import ArchiveRecord, Outcome, TransferRecords
    from solution.application.use_cases.allowance import Allowance
    from solution.application.use_cases.asking import JobAsker
    from solution.application.use_cases.standing import Standing
    from solution.contract.messages import WorkBatch

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended:
    """Archives whose open window is being extended, and archives asked for anew because it had closed."""

    extended: int
    requested_again: int


class ExtendWindows:
    """A new job on a staged archive costs nothing and moves its window; a closed window needs a new retrieval, which
    counts against the budget: what that does not allow for is left to the next tick.

    The rule that starts this ticks more often than a job takes, and than a million archives take: two executions may
    overlap. So it is noted with each archive before it is asked for (`Claims`), by one of them, and the archive is left
    alone until the answer is long overdue.
    """

    _OVERDUE_THRESHOLDS = 3
    _AT_WORK = 20
    """For a twentieth of the threshold, 15 minutes, an execution may still be about to ask for a closed window."""

    def __init__(
        self,
        *,
        records: TransferRecords,
        standing: Standing,
        allowance: Allowance,
        asker: JobAsker,
        clock: Clock,
        threshold: timedelta,
    ) -> None:
        """Windows with less than ``threshold`` left are extended."""
        self._records = records
        self._standing = standing
        self._allowance = allowance
        self._asker = asker
        self._clock = clock
        self._threshold = threshold

    def __call__(self, batch: WorkBatch, deadline: Deadline) -> Extended:
        """Nothing is asked for once the run ends.

        Raises `Throttled` when Glacier still throttles at the deadline; what was asked for is remembered by then.
        """
        run = batch.workflow_run
        if why := self._standing.over(run):
            _log.info("No window is extended", extra={"reason": why})
            return Extended(extended=0, requested_again=0)
        now = self._clock.now()
        due = {
            archive_id: record
            for archive_id, record in self._records.load_many(run, batch.archive_ids).items()
            if self._is_due(record, now)
        }
        counts = {True: 0, False: 0}

        def settle(outcomes: list[Outcome]) -> None:
            for outcome in outcomes:
                record = due[outcome.archive_id]
                is_open = _is_open(record, now)
                counts[is_open] += self._settle(record, outcome, is_open=is_open)

        wishes = [
            Wish(
                archive_id=record.archive_id,
                vault=record.vault_name,
                tier=batch.tier or record.tier,
                cost=0 if _is_open(record, now) else record.archive.size,
            )
            for record in due.values()
        ]
        wishes.sort(key=lambda wish: wish.cost > 0)  # those that cost no budget first
        go_on = partial(self._standing.goes_on, run)
        claims = Claims(records=self._records, clock=self._clock, seen=due)
        self._allowance.ask(self._asker, run, wishes, deadline=deadline, settle=settle, go_on=go_on, claims=claims)
        return Extended(extended=counts[True], requested_again=counts[False])

    def _is_due(self, record: ArchiveRecord, now: datetime) -> bool:
        if record.status is not ArchiveStatus.STAGED or record.job_id is None or record.window_end is None:
            return False
        if not needs_extension(end=record.window_end, now=now, threshold=self._threshold):
            return False
        asked = record.requested_at
        if asked is None or asked < record.window_end - self._threshold:
            return True
        if record.staged_at is not None and asked <= record.staged_at:
            # The window closed long before its time, and what was asked for by then was the retrieval itself.
            return True
        if asked >= record.window_end:
            # Asked for anew, it would be staged no longer: whoever claimed it is at work, or has died.
            return now - asked > self._threshold / self._AT_WORK
        return now - asked > self._OVERDUE_THRESHOLDS * self._threshold

    def _settle(self, record: ArchiveRecord, outcome: Outcome, *, is_open: bool) -> bool:
        run, archive_id, job_id = record.run, record.archive_id, record.job_id
        if job_id is None:
            return False
        if outcome.job_id is None:
            reason = outcome.failure or "Glacier gave neither a job nor a reason"
            _log.warning("A download window cannot be extended", extra={"archive_id": archive_id, "reason": reason})
            if not is_open:
                reason = f"the download window closed and {reason}"
                self._records.fail(run, archive_id, reason=reason, job_id=job_id)
            return False
        if is_open:
            return True
        return self._records.request_again(
            run, archive_id, expired_job=job_id, new_job=outcome.job_id, now=self._clock.now()
        )


def _is_open(record: ArchiveRecord, now: datetime) -> bool:
    return record.window_end is not None and record.window_end > now
