"""The last step of a run."""

from __future__ import annotations

from typing import Any

import pytest

from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.notices import InMemoryNotices, InMemoryUnfinishedUploads
from solution.application.in_memory.runs import InMemoryRunRecords
from solution.application.use_cases.abort_uploads import AbortUploads
from solution.application.use_cases.announce_completion import AnnounceCompletion
from solution.contract.failures import Failure
from solution.contract.tables import RunStatus
from solution.domain.errors import NotPossible
from tests.unit.application.orchestration.builders import RUN, run_record


def _report(outcome: str = "COMPLETED", **archives: int) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "archives": {"total": 3, "downloaded": 3, "failed": 0, **archives},
        "failed_archives_key": "run-1/failed_archives/failed_archives.csv",
        "summary_key": "run-1/report/summary.md",
    }


class _Desk:
    def __init__(self) -> None:
        self.records = InMemoryRunRecords(run_record())
        self.notices = InMemoryNotices()

    def announce(
        self, report: dict[str, Any] | None, failure: Failure | None = None, *, execution: str = "run-1-1"
    ) -> RunStatus:
        announce = AnnounceCompletion(records=self.records, notices=self.notices, clock=ManualClock())
        return announce(run=RUN, vault_name="photos", execution_name=execution, report=report, failure=failure)


def test_the_record_is_closed_and_the_operator_told() -> None:
    desk = _Desk()
    assert desk.announce(_report()) is RunStatus.COMPLETED
    record = desk.records.by_run[RUN]
    assert (record.status, record.ended_at) == (RunStatus.COMPLETED, "2025-03-01T12:00:00.000Z")
    [(subject, text)] = desk.notices.sent
    assert subject == "Glacier transfer run-1: COMPLETED"
    assert "run-1/report/summary.md" in text
    assert "ResumeAutomationRunbook" not in text


def test_a_run_with_something_missing_says_how_to_go_on() -> None:
    desk = _Desk()
    report = _report("COMPLETED_WITH_FAILURES", downloaded=2, failed=1)
    assert desk.announce(report) is RunStatus.COMPLETED_WITH_FAILURES
    assert "Start ResumeAutomationRunbook with WorkflowRun run-1" in desk.notices.sent[0][1]


@pytest.mark.parametrize("outcome", ["STOPPED", "FAILED", "COMPLETED_WITH_FAILURES"])
def test_where_nothing_is_missing_nothing_is_said_to_be(outcome: str) -> None:
    desk = _Desk()
    cause = {"STOPPED": Failure(error="RunStopped", cause="x"), "FAILED": Failure(error="Throttled", cause="x")}
    desk.announce(_report(outcome), cause.get(outcome))
    text = desk.notices.sent[0][1]
    assert "resume" not in text.lower()
    assert "every archive" in text.lower()
    assert "before every archive" not in text


def test_sizes_are_told_where_they_are_known() -> None:
    desk = _Desk()
    desk.announce(_report() | {"bytes": {"total": 3 * 1024**3}})
    assert "3 archives  3.0 GiB" in desk.notices.sent[0][1]


def test_without_a_report_the_run_counts_as_failed() -> None:
    desk = _Desk()
    assert desk.announce(None) is RunStatus.FAILED
    assert "No report could be written" in desk.notices.sent[0][1]


def test_a_failure_is_told_with_its_cause() -> None:
    desk = _Desk()
    assert desk.announce(_report("FAILED"), Failure(error="Throttled", cause="slow down")) is RunStatus.FAILED
    assert "Failure: Throttled: slow down" in desk.notices.sent[0][1]
    assert desk.records.by_run[RUN].failure == "Throttled: slow down"


def test_a_run_that_fails_before_its_inventory_is_known_says_how_to_go_on() -> None:
    desk = _Desk()
    desk.announce(_report("FAILED", total=0), failure=Failure(error="GlacierJobError", cause="out of order"))
    [(_, text)] = desk.notices.sent
    assert "before every archive was copied" in text
    assert "Start ResumeAutomationRunbook with WorkflowRun run-1" in text


def test_a_run_of_a_newer_attempt_is_left_alone() -> None:
    desk = _Desk()
    with pytest.raises(NotPossible):
        desk.announce(_report(), execution="run-1-0")
    assert desk.records.by_run[RUN] == run_record()
    assert desk.notices.sent == []


def test_only_the_uploads_of_this_run_are_aborted() -> None:
    archives = InMemoryUnfinishedUploads("run-1/a", "run-1/b/c", "run-10/a", "other/run-1/a")
    inventories = InMemoryUnfinishedUploads(
        *("run-1/original_inventory/inventory.csv", "run-10/original_inventory/inventory.csv", "run-1/report/a")
    )
    assert AbortUploads(destination=archives, inventories=inventories)(RUN) == 3
    assert archives.keys == ["run-10/a", "other/run-1/a"]
    assert inventories.keys == ["run-10/original_inventory/inventory.csv", "run-1/report/a"]


def test_a_stopped_run_is_announced_as_stopped_with_the_reason_and_how_to_go_on() -> None:
    desk = _Desk()
    report = _report("STOPPED", downloaded=1, stopped=2)
    assert desk.announce(report, Failure(error="RunStopped", cause="no money")) is RunStatus.STOPPED
    [(subject, text)] = desk.notices.sent
    assert subject == "Glacier transfer run-1: STOPPED"
    assert "Stopped: no money" in text
    assert "Start ResumeAutomationRunbook with WorkflowRun run-1" in text


def test_a_stopped_run_without_a_report_was_stopped_all_the_same() -> None:
    assert _Desk().announce(None, Failure(error="RunStopped", cause="")) is RunStatus.STOPPED


def test_an_attempt_that_never_began_is_told_and_leaves_the_run_as_it_is() -> None:
    desk = _Desk()
    announce = AnnounceCompletion(records=desk.records, notices=desk.notices, clock=ManualClock())
    failure = Failure(error="NotPossible", cause="run-1 exists already")
    announce.not_begun(run=RUN, vault_name="photos", execution_name="run-1-2", failure=failure)
    assert desk.records.by_run[RUN] == run_record()
    [(subject, text)] = desk.notices.sent
    assert subject == "Glacier transfer run-1: not begun"
    assert "NotPossible: run-1 exists already" in text
