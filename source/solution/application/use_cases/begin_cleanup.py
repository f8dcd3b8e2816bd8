"""Start the clean-up of an attempt whose orchestrator will not do it, once, whoever else does the same."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from solution.application.ports.executions import execution_arn
from solution.contract.tables import RunStatus
from solution.domain.archive import format_time

if TYPE_CHECKING:
    from solution.application.ports.clock import Clock
    from solution.application.ports.executions import Executions
    from solution.application.ports.notices import Notices
    from solution.application.ports.runs import RunRecord, RunRecords
    from solution.contract.failures import Failure

_log = logging.getLogger(__name__)

MOST: Final = 5
"""A clean-up that has failed so often will not succeed."""

_LONGEST_STEM: Final = 69
"""Execution names have at most 80 characters ("StartExecution", Step Functions API reference)."""


class Cleaning(StrEnum):
    """What became of the wish for a clean-up."""

    STARTED = "started"
    UNDER_WAY = "under way"
    DONE = "done"
    GIVEN_UP = "given up"


def cleanup_name(execution_name: str, number: int) -> str:
    """Name of an attempt's clean-up: the first one is named as the orchestrator names it."""
    return execution_name if number == 1 else f"{execution_name[:_LONGEST_STEM]}-cleanup-{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginCleanup:
    """A clean-up is an execution with a name that comes from the attempt, and a name can be used once.

    One that was ended before it closed the run's record is followed by another; after a handful the record is closed
    without, so that the run can be resumed, and the operator is told.
    """

    records: RunRecords
    executions: Executions
    notices: Notices
    clock: Clock
    machine_arn: str

    def __call__(self, record: RunRecord, failure: Failure) -> Cleaning:
        """``record`` says that the run has not ended, and its orchestrator is not running any more."""
        payload = {
            "workflow_run": record.run,
            "vault_name": record.vault_name,
            "tier": str(record.tier),
            "s3_storage_class": str(record.storage_class),
            "execution_name": record.execution_name,
            "failure": failure.dump(),
        }
        for number in range(1, MOST + 1):
            name = cleanup_name(record.execution_name, number)
            known = self.executions.look(execution_arn(self.machine_arn, name))
            if known is None:
                started = self.executions.start(self.machine_arn, name=name, payload=payload)
                _log.warning(
                    "A run is cleaned up", extra={"workflow_run": record.run, "cleanup": name, **failure.dump()}
                )
                return Cleaning.STARTED if started else Cleaning.UNDER_WAY
            if known.running:
                return Cleaning.UNDER_WAY
            if self._closed(record):
                return Cleaning.DONE
        self._give_up(record)
        return Cleaning.GIVEN_UP

    def _closed(self, record: RunRecord) -> bool:
        """Whether the record was closed since it was read, by the clean-up that has just ended."""
        known = self.records.read(record.run)
        return known is None or known.execution_arn != record.execution_arn or known.status.ended

    def _give_up(self, record: RunRecord) -> None:
        _log.error("A run cannot be cleaned up", extra={"workflow_run": record.run, "attempts": MOST})
        self.notices.publish(
            subject=f"Glacier transfer {record.run}: FAILED, not cleaned up",
            text=f"Run {record.run} of vault {record.vault_name} has ended, and {MOST} clean-ups of it have failed: "
            f"see the executions of CleanupStateMachine that begin with {record.execution_name}. Multipart uploads "
            f"below {record.run}/ may be open and its targets on the periodic rules; this attempt has no report.\n\n"
            f"Once the cause is mended, start ResumeAutomationRunbook with WorkflowRun {record.run}: the end of that "
            "attempt cleans up this one as well.\n",
        )
        self.records.finish(
            record.run,
            execution_name=record.execution_name,
            outcome=RunStatus.FAILED,
            ended_at=format_time(self.clock.now()),
        )
