"""Whose run it is, and which attempt."""

from __future__ import annotations

from typing import Any

import pytest

from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.runs import InMemoryAttempts, InMemoryRunRecords
from solution.application.ports.runs import Attempt, RunRecord
from solution.application.use_cases.register_run import RegisterRun, Registration
from solution.contract.tables import RunStatus
from solution.domain.archive import MigrationType
from solution.domain.errors import NotPossible
from tests.unit.application.orchestration.builders import RUN, order, run_record

RESUME: dict[str, Any] = {"migration_type": MigrationType.RESUME}


def ended(**changes: Any) -> RunRecord:
    """The record of a run that was cleaned up."""
    return run_record(**{"status": RunStatus.FAILED, **changes})


def _register(
    records: InMemoryRunRecords,
    *,
    arn: str = "arn:a",
    name: str = "run-1-1",
    attempts: InMemoryAttempts | None = None,
    **changes: object,
) -> Registration:
    register = RegisterRun(records=records, attempts=attempts or InMemoryAttempts(), clock=ManualClock())
    return register(order(**changes), execution_arn=arn, execution_name=name)


def test_a_launch_begins_attempt_one() -> None:
    records = InMemoryRunRecords()
    registration = _register(records)
    assert registration.attempt == 1
    assert registration.rule_target_id == RUN
    assert registration.completion_job_id == "completion|run-1|run-1-1"
    assert records.by_run[RUN].started_at == registration.started_at == "2025-03-01T12:00:00.000Z"


def test_the_same_execution_may_register_twice() -> None:
    records = InMemoryRunRecords()
    assert _register(records) == _register(records)


def test_a_launch_of_a_known_run_is_refused_and_leaves_it_alone() -> None:
    records = InMemoryRunRecords(run_record())
    with pytest.raises(NotPossible, match=r"'run-1' exists already.*ResumeAutomationRunbook"):
        _register(records, arn="arn:b")
    assert records.by_run[RUN] == run_record()


def test_a_resume_is_the_next_attempt_of_a_run_that_keeps_its_start() -> None:
    records = InMemoryRunRecords(ended())
    registration = _register(records, arn="arn:b", name="run-1-2", **RESUME)
    assert registration.attempt == 2
    assert registration.started_at == run_record().started_at
    assert records.by_run[RUN].execution_arn == "arn:b"


def test_an_attempt_takes_its_number_from_the_execution_when_names_were_used_up() -> None:
    assert _register(InMemoryRunRecords(ended()), arn="arn:b", name="run-1-7", **RESUME).attempt == 7


def test_an_execution_named_by_hand_still_counts_on() -> None:
    assert _register(InMemoryRunRecords(ended(attempt=3)), arn="arn:b", name="by-hand", **RESUME).attempt == 4


def test_a_resume_of_an_unknown_run_is_refused() -> None:
    with pytest.raises(NotPossible, match="not known"):
        _register(InMemoryRunRecords(), **RESUME)


def test_a_resume_with_another_vault_is_refused() -> None:
    with pytest.raises(NotPossible, match="copies vault 'photos', not 'music'"):
        _register(InMemoryRunRecords(run_record()), arn="arn:b", vault_name="music", **RESUME)


def test_of_two_resumes_at_once_one_is_refused() -> None:
    class Overtaken(InMemoryRunRecords):
        def renew(self, record: object, *, previous_attempt: int) -> bool:  # noqa: ARG002
            return False

    with pytest.raises(NotPossible, match="somebody else"):
        _register(Overtaken(ended()), arn="arn:b", name="run-1-2", **RESUME)


@pytest.mark.parametrize("status", [status for status in RunStatus if not status.ended])
def test_a_run_that_is_not_cleaned_up_cannot_be_resumed(status: RunStatus) -> None:
    records = InMemoryRunRecords(run_record(status=status))
    with pytest.raises(NotPossible, match=f"is {status}: attempt 1 has not ended, or is not cleaned up yet"):
        _register(records, arn="arn:b", name="run-1-2", **RESUME)
    assert records.by_run[RUN] == run_record(status=status)


def test_an_attempt_is_entered_even_when_it_is_refused_and_before_the_record_is_written() -> None:
    attempts = InMemoryAttempts()

    class Unwritable(InMemoryRunRecords):
        def create(self, record: RunRecord) -> bool:
            assert attempts.all() == [Attempt(run=record.run, execution_arn=record.execution_arn)]
            return False

    with pytest.raises(NotPossible):
        _register(Unwritable(), attempts=attempts)
    assert attempts.all() == [Attempt(run=RUN, execution_arn="arn:a")]


def test_the_presigned_url_is_not_kept() -> None:
    records = InMemoryRunRecords()
    _register(records, name_override_presigned_url="https://host/names.csv?X-Amz-Signature=secret")
    assert "secret" not in repr(records.by_run[RUN])
    assert records.by_run[RUN].name_override
