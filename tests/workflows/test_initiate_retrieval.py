"""``InitiateRetrievalStateMachine``: every archive is asked for, in order, within the quota."""

from __future__ import annotations

from collections.abc import Sequence

from solution.contract import object_keys as keys
from solution.contract import tables
from solution.contract.entry_points import CALCULATE_TIMEOUT, INITIATE_ARCHIVE_RETRIEVAL
from solution.contract.messages import RetrievalBatch, dump_sorted_row
from solution.domain.archive import Archive, StorageClass, Tier
from tests.workflows.stubs import Stubs, error, in_turn
from tests.workflows.world import VAULT, World


def order(run: str) -> dict[str, str | int]:
    """The input as the orchestrator gives it."""
    return {
        "workflow_run": run,
        "vault_name": VAULT,
        "tier": Tier.BULK,
        "s3_storage_class": StorageClass.DEEP_ARCHIVE,
        "attempt": 3,
    }


def archive(name: str) -> Archive:
    """An archive with everything that makes CSV and JSON hard."""
    return Archive(
        archive_id=name,
        size=1024,
        tree_hash="0" * 64,
        creation_date="2012-01-31T10:00:00Z",
        description=f'{name}: "quoted", ☕\nsecond line',
        file_name=f"Ordner, {name}/ü.bin",
    )


def sort(world: World, run: str, partitions: Sequence[Sequence[Sequence[str]]]) -> None:
    """A sorted inventory: partitions of files of archive ids; counters to match."""
    rows = []
    for number, files in enumerate(partitions):
        prefix = keys.partition_prefix(run, number)
        for at, names in enumerate(files):
            archives = [dump_sorted_row(archive(name)) for name in names]
            world.write_csv(f"{prefix}part-{at:05d}.csv", keys.SORTED_COLUMNS, archives)
        count = sum(map(len, files))
        last = "true" if number == len(partitions) - 1 else "false"
        rows.append(dict(zip(keys.PARTITION_COLUMNS, (number, prefix, count, 1024 * count, last), strict=True)))
    world.write_csv(keys.partitions_key(run), keys.PARTITION_COLUMNS, rows)
    world.count(run, total=sum(len(names) for files in partitions for names in files))


def asked(stubs: Stubs) -> list[list[str]]:
    """The batches of archive ids, as the function reads them."""
    batches = [RetrievalBatch.parse(event) for event in stubs.events(INITIATE_ARCHIVE_RETRIEVAL)]
    return [[found.archive_id for found in batch.archives] for batch in batches]


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number:03d}" for number in range(count)]


def test_partitions_files_and_rows_are_asked_for_in_order_by_the_hundred(world: World, stubs: Stubs, run: str) -> None:
    first, second, third = names("a", 230), names("b", 20), names("c", 5)
    sort(world, run, [[first, second], [third]])
    ended = world.execute("InitiateRetrieval", order(run))
    assert ended.status == "SUCCEEDED"
    assert asked(stubs) == [first[:100], first[100:200], first[200:], second, third]
    assert stubs.called() == [INITIATE_ARCHIVE_RETRIEVAL.name] * 5


def test_a_batch_holds_the_archives_as_they_are_and_what_the_run_fixes(world: World, stubs: Stubs, run: str) -> None:
    sort(world, run, [[["a"]]])
    world.execute("InitiateRetrieval", order(run))
    [event] = stubs.events(INITIATE_ARCHIVE_RETRIEVAL)
    assert RetrievalBatch.parse(event) == RetrievalBatch(
        workflow_run=run,
        vault_name=VAULT,
        tier=Tier.BULK,
        s3_storage_class=StorageClass.DEEP_ARCHIVE,
        archives=(archive("a"),),
        attempt=3,
    )


def test_the_beginning_of_each_partition_is_noted_in_the_record(world: World, stubs: Stubs, run: str) -> None:
    sort(world, run, [[["a", "b"]], [["c"]]])
    starts = []

    def look(_event: dict[str, object]) -> dict[str, int]:
        starts.append(world.run_record(run)[tables.Run.PARTITION_STARTED_AT]["S"])
        return {"requested": 1, "failed": 0, "already": 0}

    stubs.answer(INITIATE_ARCHIVE_RETRIEVAL, look)
    world.execute("InitiateRetrieval", order(run))
    assert starts == sorted(starts)
    assert len(set(starts)) == 2


def test_a_batch_that_the_budget_has_no_room_for_waits_as_long_as_the_pacing_says(
    world: World, stubs: Stubs, run: str
) -> None:
    sort(world, run, [[["a", "b"]], [["c"]]])
    done = {"requested": 1, "failed": 0, "already": 0}
    stubs.answer(INITIATE_ARCHIVE_RETRIEVAL, in_turn(error("QuotaUsed"), error("QuotaUsed"), done, done))
    stubs.answer(CALCULATE_TIMEOUT, in_turn({"seconds": 2}, {"seconds": 1}))
    assert world.execute("InitiateRetrieval", order(run)).status == "SUCCEEDED"
    assert asked(stubs) == [["a", "b"], ["a", "b"], ["a", "b"], ["c"]]
    assert [event["workflow_run"] for event in stubs.events(CALCULATE_TIMEOUT)] == [run, run]
    paced = stubs.calls(CALCULATE_TIMEOUT)
    following = stubs.calls(INITIATE_ARCHIVE_RETRIEVAL)[1:]
    assert following[0].began - paced[0].ended >= 2
    assert following[1].began - paced[1].ended >= 1


def test_a_throttled_batch_is_asked_for_again(world: World, stubs: Stubs, run: str) -> None:
    sort(world, run, [[["a", "b"]]])
    stubs.answer(INITIATE_ARCHIVE_RETRIEVAL, in_turn(error("Throttled"), {"requested": 2, "failed": 0, "already": 0}))
    assert world.execute("InitiateRetrieval", order(run)).status == "SUCCEEDED"
    assert asked(stubs) == [["a", "b"], ["a", "b"]]


def test_an_error_that_no_retry_mends_ends_the_run_before_the_next_partition(
    world: World, stubs: Stubs, run: str
) -> None:
    sort(world, run, [[["a"]], [["b"]]])
    stubs.answer(INITIATE_ARCHIVE_RETRIEVAL, in_turn(error("InvalidInput")))
    ended = world.execute("InitiateRetrieval", order(run))
    assert (ended.status, ended.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    assert asked(stubs) == [["a"]]


def test_a_function_that_hangs_is_given_up(world: World, stubs: Stubs, run: str) -> None:
    sort(world, run, [[["a"]]])
    stubs.answer(INITIATE_ARCHIVE_RETRIEVAL, stubs.hang)
    with world.changed("InitiateRetrieval", {"RequestBatch": {"TimeoutSeconds": 1}}):
        ended = world.execute("InitiateRetrieval", order(run))
    assert (ended.status, ended.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")


def test_a_vault_without_archives_to_transfer_needs_no_inventory_files(world: World, stubs: Stubs, run: str) -> None:
    world.count(run)
    assert world.execute("InitiateRetrieval", order(run)).status == "SUCCEEDED"
    world.count(run, total=3, skipped=1, rejected=2)
    assert world.execute("InitiateRetrieval", order(run)).status == "SUCCEEDED"
    assert stubs.called() == []


def test_a_run_without_counters_says_that_its_inventory_is_missing(world: World, run: str) -> None:
    ended = world.execute("InitiateRetrieval", order(run))
    assert (ended.status, ended.error) == ("FAILED", "NotCounted")
    assert "resume" in ended.cause
