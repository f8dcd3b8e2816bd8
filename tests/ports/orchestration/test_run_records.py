"""`RunRecords`, in memory and on DynamoDB."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from solution.application.adapters.run_records import DynamoRunRecords
from solution.application.in_memory.runs import InMemoryRunRecords
from solution.contract.tables import RunStatus
from tests.ports.orchestration.conftest import TABLE
from tests.unit.application.orchestration.builders import RUN, run_record

if TYPE_CHECKING:
    from solution.application.ports.runs import RunRecords


@pytest.fixture(params=["in memory", "dynamodb"])
def records(request: pytest.FixtureRequest) -> RunRecords:
    if request.param == "in memory":
        return InMemoryRunRecords()
    return DynamoRunRecords(client=request.getfixturevalue("dynamodb"), table=TABLE)


def test_an_unknown_run_has_no_record(records: RunRecords) -> None:
    assert records.read(RUN) is None


def test_what_is_created_is_read(records: RunRecords) -> None:
    record = run_record(description="naïve 写真", provided_inventory=True, cross_region=True)
    assert records.create(record)
    assert records.read(RUN) == record


def test_a_run_is_created_once(records: RunRecords) -> None:
    assert records.create(run_record())
    assert not records.create(run_record(execution_arn="arn:other", description="other"))
    assert records.read(RUN) == run_record()


def test_the_same_execution_may_create_again_and_the_first_start_stays(records: RunRecords) -> None:
    assert records.create(run_record())
    assert records.create(run_record(started_at="2025-03-01T11:30:00.000Z"))
    assert records.read(RUN) == run_record()


def test_a_new_attempt_replaces_the_old_one_but_for_the_start(records: RunRecords) -> None:
    records.create(run_record())
    ended_at = "2025-03-01T13:00:00.000Z"
    records.finish(RUN, execution_name="run-1-1", outcome=RunStatus.FAILED, ended_at=ended_at, failure="it rained")
    assert records.read(RUN) == run_record(status=RunStatus.FAILED, ended_at=ended_at, failure="it rained")
    following = run_record(
        attempt=2, execution_arn="arn:2", execution_name="run-1-2", started_at="2025-03-02T00:00:00.000Z"
    )
    assert records.renew(following, previous_attempt=1)
    assert records.read(RUN) == replace(following, started_at=run_record().started_at)


def test_an_attempt_is_renewed_once(records: RunRecords) -> None:
    records.create(run_record(status=RunStatus.STOPPED))
    first = run_record(attempt=2, execution_arn="arn:2")
    assert records.renew(first, previous_attempt=1)
    assert not records.renew(run_record(attempt=2, execution_arn="arn:3"), previous_attempt=1)
    assert records.read(RUN) == first


def test_a_run_that_does_not_exist_is_not_renewed(records: RunRecords) -> None:
    assert not records.renew(run_record(attempt=2), previous_attempt=1)
    assert records.read(RUN) is None


@pytest.mark.parametrize("status", [status for status in RunStatus if not status.ended])
def test_an_attempt_that_has_not_ended_is_not_renewed(records: RunRecords, status: RunStatus) -> None:
    records.create(run_record(status=status))
    assert not records.renew(run_record(attempt=2), previous_attempt=1)
    assert records.read(RUN) == run_record(status=status)


def test_a_running_run_is_stopped_once_and_the_first_reason_stays(records: RunRecords) -> None:
    records.create(run_record())
    assert not records.stop(RUN, execution_name="run-1-0", reason="an older attempt")
    assert records.stop(RUN, execution_name="run-1-1", reason="first")
    assert not records.stop(RUN, execution_name="run-1-1", reason="second")
    assert records.read(RUN) == run_record(status=RunStatus.STOPPING, stop_reason="first")
    assert not records.stop("run-2", execution_name="run-2-1", reason="unknown")
    assert records.read("run-2") is None


@pytest.mark.parametrize("status", RunStatus)
def test_an_end_begins_unless_it_is_behind(records: RunRecords, status: RunStatus) -> None:
    records.create(run_record(status=status))
    assert not records.begin_end(RUN, execution_name="run-1-0", reason="null")
    assert not records.begin_end("run-2", execution_name="run-2-1", reason="null")
    assert records.begin_end(RUN, execution_name="run-1-1", reason="null") is not status.ended
    after = run_record(status=status) if status.ended else run_record(status=RunStatus.ENDING, end_reason="null")
    assert records.read(RUN) == after


def test_the_next_attempt_forgets_why_the_last_one_ended(records: RunRecords) -> None:
    records.create(run_record())
    records.stop(RUN, execution_name="run-1-1", reason="enough")
    records.begin_end(RUN, execution_name="run-1-1", reason="null")
    records.finish(RUN, execution_name="run-1-1", outcome=RunStatus.STOPPED, ended_at="2025-03-01T13:00:00.000Z")
    following = run_record(attempt=2, execution_arn="arn:2", execution_name="run-1-2")
    assert records.renew(following, previous_attempt=1)
    assert records.read(RUN) == following


def test_finishing_closes_the_record(records: RunRecords) -> None:
    records.create(run_record())
    ended_at = "2025-03-01T13:00:00.000Z"
    for _ in range(2):
        assert records.finish(RUN, execution_name="run-1-1", outcome=RunStatus.COMPLETED, ended_at=ended_at)
    assert records.read(RUN) == run_record(status=RunStatus.COMPLETED, ended_at=ended_at)


def test_an_older_attempt_finishes_nothing(records: RunRecords) -> None:
    records.create(run_record())
    assert not records.finish(RUN, execution_name="run-1-0", outcome=RunStatus.FAILED, ended_at="x")
    assert not records.finish("run-2", execution_name="run-2-1", outcome=RunStatus.FAILED, ended_at="x")
    assert records.read(RUN) == run_record()
    assert records.read("run-2") is None
