"""``ArchivesStatusCleanupStateMachine``: what an earlier attempt left unfinished is stopped before the next begins."""

from __future__ import annotations

from typing import Any

from solution.contract.entry_points import ARCHIVES_SCAN, ARCHIVES_STATUS_STOP, COUNTERS_RECOUNT
from solution.contract.messages import WorkBatch
from tests.workflows.stubs import Answer, Stubs, error, in_turn
from tests.workflows.world import VAULT, World

MACHINE = "ArchivesStatusCleanup"


def order(run: str) -> dict[str, Any]:
    """The input as the orchestrator gives it."""
    return {"workflow_run": run, "vault_name": VAULT, "attempt": 2, "execution_name": f"{run}-2"}


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
    assert stubs.called() == [ARCHIVES_SCAN.name] * len(scans) + [COUNTERS_RECOUNT.name]


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
    assert {(batch.workflow_run, batch.vault_name, batch.attempt) for batch in batches} == {(run, VAULT, 2)}


def test_the_counters_are_restated_when_everything_is_stopped(world: World, stubs: Stubs, run: str) -> None:
    stubs.answer(ARCHIVES_SCAN, finds(world, "a", "b"))
    further = [{"key": f"page {number}", "archives": number, "bytes": str(2**60 + number)} for number in (1, 2)]
    stubs.answer(COUNTERS_RECOUNT, in_turn(*({"next": one} for one in (*further, None))))
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    assert stubs.events(COUNTERS_RECOUNT) == [
        {"workflow_run": run, "attempt": 2, "start": start} for start in (None, *further)
    ]
    assert stubs.called()[-4:] == [ARCHIVES_STATUS_STOP.name, *[COUNTERS_RECOUNT.name] * 3]


def test_counters_that_cannot_be_restated_end_the_attempt(world: World, stubs: Stubs, run: str) -> None:
    stubs.answer(COUNTERS_RECOUNT, in_turn(error("AccessDeniedException", "the key of the table is disabled")))
    ended = world.execute(MACHINE, order(run))
    assert (ended.status, ended.error) == ("FAILED", "AccessDeniedException")


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
