"""The end of a run in writing: what arrived, what did not and why, for people and for machines.

The manifest, a scan of every archive's record, is the truth. The counters are compared with it, and a difference is
reported, not hidden.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from solution.application.ports.counters import Tally
from solution.application.use_cases.csv_text import CONTENT_TYPE, encode_rows, read_rows
from solution.application.use_cases.summary_text import write_summary
from solution.contract import object_keys as keys
from solution.contract.tables import RunStatus
from solution.domain.archive import format_time, parse_time
from solution.domain.costs import Meter, Spending, spending
from solution.domain.errors import NotPossible
from solution.domain.status import UNFINISHED, ArchiveStatus, Metric, milestones

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from solution.application.ports.clock import Clock
    from solution.application.ports.counters import Counters
    from solution.application.ports.expenses import Expenses
    from solution.application.ports.inventory_files import FileWriter, InventoryFiles
    from solution.application.ports.runs import RunRecord, RunRecords
    from solution.contract.failures import Failure

REASONS_SHOWN: Final = 10
"""Distinct reasons listed in the summary; all of them are in ``failed_archives.csv``."""

MISSING: Final = ("failed", "unfinished", "stopped", "not_requested")
"""Rows of the account that a resume would transfer."""

_REASONS_KEPT: Final = 10_000
"""Distinct reasons remembered at a time; beyond that the rarer ones are forgotten, and may be counted too low."""

_ROWS_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A number of archives and their bytes."""

    archives: int = 0
    size: int = 0

    def plus(self, size: int) -> Amount:
        """With one more archive of ``size`` bytes."""
        return Amount(archives=self.archives + 1, size=self.size + size)


