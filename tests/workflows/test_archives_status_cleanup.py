"""``ArchivesStatusCleanupStateMachine``: what an earlier attempt left unfinished is stopped before the next begins."""

from __future__ import annotations

from typing import Any

from solution.contract.entry_points import ARCHIVES_SCAN, ARCHIVES_STATUS_STOP
from solution.contract.messages import WorkBatch
from tests.local.support import until
from tests.workflows.stubs import Answer, Stubs, error, in_turn
from tests.workflows.world import VAULT, World

MACHINE = "ArchivesStatusCleanup"


def order(run: str) -> dict[str, str]:
    """The input as the orchestrator gives it."""
    return {"workflow_run": run, "vault_name": VAULT, "execution_name": f"{run}-2"}


def finds(world: World, *archive_ids: str) -> Answer:
    """A scan that finds these archives, all in the first segment."""

    def scan(event: dict[str, Any]) -> dict[str, Any]:
        if event["segment"] == 0:
            world.write_work_list(event["output_prefix"], "0-00000", archive_ids)
            return {"next": None, "found": len(archive_ids)}
        return {"next": None, "found": 0}

    return scan


def test_a_run_with_nothing_unfinished_is_left_as_it_is(world: World, stubs: Stubs, run: str) -> None:
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    scans = stubs.events(ARCHIVES_SCAN)
    assert sorted(scan["segment"] for scan in scans) == list(range(scans[0]["total_segments"]))
    for scan in scans:
        assert scan["workflow_run"] == run
        assert scan["purpose"] == "unfinished"
        assert scan["output_prefix"] == f"{run}/archives_status_cleanup/{run}-2/"
        assert scan["start"] is None
    assert stubs.called() == [ARCHIVES_SCAN.name] * len(scans)


def test_each_segment_is_read_on_until_its_end(world: World, stubs: Stubs, run: str) -> None:
    ends = {None: "page 2", "page 2": "page 3", "page 3": None}

    def scan(event: dict[str, Any]) -> dict[str, Any]:
        here = event["start"] and event["start"]["page"]
        following = ends[here] if event["segment"] == 1 else None
        return {"next": following and {"page": following}, "found": 0}

    stubs.answer(ARCHIVES_SCAN, scan)
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    starts = [event["start"] for event in stubs.events(ARCHIVES_SCAN) if event["segment"] == 1]
    assert starts == [None, {"page": "page 2"}, {"page": "page 3"}]
    assert len(stubs.events(ARCHIVES_SCAN)) == 4 + 2


def test_all_that_is_found_is_stopped_by_the_hundred(world: World, stubs: Stubs, run: str) -> None:
    found = [f"archive{number:03d}" for number in range(250)]
    stubs.answer(ARCHIVES_SCAN, finds(world, *found))
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    batches = [WorkBatch.parse(event) for event in stubs.events(ARCHIVES_STATUS_STOP)]
    assert sorted(len(batch.archive_ids) for batch in batches) == [50, 100, 100]
    assert sorted(archive for batch in batches for archive in batch.archive_ids) == found
    assert {(batch.workflow_run, batch.vault_name) for batch in batches} == {(run, VAULT)}


def test_the_run_goes_on_when_the_counters_have_taken_in_every_stop(world: World, run: str) -> None:
    world.count(run, total=3, requested=3, staged=2, downloaded=1, failed=1)
    with world.changed(MACHINE, {"WaitForCounters": {"Seconds": 1}}):
        arn = world.start(MACHINE, order(run))
        world.reaches(arn, "WaitForCounters")
        world.count(run, total=3, requested=1, staged=1, downloaded=1)
        ended = world.outcome(arn)
    assert ended.status == "SUCCEEDED"
    assert ended.states[-2:] == ["Settled?", "Stopped"]
    assert "NeverSettled" not in ended.states


def test_the_counters_take_in_every_stop_through_the_stream_of_the_table(world: World, stubs: Stubs, run: str) -> None:
    archives = {"a": "requested", "b": "failed", "c": "downloaded"}
    world.count(run, total=3)
    for archive, status in archives.items():
        world.write_archive(run, archive, status)
    until(lambda: world.counts(run)["failed"] == 1 and world.counts(run)["requested"] == 2)

    def stop(event: dict[str, Any]) -> dict[str, int]:
        for archive in WorkBatch.parse(event).archive_ids:
            world.write_archive(run, archive, "stopped")
        return {"stopped": len(event["Items"])}

    stubs.answer(ARCHIVES_SCAN, finds(world, "a", "b"))
    stubs.answer(ARCHIVES_STATUS_STOP, stop)
    with world.changed(MACHINE, {"WaitForCounters": {"Seconds": 1}}):
        assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    assert world.counts(run) == {
        "total": 3,
        "skipped": 0,
        "rejected": 0,
        "requested": 1,
        "staged": 1,
        "downloaded": 1,
        "failed": 0,
    }


def test_counters_that_never_agree_end_the_attempt_with_advice(world: World, run: str) -> None:
    world.count(run, total=3, requested=3)
    nearly_over: dict[str, dict[str, Any]] = {"Settle": {"Result": {"round": 59}}, "WaitForCounters": {"Seconds": 1}}
    with world.changed(MACHINE, nearly_over):
        ended = world.execute(MACHINE, order(run))
    assert (ended.status, ended.error) == ("FAILED", "CountersNotSettled")
    assert "MetricsFailureQueue" in ended.cause
    assert ended.states.count("WaitForCounters") == 1


def test_a_throttled_stop_is_repeated(world: World, stubs: Stubs, run: str) -> None:
    stubs.answer(ARCHIVES_SCAN, finds(world, "a", "b"))
    stubs.answer(ARCHIVES_STATUS_STOP, in_turn(error("Throttled"), {"stopped": 2}))
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    first, second = stubs.events(ARCHIVES_STATUS_STOP)
    assert first == second


def test_an_archive_that_cannot_be_stopped_ends_the_attempt(world: World, stubs: Stubs, run: str) -> None:
    stubs.answer(ARCHIVES_SCAN, finds(world, "a"))
    stubs.answer(ARCHIVES_STATUS_STOP, in_turn(error("InvalidInput", "no such archive")))
    ended = world.execute(MACHINE, order(run))
    assert (ended.status, ended.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    [(name, cause)] = world.child_errors(ended.arn)
    assert name == "InvalidInput"
    assert "no such archive" in cause


def test_a_scan_that_hangs_is_given_up(world: World, stubs: Stubs, run: str) -> None:
    stubs.answer(ARCHIVES_SCAN, stubs.hang)
    with world.changed(MACHINE, {"Scan": {"TimeoutSeconds": 1}}):
        ended = world.execute(MACHINE, order(run))
    assert (ended.status, ended.error) == ("FAILED", "States.Timeout")
    assert stubs.events(ARCHIVES_STATUS_STOP) == []
