"""TransferRecords: every write is conditional, may be repeated, and says what it found."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from solution.application.adapters.records import DynamoRunFacts, DynamoTransferRecords
from solution.application.in_memory.clock import START
from solution.application.in_memory.records import InMemoryTransferRecords
from solution.application.ports.records import (
    COMPLETE_FROM,
    FAIL_FROM,
    RECLAIM_FROM,
    STAGE_FROM,
    Outcome,
    Part,
    PartStored,
    Progress,
    RunFacts,
    TransferRecords,
)
from solution.contract.tables import Run, RunStatus
from solution.domain.archive import StorageClass, Tier
from solution.domain.chunk_plan import MIB
from solution.domain.status import ArchiveStatus
from tests.builders import RUN, archive, archive_id, record

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ONE = archive_id("one")
LATER = START + timedelta(hours=1)
END = START + timedelta(hours=24)
S = ArchiveStatus


@pytest.fixture(params=["in memory", "DynamoDB"])
def records(request: pytest.FixtureRequest) -> TransferRecords:
    """Both implementations."""
    if request.param == "in memory":
        return InMemoryTransferRecords()
    return DynamoTransferRecords(request.getfixturevalue("dynamodb"), request.getfixturevalue("retrieval_table"))


ARCHIVE = archive(data=b"x" * 3)


def bring_to(records: TransferRecords, status: ArchiveStatus, *, attempt: int = 1) -> None:
    """An archive in this state, by the way it would take."""
    records.create([record(ARCHIVE, chunk_size=1, chunk_count=3, attempt=attempt)])
    if status in (S.REQUESTED, S.STAGED, S.DOWNLOADED, S.FAILED):
        records.settle(RUN, [Outcome(archive_id=ONE, job_id="job-1")], START)
    if status in (S.STAGED, S.DOWNLOADED, S.FAILED):
        records.stage(RUN, ONE, job_id="job-1", window_end=END, now=START)
    if status is S.DOWNLOADED:
        records.complete(RUN, ONE, checksum="c", now=START)
    if status is S.FAILED:
        records.fail(RUN, ONE, reason="r")


def status(records: TransferRecords) -> ArchiveStatus | None:
    """The archive's state."""
    found = records.load(RUN, ONE)
    return found.status if found else None


STATES = [S.REQUESTING, S.REQUESTED, S.STAGED, S.DOWNLOADED, S.FAILED]


def test_a_record_comes_back_as_it_was_written(records: TransferRecords) -> None:
    awkward = record(archive(description='comma, "quote", \\ and ünïcode\n\t'), tier=Tier.STANDARD)
    assert records.create([awkward]) == {ONE}
    assert records.load(RUN, ONE) == awkward
    assert records.load("another-run", ONE) is None


def test_only_new_archives_are_created_and_old_ones_stay_as_they_are(records: TransferRecords) -> None:
    records.create([record()])
    records.settle(RUN, [Outcome(archive_id=ONE, job_id="job-1")], START)
    assert records.create([record(), record(archive("two"))]) == {archive_id("two")}
    assert status(records) is S.REQUESTED


def test_a_hundred_records_are_created_and_read_together(records: TransferRecords) -> None:
    names = [f"archive {number}" for number in range(103)]
    assert len(records.create([record(archive(name)) for name in names])) == 103
    found = records.load_many(RUN, [archive_id(name) for name in [*names, "unknown"]])
    assert set(found) == {archive_id(name) for name in names}


def test_asking_is_settled_with_a_job_or_a_reason(records: TransferRecords) -> None:
    records.create([record(), record(archive("two"))])
    outcomes = [Outcome(archive_id=ONE, job_id="job-1"), Outcome(archive_id=archive_id("two"), failure="deleted")]
    records.settle(RUN, outcomes, LATER)
    one, two = records.load(RUN, ONE), records.load(RUN, archive_id("two"))
    assert one is not None
    assert two is not None
    assert (one.status, one.job_id, one.requested_at) == (S.REQUESTED, "job-1", LATER)
    assert (two.status, two.job_id, two.failure) == (S.FAILED, None, "deleted")


def test_settling_does_not_undo_a_notification_that_came_first(records: TransferRecords) -> None:
    records.create([record()])
    records.stage(RUN, ONE, job_id="job-1", window_end=END, now=START)
    records.settle(RUN, [Outcome(archive_id=ONE, job_id="job-1")], LATER)
    assert status(records) is S.STAGED


