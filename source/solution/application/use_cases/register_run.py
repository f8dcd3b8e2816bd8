"""The orchestrator's first step: whose run is it, and which attempt?"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from solution.application.ports.runs import Attempt, RunRecord
from solution.contract.tables import RunStatus, completion_job_id
from solution.domain.archive import MigrationType, format_time
from solution.domain.errors import NotPossible

if TYPE_CHECKING:
    from solution.application.ports.clock import Clock
    from solution.application.ports.runs import Attempts, RunRecords
    from solution.contract.messages import OrchestratorInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What the orchestrator needs to know of its run."""

    attempt: int
    completion_job_id: str
    rule_target_id: str
    started_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterRun:
    """Writes the record of a run, or of its next attempt; run twice by one execution it answers the same.

    The attempt is entered into the list of attempts before: whatever happens to it from then on, somebody looks for its
    end.
    """

    records: RunRecords
    attempts: Attempts
    clock: Clock

    def __call__(self, order: OrchestratorInput, *, execution_arn: str, execution_name: str) -> Registration:
        """Raises `NotPossible` when a launch finds the run taken, or a resume finds none to carry on."""
        record = self._record(order, execution_arn=execution_arn, execution_name=execution_name)
        self.attempts.add(Attempt(run=record.run, execution_arn=execution_arn))
        known = self.records.read(order.workflow_run)
        if known is None or known.execution_arn != execution_arn:
            known = (
                self._launch(record) if order.migration_type is MigrationType.LAUNCH else self._resume(record, known)
            )
        return Registration(
            attempt=known.attempt,
            completion_job_id=completion_job_id(known.run, execution_name),
            rule_target_id=known.run,
            started_at=known.started_at,
        )

    def _record(self, order: OrchestratorInput, *, execution_arn: str, execution_name: str) -> RunRecord:
        return RunRecord(
            run=order.workflow_run,
            vault_name=order.vault_name,
            tier=order.tier,
            storage_class=order.s3_storage_class,
            migration_type=order.migration_type,
            provided_inventory=order.provided_inventory,
            # whether there is one; the URL itself is presigned, a secret
            name_override=bool(order.name_override_presigned_url),
            cross_region=order.cross_region_transfer,
            description=order.description,
            attempt=1,
            execution_arn=execution_arn,
            execution_name=execution_name,
            status=RunStatus.RUNNING,
            started_at=format_time(self.clock.now()),
        )

    def _launch(self, record: RunRecord) -> RunRecord:
        if not self.records.create(record):
            message = (
                f"WorkflowRun {record.run!r} exists already: choose another name for a new run, "
                "or carry on with this one with the ResumeAutomationRunbook"
            )
            raise NotPossible(message)
        return record

    def _resume(self, record: RunRecord, known: RunRecord | None) -> RunRecord:
        if known is None:
            message = f"WorkflowRun {record.run!r} is not known: only a launched run can be resumed"
            raise NotPossible(message)
        if known.vault_name != record.vault_name:
            message = (
                f"WorkflowRun {record.run!r} copies vault {known.vault_name!r}, not {record.vault_name!r}: "
                "resume it with its own vault, or launch a new run"
            )
            raise NotPossible(message)
        if not known.status.ended:
            message = (
                f"WorkflowRun {record.run!r} is {known.status}: attempt {known.attempt} has not ended, "
                "or is not cleaned up yet; wait until it is, then resume"
            )
            raise NotPossible(message)
        attempt = _attempt_in(record.execution_name, record.run)
        record = replace(record, attempt=max(attempt, known.attempt + 1), started_at=known.started_at)
        if not self.records.renew(record, previous_attempt=known.attempt):
            message = f"WorkflowRun {record.run!r} was resumed by somebody else a moment ago: let that attempt run"
            raise NotPossible(message)
        return record


def _attempt_in(execution_name: str, run: str) -> int:
    """The attempt in ``{run}-{attempt}``; 0 for an execution that somebody named otherwise."""
    found = re.fullmatch(re.escape(run) + r"-(\d{1,6})", execution_name)
    return int(found[1]) if found else 0