@dataclass(slots=True)
class Findings:
    """What the manifest says: archives by status, the commonest reasons for failure, and what was copied."""

    by_status: dict[ArchiveStatus, Amount] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    copied: Meter = field(default_factory=Meter)

    def add(self, status: ArchiveStatus, size: int) -> None:
        self.by_status[status] = self.by_status.get(status, Amount()).plus(size)
        if status is ArchiveStatus.DOWNLOADED:
            self.copied.add(size)

    def explain(self, reason: str) -> None:
        """One more archive failed for this reason; reasons that name jobs may be as many as archives."""
        self.reasons[reason] += 1
        if len(self.reasons) > _REASONS_KEPT:
            self.reasons = Counter(dict(self.reasons.most_common(_REASONS_KEPT // 2)))

    def of(self, *statuses: ArchiveStatus) -> Amount:
        """Archives in any of these states."""
        tallies = [self.by_status.get(status, Amount()) for status in statuses]
        return Amount(archives=sum(t.archives for t in tallies), size=sum(t.size for t in tallies))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A run's end. ``not_requested`` have no record at all; ``differences`` are sentences."""

    run: str
    vault_name: str
    execution_name: str
    outcome: RunStatus
    failure: Failure | None
    attempt: int
    started_at: str
    reported_at: str
    duration_seconds: int
    archives: Mapping[str, Amount]
    cost: Spending
    reasons: tuple[tuple[str, int], ...]
    differences: tuple[str, ...]

    @property
    def missing(self) -> int | None:
        """See `count_missing`."""
        return count_missing({name: tally.archives for name, tally in self.archives.items()}, self.failure)

    def as_json(self, inventory_bucket: str, destination_bucket: str) -> dict[str, Any]:
        """The summary for machines."""
        return {
            "workflow_run": self.run,
            "vault_name": self.vault_name,
            "execution_name": self.execution_name,
            "outcome": str(self.outcome),
            "failure": None if self.failure is None else asdict(self.failure),
            "attempt": self.attempt,
            "started_at": self.started_at,
            "reported_at": self.reported_at,
            "duration_seconds": self.duration_seconds,
            "archives": {name: tally.archives for name, tally in self.archives.items()},
            "bytes": {name: tally.size for name, tally in self.archives.items()},
            "cost": self.cost.as_json(),
            "reasons": [{"reason": reason, "archives": count} for reason, count in self.reasons],
            "differences": list(self.differences),
            "where": {
                "objects": f"s3://{destination_bucket}/{keys.destination_key(self.run, '')}",
                "failed_archives": f"s3://{inventory_bucket}/{keys.failed_archives_key(self.run)}",
                "manifest": f"s3://{inventory_bucket}/{manifest_folder(self.run, self.execution_name)}",
                "summary": f"s3://{inventory_bucket}/{keys.summary_key(self.run)}",
                "not_migrated": f"s3://{inventory_bucket}/{keys.prefix(self.run, keys.NOT_MIGRATED)}",
                "rejected_rows": f"s3://{inventory_bucket}/{keys.prefix(self.run, keys.REJECTED_ROWS)}",
            },
        }


def count_missing(archives: Mapping[str, int], failure: Failure | None) -> int | None:
    """Archives that a resume would transfer; None for a run that ended before it knew of any: nobody can say."""
    if failure is not None and not archives["total"]:
        return None
    return sum(archives.get(name, 0) for name in MISSING)


def manifest_folder(run: str, execution_name: str) -> str:
    """Key prefix of the manifest that one attempt's clean-up wrote."""
    return f"{keys.manifest_prefix(run)}{execution_name}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRun:
    """Reads the manifest as a stream; writes ``failed_archives.csv``, ``summary.md`` and ``summary.json``."""

    records: RunRecords
    counters: Counters
    expenses: Expenses
    files: InventoryFiles
    clock: Clock
    chunk_size_mib: int
    inventory_bucket: str
    destination_bucket: str

    def __call__(self, *, run: str, vault_name: str, execution_name: str, failure: Failure | None) -> RunReport:
        """Raises `NotPossible` when the run is unknown or belongs to another execution by now."""
        record = self._record(run, execution_name)
        findings = Findings(copied=Meter(chunk_mib=self.chunk_size_mib))
        with self.files.writer(keys.failed_archives_key(run), content_type=CONTENT_TYPE) as output:
            self._read_manifest(manifest_folder(run, execution_name), findings, output)
        report = self._report(record, vault_name, findings, failure)
        where = report.as_json(self.inventory_bucket, self.destination_bucket)
        self.files.put(
            keys.summary_json_key(run),
            (json.dumps(where, indent=2, ensure_ascii=False) + "\n").encode(),
            content_type="application/json",
        )
        self.files.put(
            keys.summary_key(run),
            write_summary(report, where["where"]).encode(),
            content_type="text/markdown; charset=utf-8",
        )
        return report

    def _record(self, run: str, execution_name: str) -> RunRecord:
        record = self.records.read(run)
        if record is None:
            message = f"WorkflowRun {run!r} has no record: there is nothing to report"
            raise NotPossible(message)
        if record.execution_name != execution_name:
            message = (
                f"WorkflowRun {run!r} belongs to execution {record.execution_name!r} by now, not {execution_name!r}: "
                "its report is that execution's to write"
            )
            raise NotPossible(message)
        return record

    def _read_manifest(self, folder: str, findings: Findings, failed: FileWriter) -> None:
        rows: list[tuple[object, ...]] = [keys.FAILED_COLUMNS]
        for row in self._rows(folder):
            if row["Status"] == keys.NOT_REQUESTED:
                reason = "not asked for: the run ended before; resume the run"
            else:
                status = ArchiveStatus(row["Status"])
                findings.add(status, int(row["Bytes"]))
                if status is ArchiveStatus.DOWNLOADED:
                    continue
                reason = row["Reason"] or f"not finished: it was still {status} when the run ended; resume the run"
                if status is ArchiveStatus.FAILED:
                    findings.explain(reason)
            rows.append((row["ArchiveId"], row["Key"], row["Bytes"], reason))
            if len(rows) >= _ROWS_AT_ONCE:
                failed.write(encode_rows(rows))
                rows.clear()
        failed.write(encode_rows(rows))

    def _rows(self, folder: str) -> Iterator[dict[str, str]]:
        for file in self.files.list(folder):
            yield from read_rows(self.files.read(file.key))

    def _report(self, record: RunRecord, vault_name: str, findings: Findings, failure: Failure | None) -> RunReport:
        counters = self.counters.read(record.run) or Tally()
        archives = _account(counters, findings)
        now = self.clock.now()
        return RunReport(
            run=record.run,
            vault_name=vault_name,
            execution_name=record.execution_name,
            outcome=_outcome(archives, failure),
            failure=failure,
            attempt=record.attempt,
            started_at=record.started_at,
            reported_at=format_time(now),
            duration_seconds=round((now - parse_time(record.started_at)).total_seconds()),
            archives=archives,
            cost=spending(findings.copied.workload, self.expenses.read(record.run), storage_class=record.storage_class),
            reasons=tuple(findings.reasons.most_common(REASONS_SHOWN)),
            differences=tuple(_differences(counters, findings)),
        )


def _counted(counters: Tally, metric: Metric) -> Amount:
    return Amount(archives=counters.archives.get(metric, 0), size=counters.size.get(metric, 0))


def _account(counters: Tally, findings: Findings) -> dict[str, Amount]:
    total, skipped, rejected = (
        _counted(counters, metric) for metric in (Metric.TOTAL, Metric.SKIPPED, Metric.REJECTED)
    )
    recorded = findings.of(*ArchiveStatus)
    expected = Amount(
        archives=total.archives - skipped.archives - rejected.archives, size=total.size - skipped.size - rejected.size
    )
    return {
        "total": total,
        "skipped": skipped,
        "rejected": rejected,
        "recorded": recorded,
        "downloaded": findings.of(ArchiveStatus.DOWNLOADED),
        "failed": findings.of(ArchiveStatus.FAILED),
        "unfinished": findings.of(*UNFINISHED),
        "stopped": findings.of(ArchiveStatus.STOPPED),
        "not_requested": Amount(
            archives=max(0, expected.archives - recorded.archives), size=max(0, expected.size - recorded.size)
        ),
    }


def _outcome(archives: Mapping[str, Amount], failure: Failure | None) -> RunStatus:
    if failure is not None:
        return RunStatus.STOPPED if failure.stopped else RunStatus.FAILED
    complete = archives["downloaded"].archives == archives["total"].archives == archives["recorded"].archives
    return RunStatus.COMPLETED if complete else RunStatus.COMPLETED_WITH_FAILURES


def _differences(counters: Tally, findings: Findings) -> Iterator[str]:
    for metric in (Metric.REQUESTED, Metric.STAGED, Metric.DOWNLOADED, Metric.FAILED):
        counted = _counted(counters, metric)
        found = findings.of(*(status for status in ArchiveStatus if metric in milestones(status)))
        if counted != found:
            yield (
                f"{metric}: the counters say {counted.archives} archives with {counted.size} bytes, "
                f"the records say {found.archives} with {found.size}"
            )
