"""Ask Glacier what became of retrievals that it has said nothing of for too long."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from solution.application.use_cases.asking import Question, Wish
from solution.application.use_cases.claims import Claims
from solution.contract.messages import GlacierNotification
from solution.domain.status import ArchiveStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from solution.application.ports.clock import Clock, Deadline
    from solution.application.ports.glacier import JobState
    from solution.application.ports.queues import MessageQueue
    from solution.application.ports.records import ArchiveRecord, Outcome, TransferRecords
    from solution.application.use_cases.allowance import Allowance
    from solution.application.use_cases.asking import Answer, JobAsker
    from solution.application.use_cases.standing import Standing
    from solution.contract.messages import WorkBatch
    from solution.domain.archive import Tier

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedUp:
    """Retrievals that had ended, those still under way, and archives asked for anew since their job was gone."""

    announced: int
    under_way: int
    renewed: int


class FollowUpRetrievals:
    """Notifications can get lost; a job that has ended is announced once more, by us.

    The notification that Glacier should have sent is put into the queue in which it should have arrived, so one piece
    of code acts on both, and it makes no difference should Glacier's own come after all. A job that Glacier no longer
    knows is a retrieval that has come to nothing: the archive is asked for anew, which counts against the budget; what
    that does not allow for is left to the next tick. A job that is under way is left alone for as long again.
    """

    def __init__(
        self,
        *,
        records: TransferRecords,
        standing: Standing,
        allowance: Allowance,
        asker: JobAsker,
        notifications: MessageQueue,
        clock: Clock,
        overdue: Mapping[Tier, timedelta],
    ) -> None:
        """``overdue``: for how long Glacier may be silent, by tier; more than a retrieval usually takes."""
        self._records = records
        self._standing = standing
        self._allowance = allowance
        self._asker = asker
        self._notifications = notifications
        self._clock = clock
        self._overdue = overdue

    def __call__(self, batch: WorkBatch, deadline: Deadline) -> FollowedUp:
        """Of a run that ends, nothing is asked any more.

        Raises `Throttled` when Glacier still throttles at the deadline; what it had said is acted on by then.
        """
        if why := self._standing.over(batch.workflow_run):
            _log.info("Glacier is not asked", extra={"reason": why})
            return FollowedUp(announced=0, under_way=0, renewed=0)
        now = self._clock.now()
        due: dict[str, ArchiveRecord] = {}
        questions: list[Question] = []
        for archive_id, record in self._records.load_many(batch.workflow_run, batch.archive_ids).items():
            if record.job_id is not None and self._is_due(record, now):
                due[archive_id] = record
                questions.append(Question(archive_id=archive_id, vault=record.vault_name, job_id=record.job_id))
        gone: list[ArchiveRecord] = []
        counts = {True: 0, False: 0}

        def settle(answers: list[Answer]) -> None:
            gone.extend(due[answer.archive_id] for answer in answers if answer.state is None)
            known = [(due[answer.archive_id], answer.state) for answer in answers if answer.state is not None]
            self._announce([(record, state) for record, state in known if state.completed])
            for record, state in known:
                counts[state.completed] += 1
                if not state.completed:
                    self._note(record)

        try:
            self._asker.look(questions, deadline=deadline, settle=settle)
        finally:
            if due:
                extra = {"ended": counts[True], "under_way": counts[False], "gone": len(gone), "overdue": len(due)}
                _log.warning("Glacier was asked about retrievals that it had said nothing of", extra=extra)
        return FollowedUp(announced=counts[True], under_way=counts[False], renewed=self._renew(batch, gone, deadline))

    def _is_due(self, record: ArchiveRecord, now: datetime) -> bool:
        asked, silence = record.requested_at, self._overdue.get(record.tier)
        if record.status is not ArchiveStatus.REQUESTED or asked is None or silence is None:
            return False
        return now - asked > silence

    def _announce(self, ended: Sequence[tuple[ArchiveRecord, JobState]]) -> None:
        if not ended:
            return
        refused = set(self._notifications.send([_notification(record, state).dump() for record, state in ended]))
        for position, (record, _) in enumerate(ended):
            if position not in refused:
                self._note(record)

    def _note(self, record: ArchiveRecord) -> None:
        if record.job_id is not None:
            self._records.note_asked(record.run, record.archive_id, job_id=record.job_id, now=self._clock.now())

    def _renew(self, batch: WorkBatch, gone: Sequence[ArchiveRecord], deadline: Deadline) -> int:
        by_id = {record.archive_id: record for record in gone}
        renewed = 0

        def settle(outcomes: list[Outcome]) -> None:
            nonlocal renewed
            for outcome in outcomes:
                renewed += self._replace_job(by_id[outcome.archive_id], outcome)

        wishes = [
            Wish(archive_id=record.archive_id, vault=record.vault_name, tier=record.tier, cost=record.archive.size)
            for record in gone
        ]
        run = batch.workflow_run
        go_on = partial(self._standing.goes_on, run)
        claims = Claims(records=self._records, clock=self._clock, seen=by_id)
        self._allowance.ask(self._asker, run, wishes, deadline=deadline, settle=settle, go_on=go_on, claims=claims)
        return renewed

    def _replace_job(self, record: ArchiveRecord, outcome: Outcome) -> bool:
        run, archive_id, job_id = record.run, record.archive_id, record.job_id
        if job_id is None:
            return False
        if outcome.job_id is None:
            reason = outcome.failure or "Glacier gave neither a job nor a reason"
            self._records.fail(run, archive_id, reason=reason, job_id=job_id)
            return False
        return self._records.request_again(
            run, archive_id, expired_job=job_id, new_job=outcome.job_id, now=self._clock.now()
        )


def _notification(record: ArchiveRecord, state: JobState) -> GlacierNotification:
    return GlacierNotification(
        action="ArchiveRetrieval",
        job_id=state.job_id,
        run=record.run,
        succeeded=state.succeeded,
        status_code="Succeeded" if state.succeeded else "Failed",
        status_message=state.status_message,
        completion_date=state.completion_date,
        archive_id=record.archive_id,
        archive_size=record.archive.size,
        inventory_size=None,
        tree_hash=record.archive.tree_hash,
    )