@pytest.mark.parametrize("before", STATES)
def test_staging_happens_from_the_states_the_table_of_moves_allows(
    records: TransferRecords, before: ArchiveStatus
) -> None:
    bring_to(records, before)
    staging = records.stage(RUN, ONE, job_id="job-2", window_end=END, now=LATER)
    assert staging.moved is (before in STAGE_FROM)
    assert staging.record is not None
    assert staging.record == records.load(RUN, ONE)
    if staging.moved:
        assert (staging.record.job_id, staging.record.window_end, staging.record.staged_at) == ("job-2", END, LATER)


def test_staging_an_unknown_archive_finds_no_record(records: TransferRecords) -> None:
    staging = records.stage(RUN, ONE, job_id="job-1", window_end=END, now=START)
    assert (staging.moved, staging.record) == (False, None)
    assert records.load(RUN, ONE) is None


@pytest.mark.parametrize("before", STATES)
def test_completing_happens_from_the_states_the_table_of_moves_allows(
    records: TransferRecords, before: ArchiveStatus
) -> None:
    bring_to(records, before)
    after = records.complete(RUN, ONE, checksum="sum", now=LATER)
    assert after is (S.DOWNLOADED if before in COMPLETE_FROM else before)


@pytest.mark.parametrize("before", STATES)
def test_failing_happens_from_the_states_the_table_of_moves_allows(
    records: TransferRecords, before: ArchiveStatus
) -> None:
    bring_to(records, before)
    after = records.fail(RUN, ONE, reason="because")
    assert after is (S.FAILED if before in FAIL_FROM else before)
    found = records.load(RUN, ONE)
    assert found is not None
    assert (found.failure == "because") is (before in FAIL_FROM)


def test_failing_an_unknown_archive_makes_no_record(records: TransferRecords) -> None:
    assert records.fail(RUN, ONE, reason="because") is None
    assert records.load(RUN, ONE) is None


def test_a_failed_job_fails_only_the_archive_that_awaits_it(records: TransferRecords) -> None:
    bring_to(records, S.REQUESTING)
    assert records.fail(RUN, ONE, reason="of whom?", job_id="job-1") is S.REQUESTING
    bring_to(records, S.REQUESTED)
    assert records.fail(RUN, ONE, reason="old", job_id="job-0") is S.REQUESTED
    assert records.fail(RUN, ONE, reason="new", job_id="job-1") is S.FAILED


def test_failing_may_be_confined_to_some_states(records: TransferRecords) -> None:
    bring_to(records, S.REQUESTED)
    assert records.fail(RUN, ONE, reason="late", only=frozenset({S.STAGED})) is S.REQUESTED


@pytest.mark.parametrize("before", STATES)
def test_a_reclaim_moves_what_failed_and_leaves_nothing_of_the_last_attempt(
    records: TransferRecords, before: ArchiveStatus
) -> None:
    bring_to(records, before)
    records.register_upload(RUN, ONE, "upload-1")
    fresh = record(ARCHIVE, tier=Tier.STANDARD, storage_class=StorageClass.STANDARD, requested_at=LATER, attempt=2)
    moved = records.reclaim([fresh], seen=records.load_many(RUN, [ONE]))
    assert moved == ({ONE} if before in RECLAIM_FROM else set())
    if moved:
        assert records.load(RUN, ONE) == fresh


@pytest.mark.parametrize("attempt", [0, 1])
def test_a_reclaim_moves_nothing_that_has_changed_since_it_was_seen(records: TransferRecords, attempt: int) -> None:
    bring_to(records, S.FAILED, attempt=attempt)
    seen = records.load_many(RUN, [ONE])
    second, third = record(ARCHIVE, attempt=2), record(ARCHIVE, attempt=3)
    assert records.reclaim([second], seen=seen) == {ONE}
    assert records.reclaim([third], seen=seen) == set()
    assert records.load(RUN, ONE) == second
    seen = records.load_many(RUN, [ONE])
    assert records.fail(RUN, ONE, reason="refused") is S.FAILED
    assert records.reclaim([third], seen=seen) == set()
    assert records.reclaim([third], seen=records.load_many(RUN, [ONE])) == {ONE}


def test_a_later_job_extends_the_window_and_an_earlier_one_does_not(records: TransferRecords) -> None:
    bring_to(records, S.STAGED)
    assert records.extend(RUN, ONE, job_id="job-2", window_end=END + timedelta(hours=1))
    assert not records.extend(RUN, ONE, job_id="job-0", window_end=END)
    found = records.load(RUN, ONE)
    assert found is not None
    assert (found.job_id, found.window_end) == ("job-2", END + timedelta(hours=1))


