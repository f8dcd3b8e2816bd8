"""The end of a run in writing."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest

from solution.application.in_memory.archive_scan import InMemoryArchiveTable, KeptArchive
from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.counters import InMemoryCounters
from solution.application.in_memory.expenses import InMemoryExpenses
from solution.application.in_memory.inventory_files import InMemoryInventoryFiles
from solution.application.in_memory.runs import InMemoryRunRecords
from solution.application.ports.archive_scan import Purpose
from solution.application.ports.clock import Deadline
from solution.application.ports.counters import Tally
from solution.application.use_cases.close_archives import WHY_STOPPED
from solution.application.use_cases.csv_text import encode_rows
from solution.application.use_cases.report_run import ReportRun, RunReport, manifest_folder
from solution.application.use_cases.scan_archives import ScanArchives
from solution.contract.failures import Failure
from solution.contract.object_keys import MANIFEST_COLUMNS, NOT_REQUESTED
from solution.contract.tables import RunStatus
from solution.domain.archive import Tier
from solution.domain.costs import Asked
from solution.domain.errors import NotPossible
from solution.domain.status import ArchiveStatus, Metric
from tests.unit.application.orchestration.builders import RUN, archive_id, kept, run_record


class _Desk:
    def __init__(self, *archives: KeptArchive, counted: dict[Metric, int], segments: int = 2) -> None:
        self.files = InMemoryInventoryFiles()
        self.counters = InMemoryCounters()
        self.expenses = InMemoryExpenses()
        self.counters.add(RUN, Tally(archives=counted, size={metric: 10 * n for metric, n in counted.items()}))
        self.records = InMemoryRunRecords(run_record())
        self.clock = ManualClock()
        scan = ScanArchives(
            scan=InMemoryArchiveTable(*archives),
            files=self.files,
            clock=self.clock,
            extend_when_remaining=timedelta(0),
            overdue={},
        )
        for segment in range(segments):
            scan(
                run=RUN,
                purpose=Purpose.REPORT,
                output_prefix=manifest_folder(RUN, "run-1-1"),
                segment=segment,
                total_segments=segments,
                start=None,
                deadline=Deadline.after(self.clock, 100),
            )

    def report(self, *, failure: Failure | None = None, execution_name: str = "run-1-1") -> RunReport:
        report = ReportRun(
            records=self.records,
            counters=self.counters,
            expenses=self.expenses,
            files=self.files,
            clock=self.clock,
            chunk_size_mib=256,
            inventory_bucket="inventory",
            destination_bucket="copies",
        )
        return report(run=RUN, vault_name="photos", execution_name=execution_name, failure=failure)

    def failed(self) -> list[list[str]]:
        text = self.files.files["run-1/failed_archives/failed_archives.csv"].decode()
        return list(csv.reader(io.StringIO(text, newline="")))

    def summary(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.files.files["run-1/report/summary.json"])
        return loaded

    def text(self) -> str:
        return self.files.files["run-1/report/summary.md"].decode()


def _counted(total: int, downloaded: int, **others: int) -> dict[Metric, int]:
    reached = {Metric.REQUESTED: downloaded, Metric.STAGED: downloaded, Metric.DOWNLOADED: downloaded}
    return {Metric.TOTAL: total} | reached | {Metric(name): count for name, count in others.items()}


def test_a_run_that_copied_everything_is_completed() -> None:
    desk = _Desk(kept(1, "downloaded"), kept(2, "downloaded"), counted=_counted(2, 2))
    report = desk.report()
    assert report.outcome is RunStatus.COMPLETED
    assert report.differences == ()
    assert desk.failed() == [["ArchiveId", "Key", "Bytes", "Reason"]]
    assert desk.summary()["duration_seconds"] == 3600
    assert "Every archive of the vault is in the destination bucket." in desk.text()


def test_a_run_of_an_empty_vault_is_completed() -> None:
    assert _Desk(counted={Metric.TOTAL: 0}).report().outcome is RunStatus.COMPLETED


def test_what_did_not_arrive_is_listed_with_its_reason() -> None:
    desk = _Desk(
        kept(1, "downloaded"),
        kept(2, "failed", failure='tree hash differs, "badly"\nindeed'),
        kept(3, "staged"),
        counted=_counted(3, 1, failed=1),
    )
    assert desk.report().outcome is RunStatus.COMPLETED_WITH_FAILURES
    header, *rows = desk.failed()
    assert header == ["ArchiveId", "Key", "Bytes", "Reason"]
    assert sorted(rows) == [
        [archive_id(2), "run-1/file 2", "10", 'tree hash differs, "badly"\nindeed'],
        [archive_id(3), "run-1/file 3", "10", "not finished: it was still staged when the run ended; resume the run"],
    ]
    assert '| 1 | tree hash differs, "badly" indeed |' in desk.text()


def test_archives_without_a_record_are_reported_as_not_requested() -> None:
    report = _Desk(kept(1, "downloaded"), counted=_counted(5, 1)).report()
    assert report.outcome is RunStatus.COMPLETED_WITH_FAILURES
    assert report.archives["not_requested"].archives == 4
    assert report.archives["not_requested"].size == 40


def test_archives_that_were_never_asked_for_are_listed_among_what_did_not_arrive() -> None:
    desk = _Desk(kept(1, "downloaded"), counted=_counted(2, 1))
    row = [archive_id(2), "run-1/file 2", 10, "0" * 64, "", "", NOT_REQUESTED, "", "2012-03-01T00:00:00Z", ""]
    listed = manifest_folder(RUN, "run-1-1") + "not-requested-partition_00000-part-00000.csv"
    desk.files.put(listed, encode_rows([MANIFEST_COLUMNS, row]), content_type="text/csv")
    report = desk.report(failure=Failure(error="RunStopped", cause="no money"))
    assert desk.failed()[1:] == [
        [archive_id(2), "run-1/file 2", "10", "not asked for: the run ended before; resume the run"]
    ]
    assert (report.archives["recorded"].archives, report.archives["not_requested"].archives) == (1, 1)
    assert report.differences == ()


def test_skipped_and_rejected_archives_were_not_to_be_requested_but_are_missing() -> None:
    report = _Desk(kept(1, "downloaded"), counted=_counted(3, 1, skipped=1, rejected=1)).report()
    assert report.archives["not_requested"].archives == 0
    assert report.outcome is RunStatus.COMPLETED_WITH_FAILURES


def test_counters_that_differ_from_the_records_are_reported() -> None:
    desk = _Desk(kept(1, "downloaded"), counted=_counted(1, 1) | {Metric.STAGED: 2})
    assert desk.report().differences == (
        "staged: the counters say 2 archives with 20 bytes, the records say 1 with 10",
    )
    assert "## Counters that differ from the records" in desk.text()


def test_a_stopped_run_is_reported_as_stopped_with_the_reason() -> None:
    desk = _Desk(kept(1, "downloaded"), kept(2, "requested"), counted=_counted(2, 1))
    stopped = Failure(error="RunStopped", cause="no money")
    assert desk.report(failure=stopped).outcome is RunStatus.STOPPED
    assert desk.summary()["outcome"] == "STOPPED"
    assert "The run was stopped before every archive was copied." in desk.text()
    assert "- Stopped: no money" in desk.text()


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        ("RunStopped", "The run was stopped when every archive was copied already."),
        ("States.Timeout", "The run has failed, though every archive was copied."),
    ],
)
def test_a_run_that_is_ended_when_nothing_is_missing_says_so(cause: str, says: str) -> None:
    desk = _Desk(kept(1, "downloaded"), counted=_counted(1, 1))
    desk.report(failure=Failure(error=cause, cause="x"))
    assert says in desk.text()
    assert "Resume" not in desk.text()


@pytest.mark.parametrize("cause", ["RunStopped", "GlacierJobError"])
def test_a_run_that_ends_before_its_inventory_is_known_does_not_say_that_all_is_copied(cause: str) -> None:
    desk = _Desk(counted={})
    report = desk.report(failure=Failure(error=cause, cause="the job found <nothing>"))
    assert report.missing is None
    assert "before every archive was copied" in desk.text()
    assert r"the job found \<nothing>" in desk.text(), "what looks like a tag would not be shown"
    assert "Start `ResumeAutomationRunbook`" in desk.text()


def test_rows_that_no_run_can_copy_are_nothing_to_resume_for() -> None:
    desk = _Desk(kept(1, "downloaded"), counted=_counted(3, 1, skipped=1, rejected=1))
    desk.report()
    assert "Every archive that can be an S3 object was copied" in desk.text()
    assert "Resume" not in desk.text()


def test_archives_that_the_end_has_stopped_are_listed_with_how_far_they_came() -> None:
    why = WHY_STOPPED[ArchiveStatus.STAGED]
    desk = _Desk(kept(1, "downloaded"), kept(2, "stopped", failure=why), counted=_counted(2, 1))
    report = desk.report(failure=Failure(error="RunStopped", cause="no money"))
    assert report.archives["stopped"].archives == report.missing == 1
    assert report.differences == ()
    assert desk.failed()[1:] == [[archive_id(2), "run-1/file 2", "10", why]]
    assert "| stopped before they were copied | 1 |" in desk.text()


def test_a_failed_orchestrator_is_a_failed_run_whatever_arrived() -> None:
    desk = _Desk(kept(1, "downloaded"), counted=_counted(1, 1))
    assert desk.report(failure=Failure(error="States.Timeout", cause="too\nlong")).outcome is RunStatus.FAILED
    assert desk.summary()["failure"] == {"error": "States.Timeout", "cause": "too\nlong", "machine": ""}
    assert "- Failure: States.Timeout: too long" in desk.text()


def test_the_manifests_of_other_attempts_do_not_count() -> None:
    desk = _Desk(kept(1, "downloaded"), counted=_counted(1, 1))
    folder = manifest_folder(RUN, "run-1-1")
    for key in [key for key in desk.files.files if key.startswith(folder)]:
        desk.files.files[key.replace("run-1-1/", "run-1-10/")] = desk.files.files[key]
    assert desk.report().archives["recorded"].archives == 1


def test_a_run_that_belongs_to_a_newer_attempt_is_not_reported_on() -> None:
    desk = _Desk(counted={})
    with pytest.raises(NotPossible, match="belongs to execution 'run-1-1' by now, not 'run-1-0'"):
        desk.report(execution_name="run-1-0")


def test_reporting_twice_says_the_same_twice() -> None:
    desk = _Desk(kept(1, "failed"), counted=_counted(1, 0, failed=1))
    first, text = desk.report(), desk.text()
    assert desk.report() == first
    assert desk.text() == text


def test_many_failures_are_streamed_with_one_header() -> None:
    desk = _Desk(*(kept(number, "failed") for number in range(2500)), counted=_counted(2500, 0, failed=2500))
    desk.report()
    rows = desk.failed()
    assert len(rows) == 2501
    assert len({row[0] for row in rows}) == 2501


def test_the_cost_so_far_is_of_all_that_was_asked_for_and_copied() -> None:
    gib = 1024**3
    desk = _Desk(
        kept(1, "downloaded", size=1024 * gib),
        kept(2, "downloaded", size=100),
        kept(3, "stopped", size=5 * gib, failure="why"),
        counted=_counted(3, 2),
    )
    desk.expenses.add(RUN, Tier.BULK, Asked(requests=1_000_000, size=2048 * gib))
    desk.expenses.add(RUN, Tier.BULK, Asked(requests=1_000_000))
    desk.expenses.add(RUN, Tier.STANDARD, Asked(requests=1000, size=gib))
    cost = desk.report().cost
    dollars = {item.name: round(item.dollars, 4) for item in cost.once}
    assert dollars["Glacier, Bulk retrieval of bytes"] == 2048 * 0.0025
    assert dollars["Glacier, Bulk requests"] == 50
    assert dollars["Glacier, Standard retrieval of bytes"] == 0.01
    assert dollars["Glacier, Standard requests"] == 0.05
    assert dollars["S3, objects stored as DEEP_ARCHIVE"] == round(2 * 0.05 / 1000, 4)
    assert dollars["S3, parts of large objects"] == round((4096 + 1) * 0.005 / 1000, 4)
    assert dollars["DynamoDB"] > 5
    assert cost.monthly == pytest.approx(1024 * 0.00099, rel=0.001)
    assert desk.summary()["cost"]["total"] == round(cost.total, 4)
    assert desk.summary()["cost"]["prices"] == {"region": "us-east-1", "as_of": "2025-01-01"}
    assert "| Glacier, Bulk requests | $50.00 |" in desk.text()
    assert "This is an estimate, from list prices of us-east-1 as of 2025-01-01" in desk.text()


def test_a_run_that_asked_for_nothing_has_cost_nothing() -> None:
    desk = _Desk(counted=_counted(3, 0))
    assert desk.report().cost.total == 0
    assert "| **in all, all attempts of the run together** | **$0.00** |" in desk.text()
