"""End a run because somebody wishes it so."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from solution.application.ports.executions import execution_arn
from solution.contract.failures import RUN_STOPPED, Failure
from solution.contract.tables import RunStatus
from solution.domain.errors import InvalidInput, NotPossible

if TYPE_CHECKING:
    from solution.application.ports.executions import Executions
    from solution.application.ports.runs import RunRecord, RunRecords
    from solution.application.use_cases.begin_cleanup import BeginCleanup

_log = logging.getLogger(__name__)


class Stopping(StrEnum):
    """What was done about the wish."""

    STOPPING = "stopping"
    """The run ends because of it."""
    ALREADY_STOPPING = "already stopping"
    """Somebody had the same wish before."""
    ALREADY_ENDING = "already ending"
    """The run had come to its end, and is being cleaned up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRun:
    """Notes the wish in the run's record, ends the orchestrator, and starts the clean-up.

    Whatever this cannot do after the note, WatchRuns does. Batches that are being asked for, and archives that Glacier
    stages later on, are not held back: they are copied, or stopped by the next resume.
    """

    records: RunRecords
    executions: Executions
    begin_cleanup: BeginCleanup
    orchestrator_arn: str

    def __call__(self, run: str, *, reason: str) -> Stopping:
        """Raises `InvalidInput` for a run that is not known, `NotPossible` for one that has ended or just begins."""
        record = self.records.read(run)
        self._refuse_beginning(run, 1 if record is None else record.attempt + 1, record)
        if record is None:
            raise InvalidInput(f"run {run!r} is not known to this stack: check the id, the region and the account")
        if record.status.ended:
            raise NotPossible(f"run {run!r} ended {record.ended_at} as {record.status}: there is nothing to stop")
        stopping = self.records.stop(run, execution_name=record.execution_name, reason=reason)
        found = Stopping.STOPPING if stopping else Stopping.ALREADY_STOPPING
        if not stopping:
            record = self.records.read(run)
            if record is None or record.status.ended:
                raise NotPossible(f"run {run!r} has ended at this moment, by itself: there is nothing to stop")
            if record.status is RunStatus.ENDING:
                return self._ending(record)
            reason = record.stop_reason
        failure = Failure(error=RUN_STOPPED, cause=reason)
        self.executions.stop(record.execution_arn, error=failure.error, cause=failure.cause)
        self.begin_cleanup(record, failure)
        _log.warning("A run is stopped", extra={"workflow_run": run, "found": found, "reason": reason})
        return found

    def _ending(self, record: RunRecord) -> Stopping:
        """The clean-up belongs to the orchestrator, unless that was ended meanwhile."""
        execution = self.executions.look(record.execution_arn)
        if execution is None or not execution.running:
            cause = record.stop_reason or "the run was ending when its clean-up was lost"
            self.begin_cleanup(record, Failure(error=RUN_STOPPED, cause=cause))
        return Stopping.ALREADY_STOPPING if record.stop_reason else Stopping.ALREADY_ENDING

    def _refuse_beginning(self, run: str, attempt: int, record: RunRecord | None) -> None:
        if record is not None and not record.status.ended:
            return
        execution = self.executions.look(execution_arn(self.orchestrator_arn, f"{run}-{attempt}"))
        if execution is not None and execution.running:
            raise NotPossible(
                f"run {run!r} is being started as {run}-{attempt} and has no record of it yet: try again in a moment"
            )
