"""Ask Glacier for a batch of archives."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from solution.application.ports.records import RECLAIM_FROM, ArchiveRecord, Outcome
from solution.application.use_cases.asking import Wish
from solution.domain.chunk_plan import MIB, plan_chunks
from solution.domain.errors import InvalidInput, QuotaUsed, TransientError
from solution.domain.status import ArchiveStatus

if TYPE_CHECKING:
    from solution.application.ports.clock import Clock, Deadline
    from solution.application.ports.records import TransferRecords
    from solution.application.use_cases.allowance import Allowance
    from solution.application.use_cases.asking import JobAsker
    from solution.application.use_cases.standing import Standing
    from solution.contract.messages import RetrievalBatch
    from solution.domain.archive import Archive

_log = logging.getLogger(__name__)

_CLAIMS_TRIED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """How many archives of a batch were asked for, given up, and left alone because they had been asked for before."""

    requested: int
    failed: int
    already: int


@dataclass(slots=True)
class _Tally:
    requested: int = 0
    failed: int = 0


class RequestArchives:
    """The record comes first, then the job, then its id into the record: no job can exist without a record.

    A record left in ``requesting`` by an invocation that died is asked for again, every other one of this attempt is
    left alone, failed ones too; so a repeated batch asks only for what was not asked.

    Every record that is claimed bears the number of the run's attempt, by which its changes are counted. A resume stops
    all that the attempt before left unfinished, but an invocation of that attempt may still be at work. What it has
    claimed before the resume registered itself is stopped with the rest. What it claims later is never asked for by
    it, since it looks after claiming whether its attempt is over, and is adopted by the new attempt.

    Once the run ends, nothing is claimed and nothing asked for: it is looked at before the claim, after it, and every
    few seconds while asking (`Standing`). What was claimed by then is stopped by the clean-up.
    """

    def __init__(
        self,
        *,
        records: TransferRecords,
        standing: Standing,
        allowance: Allowance,
        asker: JobAsker,
        clock: Clock,
        chunk_size_mib: int,
    ) -> None:
        """Archives are cut into chunks of ``chunk_size_mib``, larger where 10,000 would not suffice."""
        self._records = records
        self._standing = standing
        self._allowance = allowance
        self._asker = asker
        self._clock = clock
        self._chunk_size_mib = chunk_size_mib

    def __call__(self, batch: RetrievalBatch, deadline: Deadline) -> Requested:
        """Ask for the archives of the batch that were not asked for yet, in order.

        Raises:
            QuotaUsed: the budget does not allow for all of them now; those it allows for have been asked for.
            Throttled: Glacier still throttles at the deadline. All outcomes are written down by then.
            NotPossible: the run has ended, or is ending, or a later attempt has taken it over.
        """
        run = batch.workflow_run
        archives = {archive.archive_id: archive for archive in batch.archives}
        self._standing.check(run, attempt=batch.attempt)
        mine = self._claim(batch, archives)
        self._standing.check(run, attempt=batch.attempt, afresh=True)
        tally = _Tally()

        def settle(outcomes: list[Outcome]) -> None:
            self._records.settle(run, outcomes, self._clock.now())
            failures = [outcome for outcome in outcomes if outcome.failure is not None]
            tally.failed += len(failures)
            tally.requested += len(outcomes) - len(failures)
            for outcome in failures:
                _log.warning(
                    "An archive cannot be retrieved",
                    extra={"archive_id": outcome.archive_id, "reason": outcome.failure},
                )

        refused = [
            Outcome(archive_id=archive_id, failure=reason)
            for archive_id in mine
            if (reason := _impossible(archives[archive_id]))
        ]
        if refused:
            settle(refused)
        hopeless = {outcome.archive_id for outcome in refused}
        wishes = [
            Wish(archive_id=archive_id, vault=batch.vault_name, tier=batch.tier, cost=archive.size)
            for archive_id, archive in archives.items()
            if archive_id in mine and archive_id not in hopeless
        ]
        try:
            go_on = partial(self._standing.goes_on, run, attempt=batch.attempt)
            allowed = self._allowance.ask(self._asker, run, wishes, deadline=deadline, settle=settle, go_on=go_on)
        finally:
            _log.info(
                "Archives asked for",
                extra={"requested": tally.requested, "failed": tally.failed, "batch_size": len(archives)},
            )
        self._standing.check(run, attempt=batch.attempt)
        if allowed < len(wishes):
            raise QuotaUsed(f"{len(wishes) - allowed} of {len(archives)} archives must wait until the budget allows")
        return Requested(requested=tally.requested, failed=tally.failed, already=len(archives) - len(mine))

    def _claim(self, batch: RetrievalBatch, archives: dict[str, Archive]) -> set[str]:
        """The archives that are to be asked for now: those of the batch in ``requesting``, by this attempt."""
        mine: set[str] = set()
        pending = set(archives)
        for _ in range(_CLAIMS_TRIED):
            known = self._records.load_many(batch.workflow_run, pending)
            mine |= {
                record.archive_id
                for record in known.values()
                if record.status is ArchiveStatus.REQUESTING and record.attempt == batch.attempt
            }
            unknown = [self._record(batch, archives[one]) for one in archives if one in pending and one not in known]
            again = {one: record for one, record in known.items() if _may_be_reclaimed(record, batch.attempt)}
            claimed = (self._records.create(unknown) if unknown else set()) | self._reclaim(batch, archives, again)
            mine |= claimed
            pending = {record.archive_id for record in unknown} | again.keys()
            pending -= claimed
            if not pending:
                return mine
            # Another invocation, perhaps of the attempt before, was faster: what it has made of them decides.
        raise TransientError(f"{len(pending)} records of run {batch.workflow_run!r} changed whenever they were claimed")

    def _reclaim(
        self, batch: RetrievalBatch, archives: dict[str, Archive], again: dict[str, ArchiveRecord]
    ) -> set[str]:
        if not again:
            return set()
        for record in again.values():
            if record.upload_id is not None:
                self._records.forget_parts(batch.workflow_run, record.archive_id)
        claims = [self._record(batch, archives[archive_id]) for archive_id in again]
        return self._records.reclaim(claims, seen=again)

    def _record(self, batch: RetrievalBatch, archive: Archive) -> ArchiveRecord:
        if _impossible(archive):
            chunk_size, count = self._chunk_size_mib * MIB, 1
        else:
            plan = plan_chunks(archive.size, self._chunk_size_mib)
            chunk_size, count = plan.chunk_size, plan.count
        return ArchiveRecord(
            run=batch.workflow_run,
            archive=archive,
            status=ArchiveStatus.REQUESTING,
            vault_name=batch.vault_name,
            tier=batch.tier,
            storage_class=batch.s3_storage_class,
            chunk_size=chunk_size,
            chunk_count=count,
            requested_at=self._clock.now(),
            attempt=batch.attempt,
        )


def _may_be_reclaimed(record: ArchiveRecord, attempt: int) -> bool:
    # a resume stops first what it will ask for; what has failed in this attempt has been asked for and paid
    newest = attempt if record.status is ArchiveStatus.STOPPED else attempt - 1
    return record.status in RECLAIM_FROM and record.attempt <= newest


def _impossible(archive: Archive) -> str | None:
    try:
        plan_chunks(archive.size, 4096)
    except InvalidInput as error:
        return str(error)
    return None
