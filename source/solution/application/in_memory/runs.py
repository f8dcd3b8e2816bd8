"""Records of runs in a dictionary, attempts in a set."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from solution.contract.tables import RunStatus

if TYPE_CHECKING:
    from solution.application.ports.runs import Attempt, RunRecord


class InMemoryRunRecords:
    """`solution.application.ports.runs.RunRecords`."""

    def __init__(self, *records: RunRecord) -> None:
        self.by_run = {record.run: record for record in records}

    def read(self, run: str) -> RunRecord | None:
        return self.by_run.get(run)

    def create(self, record: RunRecord) -> bool:
        known = self.by_run.get(record.run)
        if known is not None and known.execution_arn != record.execution_arn:
            return False
        self._write(record, known)
        return True

    def renew(self, record: RunRecord, *, previous_attempt: int) -> bool:
        known = self.by_run.get(record.run)
        if known is None or known.attempt != previous_attempt or not known.status.ended:
            return False
        self._write(record, known)
        return True

    def stop(self, run: str, *, execution_name: str, reason: str) -> bool:
        known = self.by_run.get(run)
        if known is None or known.execution_name != execution_name or known.status is not RunStatus.RUNNING:
            return False
        self.by_run[run] = replace(known, status=RunStatus.STOPPING, stop_reason=reason)
        return True

    def begin_end(self, run: str, *, execution_name: str, reason: str) -> bool:
        known = self.by_run.get(run)
        if known is None or known.execution_name != execution_name or known.status.ended:
            return False
        self.by_run[run] = replace(known, status=RunStatus.ENDING, end_reason=reason)
        return True

    def finish(self, run: str, *, execution_name: str, outcome: RunStatus, ended_at: str, failure: str = "") -> bool:
        known = self.by_run.get(run)
        if known is None or known.execution_name != execution_name:
            return False
        self.by_run[run] = replace(known, status=outcome, ended_at=ended_at, failure=failure)
        return True

    def _write(self, record: RunRecord, known: RunRecord | None) -> None:
        self.by_run[record.run] = replace(record, started_at=known.started_at) if known else record


class InMemoryAttempts:
    """`solution.application.ports.runs.Attempts`."""

    def __init__(self, *attempts: Attempt) -> None:
        self.entered = set(attempts)

    def add(self, attempt: Attempt) -> None:
        self.entered.add(attempt)

    def remove(self, attempt: Attempt) -> None:
        self.entered.discard(attempt)

    def all(self) -> list[Attempt]:
        return sorted(self.entered, key=lambda attempt: attempt.execution_arn)
