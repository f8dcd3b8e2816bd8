"""``ExtendDownloadWindowStateMachine``: windows are kept open, and overdue retrievals looked after."""

from __future__ import annotations

from typing import Any

import pytest

from solution.contract.entry_points import ARCHIVES_SCAN, EXTEND_WINDOW_REQUEST
from solution.contract.messages import WorkBatch
from solution.domain.archive import Tier
from tests.workflows.stubs import Answer, Stubs, error, in_turn
from tests.workflows.world import VAULT, World

MACHINE = "ExtendDownloadWindow"


def order(run: str) -> dict[str, str]:
    """The input as the rule's target gives it."""
    return {"workflow_run": run, "vault_name": VAULT, "tier": Tier.BULK}


def finds(world: World, lists: dict[int, list[str]]) -> Answer:
    """A scan that finds, by segment, these archives."""

    def scan(event: dict[str, Any]) -> dict[str, Any]:
        found = lists.get(event["segment"], [])
        if found:
            world.write_work_list(event["output_prefix"], f"{event['segment']}-00000", found)
        return {"next": None, "found": len(found)}

    return scan


def test_a_run_with_nothing_under_way_costs_no_scan(world: World, stubs: Stubs, run: str) -> None:
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    world.count(run, total=9, requested=3, staged=3, downloaded=3)
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    assert stubs.called() == []


@pytest.mark.parametrize("staged", [0, 3])
def test_where_nothing_is_due_nothing_is_asked(world: World, stubs: Stubs, run: str, staged: int) -> None:
    world.count(run, total=9, requested=5, staged=staged)
    ended = world.execute(MACHINE, order(run))
    assert ended.status == "SUCCEEDED"
    scans = stubs.events(ARCHIVES_SCAN)
    assert {(scan["workflow_run"], scan["purpose"]) for scan in scans} == {(run, "due")}
    assert {scan["output_prefix"] for scan in scans} == {f"{run}/download_window_extension/{ended.name}/"}
    assert sorted(scan["segment"] for scan in scans) == list(range(scans[0]["total_segments"]))
    assert stubs.events(EXTEND_WINDOW_REQUEST) == []


def test_what_is_due_is_handed_on_by_the_hundred(world: World, stubs: Stubs, run: str) -> None:
    world.count(run, total=200, requested=200, staged=200)
    first, second = [f"a{number:03d}" for number in range(120)], ["b0", "b1"]
    stubs.answer(ARCHIVES_SCAN, finds(world, {0: first, 3: second}))
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    batches = [WorkBatch.parse(event) for event in stubs.events(EXTEND_WINDOW_REQUEST)]
    assert [list(batch.archive_ids) for batch in batches] == [first[:100], first[100:], second]
    assert {(batch.workflow_run, batch.vault_name, batch.tier) for batch in batches} == {(run, VAULT, Tier.BULK)}


def test_a_throttled_request_is_repeated(world: World, stubs: Stubs, run: str) -> None:
    world.count(run, total=1, requested=1, staged=1)
    stubs.answer(ARCHIVES_SCAN, finds(world, {2: ["a"]}))
    stubs.answer(EXTEND_WINDOW_REQUEST, in_turn(error("Throttled"), {"extended": 1, "requested_again": 0}))
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    assert len(stubs.events(EXTEND_WINDOW_REQUEST)) == 2


def test_a_request_that_hangs_is_given_up_and_the_next_tick_asks_again(world: World, stubs: Stubs, run: str) -> None:
    world.count(run, total=1, requested=1, staged=1)
    stubs.answer(ARCHIVES_SCAN, finds(world, {2: ["a"]}))
    stubs.answer(EXTEND_WINDOW_REQUEST, stubs.hang)
    with world.changed(MACHINE, {"ExtendBatch": {"TimeoutSeconds": 1}}):
        ended = world.execute(MACHINE, order(run))
    assert ended.status == "FAILED"
    assert [name for name, _ in world.child_errors(ended.arn)] == ["States.Timeout"]
    stubs.answer(EXTEND_WINDOW_REQUEST, in_turn({"extended": 1, "requested_again": 0}))
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"


def test_a_refusal_ends_the_execution_with_its_reason(world: World, stubs: Stubs, run: str) -> None:
    world.count(run, total=1, requested=1, staged=1)
    stubs.answer(ARCHIVES_SCAN, finds(world, {2: ["a"]}))
    stubs.answer(EXTEND_WINDOW_REQUEST, in_turn(error("InvalidInput", "no such vault")))
    ended = world.execute(MACHINE, order(run))
    assert ended.status == "FAILED"
    [(name, cause)] = world.child_errors(ended.arn)
    assert name == "InvalidInput"
    assert "no such vault" in cause
