"""Records of runs in a dictionary."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solution.application.ports.runs import RunRecord
    from solution.contract.tables import RunStatus


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
        if known is None or known.attempt != previous_attempt:
            return False
        self._write(record, known)
        return True

    def finish(self, run: str, *, execution_name: str, outcome: RunStatus, ended_at: str, failure: str = "") -> bool:
        known = self.by_run.get(run)
        if known is None or known.execution_name != execution_name:
            return False
        self.by_run[run] = replace(known, status=outcome, ended_at=ended_at, failure=failure)
        return True

    def _write(self, record: RunRecord, known: RunRecord | None) -> None:
        self.by_run[record.run] = replace(record, started_at=known.started_at) if known else record
