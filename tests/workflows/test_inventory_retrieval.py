"""``InventoryRetrievalStateMachine``: from a vault, or a file of the user's, to sorted, named, partitioned work."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from solution.contract import object_keys as keys
from solution.contract.entry_points import (
    INVENTORY_CHUNK_TRANSFER,
    INVENTORY_JOB_REQUEST,
    INVENTORY_JOB_STATUS,
    INVENTORY_UPLOAD_COMPLETE,
    INVENTORY_UPLOAD_START,
    NAMING_OVERRIDE_FETCH,
    PROVIDED_INVENTORY_CHECK,
    SEND_ANONYMIZED_STATS,
    EntryPoint,
)
from solution.contract.messages import JobResult
from solution.contract.settings import GlueJobArguments
from solution.domain.archive import MigrationType, StorageClass, Tier
from tests.local.support import unique
from tests.workflows.stubs import Stubs, always, error, in_turn
from tests.workflows.world import VAULT, World

MACHINE = "InventoryRetrieval"
SIZE = 20_000_000
IMPATIENT = {"Prepare": {"Parameters": {"jobs": 0, "rounds": 0, "looks": 0, "poll_seconds": 1}}}
"""Looks at the inventory job after a second."""


def order(run: str, **more: Any) -> dict[str, Any]:
    """The input as the orchestrator gives it."""
    return {
        "workflow_run": run,
        "vault_name": VAULT,
        "migration_type": MigrationType.LAUNCH,
        "provided_inventory": "NO",
        "tier": Tier.BULK,
        "s3_storage_class": StorageClass.GLACIER,
        "name_override_presigned_url": "",
        "execution_name": f"{run}-1",
        **more,
    }


def sorting_runs(world: World, run: str) -> list[dict[str, Any]]:
    """Runs of the inventory job for this run, oldest first."""
    found = world.solution.client("glue").get_job_runs(JobName=f"InventoryJob-{world.suffix}")["JobRuns"]
    mine = [job_run for job_run in found if job_run["Arguments"]["--workflow_run"] == run]
    return sorted(mine, key=lambda job_run: job_run["StartedOn"])


@pytest.fixture
def job(stubs: Stubs, run: str) -> JobResult:
    """An inventory job of Glacier, of three ranges; it has not ended yet."""
    upload = {"upload_id": "upload", "key": "key.csv", "range_bytes": 8_388_608, "parts": [1, 2, 3]}
    made = JobResult(job_id=f"job-of-{run}", succeeded=True, message="", size=SIZE)
    stubs.answer(INVENTORY_JOB_REQUEST, always({"job_id": made.job_id}))
    stubs.answer(INVENTORY_JOB_STATUS, always(status(made, in_progress=True)))
    stubs.answer(INVENTORY_UPLOAD_START, always(upload))
    stubs.answer(INVENTORY_CHUNK_TRANSFER, lambda event: {"part": event["part"], "bytes": 1})
    return made


def shared_but(fields: dict[str, Any], *left_out: str) -> dict[str, Any]:
    """The fields without some of them."""
    return {name: value for name, value in fields.items() if name not in left_out}


def status(job: JobResult, *, in_progress: bool) -> dict[str, Any]:
    """What a look at the job says."""
    return {
        "job_id": job.job_id,
        "succeeded": not in_progress,
        "message": "",
        "size": None if in_progress else SIZE,
        "in_progress": in_progress,
    }


def test_a_provided_inventory_is_checked_and_sorted_and_glacier_is_not_asked(
    world: World, stubs: Stubs, run: str
) -> None:
    ended = world.execute(MACHINE, order(run, provided_inventory="YES"))
    assert ended.status == "SUCCEEDED"
    assert stubs.called() == [PROVIDED_INVENTORY_CHECK.name, SEND_ANONYMIZED_STATS.name]
    assert stubs.events(PROVIDED_INVENTORY_CHECK) == [{"workflow_run": run, "start": None}]
    [statistics] = stubs.events(SEND_ANONYMIZED_STATS)
    assert {name: statistics[name] for name in ("workflow_run", "tier", "s3_storage_class")} == {
        "workflow_run": run,
        "tier": Tier.BULK,
        "s3_storage_class": StorageClass.GLACIER,
    }


def test_the_inventory_job_is_told_where_everything_lies(world: World, run: str) -> None:
    world.execute(MACHINE, order(run, provided_inventory="YES"))
    [sorting] = sorting_runs(world, run)
    bucket = world.solution.target.output("InventoryBucketName")
    given = {name: sorting["Arguments"][f"--{name}"] for name in GlueJobArguments.names()}
    assert given["inventory_uri"] == f"s3://{bucket}/{keys.prefix(run, keys.ORIGINAL_INVENTORY)}"
    assert given["overrides_uri"] == f"s3://{bucket}/{keys.prefix(run, keys.NAMING_OVERRIDES)}"
    assert given["output_uri"] == f"s3://{bucket}/{keys.prefix(run, keys.SORTED_INVENTORY)}"
    assert given["not_migrated_uri"] == f"s3://{bucket}/{keys.prefix(run, keys.NOT_MIGRATED)}"
    assert given["rejected_uri"] == f"s3://{bucket}/{keys.prefix(run, keys.REJECTED_ROWS)}"
    assert given["metric_table"] == world.solution.target.output("MetricTableName")
    assert all(int(given[name]) > 0 for name in ("partition_bytes", "partition_archives", "file_archives"))


def test_a_provided_inventory_that_cannot_be_used_ends_the_run_with_its_row(
    world: World, stubs: Stubs, run: str
) -> None:
    stubs.answer(PROVIDED_INVENTORY_CHECK, in_turn(error("InvalidInput", "row 7: Size is not a number")))
    ended = world.execute(MACHINE, order(run, provided_inventory="YES"))
    assert (ended.status, ended.error) == ("FAILED", "InvalidInput")
    assert "row 7" in ended.cause
    assert sorting_runs(world, run) == []


def test_an_inventory_of_glacier_is_copied_in_ranges(world: World, stubs: Stubs, run: str, job: JobResult) -> None:
    arn = world.start(MACHINE, order(run))
    world.awaited(job.job_id)
    world.answer_job(job)
    assert world.outcome(arn).status == "SUCCEEDED"
    assert stubs.events(INVENTORY_JOB_REQUEST) == [{"workflow_run": run, "vault_name": VAULT}]
    assert stubs.events(INVENTORY_UPLOAD_START) == [{"workflow_run": run, "job_id": job.job_id, "size": SIZE}]
    copied = sorted(stubs.events(INVENTORY_CHUNK_TRANSFER), key=lambda event: int(event["part"]))
    shared = {
        "workflow_run": run,
        "vault_name": VAULT,
        "job_id": job.job_id,
        "upload_id": "upload",
        "key": "key.csv",
        "size": SIZE,
        "range_bytes": 8_388_608,
    }
    assert copied == [{**shared, "part": part} for part in (1, 2, 3)]
    assert stubs.events(INVENTORY_UPLOAD_COMPLETE) == [shared_but(shared, "vault_name")]
    assert len(sorting_runs(world, run)) == 1
    assert stubs.events(INVENTORY_JOB_STATUS) == []


def test_a_notification_that_beats_the_waiting_state_is_not_lost(
    world: World, stubs: Stubs, run: str, job: JobResult
) -> None:
    world.answer_job(job)
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    assert len(stubs.events(INVENTORY_UPLOAD_COMPLETE)) == 1


def test_a_job_that_failed_ends_the_run_with_glaciers_words(
    world: World, stubs: Stubs, run: str, job: JobResult
) -> None:
    world.answer_job(JobResult(job_id=job.job_id, succeeded=False, message="The vault is being deleted"))
    ended = world.execute(MACHINE, order(run))
    assert (ended.status, ended.error) == ("FAILED", "GlacierJobError")
    assert (
        ended.cause
        == f"the inventory job {job.job_id} of vault {VAULT} failed, says Glacier: The vault is being deleted"
    )
    assert stubs.events(INVENTORY_UPLOAD_START) == []


def test_a_lost_notification_is_made_up_for_by_looking(world: World, stubs: Stubs, run: str, job: JobResult) -> None:
    stubs.answer(INVENTORY_JOB_STATUS, in_turn(status(job, in_progress=True), status(job, in_progress=False)))
    with world.changed(MACHINE, IMPATIENT):
        ended = world.execute(MACHINE, order(run))
    assert ended.status == "SUCCEEDED"
    assert ended.states.count("AwaitInventoryJob") == 2
    assert stubs.events(INVENTORY_JOB_STATUS) == [{"vault_name": VAULT, "job_id": job.job_id}] * 2
    assert stubs.events(INVENTORY_UPLOAD_START) == [{"workflow_run": run, "job_id": job.job_id, "size": SIZE}]


def test_a_notification_that_comes_after_the_time_is_up_releases_the_next_wait(
    world: World, stubs: Stubs, run: str, job: JobResult
) -> None:
    def look(_event: dict[str, Any]) -> dict[str, Any]:
        # the token that lies beside this result is the one of the wait that is over
        world.answer_job(job)
        return status(job, in_progress=True)

    stubs.answer(INVENTORY_JOB_STATUS, look)
    with world.changed(MACHINE, IMPATIENT):
        ended = world.execute(MACHINE, order(run))
    assert ended.status == "SUCCEEDED"
    assert ended.states.count("AwaitInventoryJob") > 1
    assert len(stubs.events(INVENTORY_UPLOAD_COMPLETE)) == 1


def test_a_job_found_failed_by_looking_ends_the_run(world: World, stubs: Stubs, run: str, job: JobResult) -> None:
    failed = {**status(job, in_progress=False), "succeeded": False, "message": "Glacier gave up"}
    stubs.answer(INVENTORY_JOB_STATUS, always(failed))
    with world.changed(MACHINE, IMPATIENT):
        ended = world.execute(MACHINE, order(run))
    assert (ended.status, ended.error) == ("FAILED", "GlacierJobError")
    assert ended.cause.endswith("failed, says Glacier: Glacier gave up")


def test_a_job_that_expired_unnoticed_is_asked_for_again_and_not_for_ever(
    world: World, stubs: Stubs, run: str, job: JobResult
) -> None:
    stubs.answer(INVENTORY_JOB_STATUS, in_turn(error("JobExpired", "The job ID was not found")))
    with world.changed(MACHINE, IMPATIENT):
        ended = world.execute(MACHINE, order(run))
    assert (ended.status, ended.error) == ("FAILED", "GlacierJobError")
    assert "asked 3 times" in ended.cause
    assert len(stubs.events(INVENTORY_JOB_REQUEST)) == 3
    assert {event["job_id"] for event in stubs.events(INVENTORY_JOB_STATUS)} == {job.job_id}


def test_a_job_that_never_ends_is_asked_for_again(world: World, stubs: Stubs, run: str, job: JobResult) -> None:
    second = JobResult(job_id=f"{job.job_id}-again", succeeded=True, message="", size=SIZE)
    stubs.answer(INVENTORY_JOB_REQUEST, in_turn({"job_id": job.job_id}, {"job_id": second.job_id}))
    world.answer_job(second)
    looked = {"LooksLeft?": {"Choices": [{"Variable": "$.counted.looks", "NumericLessThan": 2, "Next": "CountLook"}]}}
    with world.changed(MACHINE, {**IMPATIENT, **looked}):
        ended = world.execute(MACHINE, order(run))
    assert ended.status == "SUCCEEDED"
    assert [event["job_id"] for event in stubs.events(INVENTORY_JOB_STATUS)] == [job.job_id] * 2
    assert [event["job_id"] for event in stubs.events(INVENTORY_UPLOAD_START)] == [second.job_id]


def test_a_range_that_breaks_off_is_copied_again(world: World, stubs: Stubs, run: str, job: JobResult) -> None:
    broken = threading.Event()

    def transfer(event: dict[str, Any]) -> dict[str, Any]:
        if event["part"] == 2 and not broken.is_set():
            broken.set()
            raise error("ShortRead")
        return {"part": event["part"], "bytes": 1}

    stubs.answer(INVENTORY_CHUNK_TRANSFER, transfer)
    world.answer_job(job)
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    assert sorted(event["part"] for event in stubs.events(INVENTORY_CHUNK_TRANSFER)) == [1, 2, 2, 3]


def test_a_range_that_cannot_be_copied_ends_the_run_with_the_reason(
    world: World, stubs: Stubs, run: str, job: JobResult
) -> None:
    def transfer(event: dict[str, Any]) -> dict[str, Any]:
        if event["part"] == 2:
            raise error("AccessDenied", "not authorized to perform: s3:PutObject")
        return {"part": event["part"], "bytes": 1}

    stubs.answer(INVENTORY_CHUNK_TRANSFER, transfer)
    stubs.answer(INVENTORY_UPLOAD_COMPLETE, always({"missing": [2, 3]}))
    world.answer_job(job)
    ended = world.execute(MACHINE, order(run))
    assert (ended.status, ended.error) == ("FAILED", "AccessDenied")
    assert "s3:PutObject" in ended.cause
    assert sorting_runs(world, run) == []


def test_a_part_that_was_lost_is_copied_again_and_no_other(
    world: World, stubs: Stubs, run: str, job: JobResult
) -> None:
    stubs.answer(INVENTORY_UPLOAD_COMPLETE, in_turn({"missing": [2]}, {"missing": []}))
    world.answer_job(job)
    ended = world.execute(MACHINE, order(run))
    assert ended.status == "SUCCEEDED"
    copied = [event["part"] for event in stubs.events(INVENTORY_CHUNK_TRANSFER)]
    assert sorted(copied[:3]) == [1, 2, 3]
    assert set(copied[3:]) == {2}
    assert len(stubs.events(INVENTORY_UPLOAD_START)) == 1


def test_parts_that_keep_getting_lost_end_the_run(world: World, stubs: Stubs, run: str, job: JobResult) -> None:
    stubs.answer(INVENTORY_UPLOAD_COMPLETE, always({"missing": [1]}))
    world.answer_job(job)
    ended = world.execute(MACHINE, order(run))
    assert (ended.status, ended.error) == ("FAILED", "InventoryIncomplete")
    assert len(stubs.events(INVENTORY_UPLOAD_COMPLETE)) == 4


def test_a_job_that_expires_in_the_middle_of_the_download_is_asked_for_again(
    world: World, stubs: Stubs, run: str, job: JobResult
) -> None:
    second = JobResult(job_id=f"{job.job_id}-again", succeeded=True, message="", size=SIZE)
    stubs.answer(INVENTORY_JOB_REQUEST, in_turn({"job_id": job.job_id}, {"job_id": second.job_id}))

    def transfer(event: dict[str, Any]) -> dict[str, Any]:
        if event["job_id"] == job.job_id and event["part"] > 1:
            raise error("JobExpired", "The job ID was not found")
        return {"part": event["part"], "bytes": 1}

    stubs.answer(INVENTORY_CHUNK_TRANSFER, transfer)
    stubs.answer(INVENTORY_UPLOAD_COMPLETE, in_turn({"missing": [2, 3]}, {"missing": []}))
    world.answer_job(job)
    world.answer_job(second)
    ended = world.execute(MACHINE, order(run))
    assert ended.status == "SUCCEEDED"
    assert [event["job_id"] for event in stubs.events(INVENTORY_UPLOAD_START)] == [job.job_id, second.job_id]
    again = [event["part"] for event in stubs.events(INVENTORY_CHUNK_TRANSFER) if event["job_id"] == second.job_id]
    assert sorted(again) == [1, 2, 3]


@pytest.mark.parametrize("where", [INVENTORY_CHUNK_TRANSFER, INVENTORY_UPLOAD_COMPLETE])
def test_an_upload_that_somebody_aborts_is_begun_again(
    world: World, stubs: Stubs, run: str, job: JobResult, where: EntryPoint
) -> None:
    aborted = threading.Event()
    well = stubs.answers(where)

    def once(event: dict[str, Any]) -> Any:
        if not aborted.is_set():
            aborted.set()
            raise error("UploadVanished", "no longer known to S3")
        return well(event)

    stubs.answer(where, once)
    if where is INVENTORY_CHUNK_TRANSFER:
        stubs.answer(INVENTORY_UPLOAD_COMPLETE, in_turn(error("UploadVanished"), {"missing": []}))
    world.answer_job(job)
    ended = world.execute(MACHINE, order(run))
    assert ended.status == "SUCCEEDED"
    assert len(stubs.events(INVENTORY_UPLOAD_START)) == 2


def test_an_upload_that_keeps_vanishing_ends_the_run(world: World, stubs: Stubs, run: str, job: JobResult) -> None:
    stubs.answer(INVENTORY_UPLOAD_COMPLETE, in_turn(error("UploadVanished")))
    world.answer_job(job)
    ended = world.execute(MACHINE, order(run))
    assert (ended.status, ended.error) == ("FAILED", "UploadVanished")
    assert "aborted by somebody else" in ended.cause
    assert len(stubs.events(INVENTORY_UPLOAD_START)) == 4


def test_glacier_that_asks_to_slow_down_is_asked_again(world: World, stubs: Stubs, run: str, job: JobResult) -> None:
    stubs.answer(INVENTORY_JOB_REQUEST, in_turn(error("Throttled"), error("TransientError"), {"job_id": job.job_id}))
    world.answer_job(job)
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    assert len(stubs.events(INVENTORY_JOB_REQUEST)) == 3


def test_a_vault_that_glacier_refuses_ends_the_run_with_its_words(
    world: World, stubs: Stubs, run: str, job: JobResult
) -> None:
    assert job.job_id
    stubs.answer(INVENTORY_JOB_REQUEST, in_turn(error("JobRefused", "Vault not found for ARN")))
    ended = world.execute(MACHINE, order(run))
    assert (ended.status, ended.error) == ("FAILED", "JobRefused")
    assert "Vault not found" in ended.cause


def test_a_resume_takes_up_the_sorted_inventory(world: World, stubs: Stubs, run: str) -> None:
    world.write_csv(keys.partitions_key(run), keys.PARTITION_COLUMNS, [])
    ended = world.execute(MACHINE, order(run, migration_type=MigrationType.RESUME))
    assert ended.status == "SUCCEEDED"
    assert ended.states[-1] == "InventoryReused"
    assert stubs.called() == []
    assert sorting_runs(world, run) == []


def test_a_resume_without_a_sorted_inventory_makes_one(world: World, stubs: Stubs, run: str) -> None:
    again = order(run, migration_type=MigrationType.RESUME, provided_inventory="YES")
    assert world.execute(MACHINE, again).status == "SUCCEEDED"
    assert len(stubs.events(PROVIDED_INVENTORY_CHECK)) == 1
    assert len(sorting_runs(world, run)) == 1


def test_a_resume_takes_up_the_inventory_that_glacier_gave_and_sorts_it(world: World, stubs: Stubs, run: str) -> None:
    world.write_csv(keys.original_inventory_key(run), keys.INVENTORY_COLUMNS, [])
    ended = world.execute(MACHINE, order(run, migration_type=MigrationType.RESUME))
    assert ended.status == "SUCCEEDED"
    assert stubs.called() == [SEND_ANONYMIZED_STATS.name]
    assert len(sorting_runs(world, run)) == 1


def test_a_launch_does_not_take_up_what_lies_there(world: World, stubs: Stubs, run: str, job: JobResult) -> None:
    world.write_csv(keys.original_inventory_key(run), keys.INVENTORY_COLUMNS, [])
    world.answer_job(job)
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    assert len(stubs.events(INVENTORY_JOB_REQUEST)) == 1


def test_a_provided_inventory_is_checked_step_by_step(world: World, stubs: Stubs, run: str) -> None:
    positions = [None, {"file": 0, "row": 5}, {"file": 1, "row": 9}]
    steps = [{"rows": 1, "next": position} for position in (*positions[1:], None)]
    stubs.answer(PROVIDED_INVENTORY_CHECK, in_turn(*steps))
    assert world.execute(MACHINE, order(run, provided_inventory="YES")).status == "SUCCEEDED"
    assert [event["start"] for event in stubs.events(PROVIDED_INVENTORY_CHECK)] == positions


def test_names_of_the_user_are_fetched_before_their_url_gets_old(world: World, stubs: Stubs, run: str) -> None:
    url = "https://example.com/names.csv?signature=abc"
    ended = world.execute(MACHINE, order(run, provided_inventory="YES", name_override_presigned_url=url))
    assert ended.status == "SUCCEEDED"
    assert stubs.events(NAMING_OVERRIDE_FETCH) == [{"workflow_run": run, "name_override_presigned_url": url}]
    assert stubs.called()[0] == NAMING_OVERRIDE_FETCH.name


def test_names_that_cannot_be_fetched_end_the_run_before_glacier_is_asked(world: World, stubs: Stubs, run: str) -> None:
    refusal = "NamingOverrideFile: host example.com answered with status 403"
    stubs.answer(NAMING_OVERRIDE_FETCH, in_turn(error("NotPossible", refusal)))
    ended = world.execute(MACHINE, order(run, name_override_presigned_url="https://example.com/names.csv"))
    assert (ended.status, ended.error) == ("FAILED", "NotPossible")
    assert refusal in ended.cause
    assert stubs.called() == [NAMING_OVERRIDE_FETCH.name]


def test_an_inventory_that_cannot_be_sorted_is_tried_twice_and_ends_the_run(world: World, stubs: Stubs) -> None:
    run = unique("unsortable")
    ended = world.execute(MACHINE, order(run, provided_inventory="YES"))
    assert ended.status == "FAILED"
    assert "cannot be sorted" in ended.cause
    assert len(sorting_runs(world, run)) == 2
    assert stubs.events(SEND_ANONYMIZED_STATS) == []


@pytest.mark.parametrize("how", ["refused", "hanging"])
def test_statistics_never_hurt_a_run(world: World, stubs: Stubs, run: str, how: str) -> None:
    answer = stubs.hang if how == "hanging" else in_turn(error("URLError", "the endpoint is gone"))
    stubs.answer(SEND_ANONYMIZED_STATS, answer)
    with world.changed(MACHINE, {"SendAnonymizedStats": {"TimeoutSeconds": 1}}):
        ended = world.execute(MACHINE, order(run, provided_inventory="YES"))
    assert ended.status == "SUCCEEDED"
    assert ended.states[-1] == "InventoryReady"
    assert len(stubs.events(SEND_ANONYMIZED_STATS)) <= 1