@pytest.mark.parametrize("status", [S.REQUESTED, S.STAGED])
def test_that_glacier_was_asked_is_remembered_for_the_present_job(
    records: TransferRecords, status: ArchiveStatus
) -> None:
    bring_to(records, status)
    assert not records.note_asked(RUN, ONE, job_id="job-0", now=LATER)
    assert records.note_asked(RUN, ONE, job_id="job-1", now=LATER)
    found = records.load(RUN, ONE)
    assert found is not None
    assert (found.status, found.requested_at) == (status, LATER)


@pytest.mark.parametrize("status", [S.REQUESTED, S.STAGED])
def test_of_two_who_have_seen_an_archive_one_asks_for_it(records: TransferRecords, status: ArchiveStatus) -> None:
    bring_to(records, status)
    seen = records.load(RUN, ONE)
    assert seen is not None
    assert records.claim_asking([seen], now=LATER) == {ONE}
    assert records.claim_asking([seen], now=END) == set()
    records.release_asking([seen], claimed_at=END)
    assert records.claim_asking([seen], now=LATER) == set()
    records.release_asking([seen], claimed_at=LATER)
    assert records.load(RUN, ONE) == seen
    assert records.claim_asking([seen], now=LATER) == {ONE}


def test_a_copied_archive_is_not_claimed(records: TransferRecords) -> None:
    bring_to(records, S.STAGED)
    seen = records.load(RUN, ONE)
    assert seen is not None
    records.complete(RUN, ONE, checksum="c2hhMjU2", now=LATER)
    assert records.claim_asking([seen], now=LATER) == set()


def test_a_window_that_closed_before_its_time_ends_now_and_only_once(records: TransferRecords) -> None:
    bring_to(records, S.STAGED)
    assert not records.close_window(RUN, ONE, expired_job="job-0", now=LATER)
    assert not records.close_window(RUN, ONE, expired_job="job-1", now=END)
    assert records.close_window(RUN, ONE, expired_job="job-1", now=LATER)
    assert not records.close_window(RUN, ONE, expired_job="job-1", now=LATER)
    found = records.load(RUN, ONE)
    assert found is not None
    assert (found.status, found.job_id, found.window_end) == (S.STAGED, "job-1", LATER)


@pytest.mark.parametrize("status", [S.REQUESTED, S.DOWNLOADED])
def test_only_a_staged_archive_has_a_window_to_close(records: TransferRecords, status: ArchiveStatus) -> None:
    bring_to(records, status)
    assert not records.close_window(RUN, ONE, expired_job="job-1", now=LATER)


def test_of_a_copied_archive_nothing_is_asked_any_more(records: TransferRecords) -> None:
    bring_to(records, S.DOWNLOADED)
    assert not records.note_asked(RUN, ONE, job_id="job-1", now=LATER)
    assert not records.request_again(RUN, ONE, expired_job="job-1", new_job="job-2", now=LATER)


@pytest.mark.parametrize("status", [S.REQUESTED, S.STAGED])
def test_a_job_that_is_gone_is_replaced_once(records: TransferRecords, status: ArchiveStatus) -> None:
    bring_to(records, status)
    assert records.request_again(RUN, ONE, expired_job="job-1", new_job="job-2", now=LATER)
    assert not records.request_again(RUN, ONE, expired_job="job-1", new_job="job-3", now=LATER)
    found = records.load(RUN, ONE)
    assert found is not None
    assert (found.status, found.job_id) == (S.REQUESTED, "job-2")


def test_the_first_upload_is_the_one_in_force(records: TransferRecords) -> None:
    bring_to(records, S.STAGED)
    assert records.register_upload(RUN, ONE, "upload-1") == "upload-1"
    assert records.register_upload(RUN, ONE, "upload-2") == "upload-1"


def test_an_archive_that_is_not_staged_any_more_takes_no_upload(records: TransferRecords) -> None:
    assert records.register_upload(RUN, ONE, "upload-1") is None
    bring_to(records, S.REQUESTED)
    assert records.register_upload(RUN, ONE, "upload-1") is None
    found = records.load(RUN, ONE)
    assert found is not None
    assert found.upload_id is None


def part(number: int = 1, of: str = "upload-1") -> Part:
    """A part."""
    return Part(number=number, etag=f'"{of}"', checksum="c2hhMjU2", tree_hash="ab" * 32)


