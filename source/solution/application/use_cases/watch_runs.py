"""Find runs that nobody carries out any more, and have them cleaned up.

An orchestrator cleans up after itself, unless it is ended from outside: stopped by hand, timed out, lost. Then its
run's record says that it runs, and nothing else would ever change that.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from solution.application.ports.executions import ABORTED
from solution.contract.failures import RUN_STOPPED, Failure
from solution.contract.tables import RunStatus
from solution.domain.errors import TransientError

if TYPE_CHECKING:
    from solution.application.ports.clock import Clock
    from solution.application.ports.executions import Execution, Executions
    from solution.application.ports.runs import Attempt, Attempts, RunRecord, RunRecords
    from solution.application.use_cases.begin_cleanup import BeginCleanup

_log = logging.getLogger(__name__)

LATEST_WRITE: Final = timedelta(minutes=10)
"""Long after its execution has ended, the function that writes an attempt's record cannot be running any more."""

BY_HAND: Final = "the orchestrator's execution was stopped from outside"


class Found(StrEnum):
    """What a look at an attempt found."""

    GOING_ON = "going on"
    ENDED = "ended"
    BEING_CLEANED_UP = "being cleaned up"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRuns:
    """Looks at every attempt that may not be cleaned up; there are as many as runs go on, a handful."""

    attempts: Attempts
    records: RunRecords
    executions: Executions
    begin_cleanup: BeginCleanup
    clock: Clock

    def __call__(self) -> dict[str, int]:
        """How many attempts were found how. Raises `TransientError` when one could not be looked at; others were."""
        counts: dict[str, int] = {}
        troubled = []
        for attempt in self.attempts.all():
            try:
                found = self._check(attempt)
            except Exception:  # noqa: BLE001 - the other runs are looked at all the same, and all of it raises in the end
                _log.exception("A run could not be looked at", extra={"workflow_run": attempt.run})
                troubled.append(attempt.run)
                continue
            counts[found] = counts.get(found, 0) + 1
        if troubled:
            raise TransientError(f"runs {', '.join(troubled)} could not be looked at; see the log")
        return counts

    def _check(self, attempt: Attempt) -> Found:
        execution = self.executions.look(attempt.execution_arn)
        record = self.records.read(attempt.run)
        own = record if record is not None and record.execution_arn == attempt.execution_arn else None
        if execution is not None and execution.running:
            if own is None or own.status is not RunStatus.STOPPING:
                return Found.GOING_ON
            # whoever wished it to stop has not come so far
            failure = Failure(error=RUN_STOPPED, cause=own.stop_reason)
            self.executions.stop(attempt.execution_arn, error=failure.error, cause=failure.cause)
            return self._clean_up(own, failure)
        if own is not None and not own.status.ended:
            return self._clean_up(own, failure_of(execution, own))
        if own is None and self._may_yet_be_written(execution):
            return Found.UNCERTAIN
        self.attempts.remove(attempt)
        return Found.ENDED

    def _clean_up(self, record: RunRecord, failure: Failure) -> Found:
        self.begin_cleanup(record, failure)
        return Found.BEING_CLEANED_UP

    def _may_yet_be_written(self, execution: Execution | None) -> bool:
        ended = execution.stopped_at if execution is not None else None
        return ended is not None and self.clock.now() - ended < LATEST_WRITE


def failure_of(execution: Execution | None, record: RunRecord) -> Failure:
    """Why the run ends whose orchestrator has ended, or is not known any more."""
    if record.status is RunStatus.STOPPING or record.stop_reason:
        return Failure(error=RUN_STOPPED, cause=record.stop_reason)
    if execution is None:
        return Failure(error="OrchestratorLost", cause=f"Step Functions does not know {record.execution_arn} any more")
    if execution.status == ABORTED:
        said = ": ".join(part for part in (execution.error, execution.cause) if part)
        return Failure(error=RUN_STOPPED, cause=f"{BY_HAND}: {said}" if said else BY_HAND)
    return Failure(
        error=execution.error or execution.status,
        cause=execution.cause or f"the orchestrator ended {execution.status} before it cleaned up",
    )