def test_a_part_is_remembered_once(records: TransferRecords) -> None:
    bring_to(records, S.STAGED)
    records.register_upload(RUN, ONE, "upload-1")
    assert records.store_part(RUN, ONE, upload_id="upload-1", part=part()) is PartStored.NEW
    assert records.store_part(RUN, ONE, upload_id="upload-1", part=part()) is PartStored.KNOWN
    assert records.part(RUN, ONE, upload_id="upload-1", number=1) == part()
    assert records.part(RUN, ONE, upload_id="upload-1", number=2) is None
    assert records.part(RUN, ONE, upload_id="upload-2", number=1) is None


def test_a_part_of_an_abandoned_upload_never_replaces_one_of_the_present(records: TransferRecords) -> None:
    bring_to(records, S.STAGED)
    records.register_upload(RUN, ONE, "new")
    assert records.store_part(RUN, ONE, upload_id="old", part=part(of="old")) is PartStored.NEW
    assert records.store_part(RUN, ONE, upload_id="new", part=part(of="new")) is PartStored.NEW
    assert records.store_part(RUN, ONE, upload_id="old", part=part(of="old")) is PartStored.ABANDONED
    assert records.parts(RUN, ONE, upload_id="new") == [part(of="new")]
    assert records.parts(RUN, ONE, upload_id="old") == []


def test_parts_come_in_order_and_are_forgotten_together(records: TransferRecords) -> None:
    numbers = [10_000, 3, 20, 1, *range(100, 130)]
    for number in numbers:
        records.store_part(RUN, ONE, upload_id="upload-1", part=part(number))
    assert [one.number for one in records.parts(RUN, ONE, upload_id="upload-1")] == sorted(numbers)
    records.forget_parts(RUN, ONE)
    assert records.parts(RUN, ONE, upload_id="upload-1") == []


def test_parts_and_replays_are_counted_per_upload(records: TransferRecords) -> None:
    assert records.count_part(RUN, ONE, upload_id="upload-1") == Progress(counted=1, replays=0)
    assert records.count_replay(RUN, ONE, upload_id="upload-1") == Progress(counted=1, replays=1)
    assert records.count_part(RUN, ONE, upload_id="upload-2") == Progress(counted=1, replays=0)


def test_the_latest_problem_is_kept(records: TransferRecords) -> None:
    assert records.problem(RUN, ONE) is None
    records.note_problem(RUN, ONE, problem="first", now=START)
    records.note_problem(RUN, ONE, problem="second", now=LATER)
    assert records.problem(RUN, ONE) == "second"


def test_an_archive_in_one_chunk_fits_one_write_unit(dynamodb: DynamoDBClient, retrieval_table: str) -> None:
    records = DynamoTransferRecords(dynamodb, retrieval_table)
    records.create([record(archive(file_name="photos/2019/05/17/holiday.jpg"), chunk_size=8 * MIB, run="r" * 30)])
    run = "r" * 30
    records.settle(run, [Outcome(archive_id=ONE, job_id="j" * 92)], START)
    records.stage(run, ONE, job_id="j" * 92, window_end=END, now=START)
    records.complete(run, ONE, checksum="c" * 44, now=LATER)
    item = dynamodb.scan(TableName=retrieval_table)["Items"][0]
    size = sum(len(name) + len(value.get("S", "")) + len(value.get("N", "")) for name, value in item.items())
    assert size < 1000


def test_run_facts_tell_the_execution(dynamodb: DynamoDBClient, retrieval_table: str) -> None:
    reader = DynamoRunFacts(dynamodb, retrieval_table)
    assert reader.facts(RUN) is None
    dynamodb.put_item(
        TableName=retrieval_table,
        Item={
            "pk": {"S": RUN},
            "sk": {"S": "meta"},
            Run.EXECUTION_NAME: {"S": "run-1-1"},
        },
    )
    facts = reader.facts(RUN)
    assert facts is not None
    assert (facts.execution_name, facts.status) == ("run-1-1", RunStatus.RUNNING)


def test_run_facts_tell_attempt_and_status(dynamodb: DynamoDBClient, retrieval_table: str) -> None:
    item = {
        "pk": {"S": RUN},
        "sk": {"S": "meta"},
        Run.EXECUTION_NAME: {"S": "run-1-2"},
        Run.ATTEMPT: {"N": "2"},
        Run.STATUS: {"S": "STOPPING"},
    }
    dynamodb.put_item(TableName=retrieval_table, Item=item)
    facts = DynamoRunFacts(dynamodb, retrieval_table).facts(RUN)
    assert facts == RunFacts(run=RUN, execution_name="run-1-2", attempt=2, status=RunStatus.STOPPING)
