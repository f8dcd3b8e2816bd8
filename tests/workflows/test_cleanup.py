"""``CleanupStateMachine``: what a run leaves behind is put away, and what became of it is written down and told."""

from __future__ import annotations

from typing import Any

import pytest

from solution.contract import metrics, object_keys
from solution.contract.entry_points import (
    ABORT_UPLOADS,
    ARCHIVES_SCAN,
    COMPLETION_NOTICE,
    RUN_CLOSER,
    RUN_REPORT,
    UNREQUESTED_LISTING,
    EntryPoint,
)
from solution.domain.archive import StorageClass, Tier
from tests.local.support import unique
from tests.workflows.stubs import PLAIN_ANSWERS, Stubs, always, error, in_turn
from tests.workflows.world import RULES, VAULT, World

MACHINE = "Cleanup"
STEPS = {
    ABORT_UPLOADS: "AbortUploads",
    ARCHIVES_SCAN: "WriteManifest",
    RUN_REPORT: "WriteReport",
    COMPLETION_NOTICE: "Notify",
}
"""The step that calls each function."""


def order(run: str, failure: dict[str, str] | None = None) -> dict[str, object]:
    """The input as the orchestrator gives it."""
    return {
        "workflow_run": run,
        "vault_name": VAULT,
        "tier": Tier.BULK,
        "s3_storage_class": StorageClass.DEEP_ARCHIVE,
        "execution_name": f"{run}-1",
        "failure": failure,
    }


def notice(run: str, **changes: Any) -> dict[str, Any]:
    """What the notice's function is given."""
    shared = {"workflow_run": run, "vault_name": VAULT, "execution_name": f"{run}-1"}
    return {**shared, "report": None, "failure": None, "begun": True, **changes}


def closing(found: str = "ours", *, still: bool = False, memory: Any = None) -> dict[str, Any]:
    """What RunCloser answers."""
    return {"found": found, "quiet": not still, "failure": None, "memory": memory or {}}


def add_targets(world: World, run: str) -> None:
    """What the orchestrator has put into the rules."""
    target = {"Id": run, "Arn": f"arn:aws:lambda:us-east-1:000000000000:function:{unique('f')}", "Input": "{}"}
    for purpose in RULES:
        world.solution.client("events").put_targets(Rule=world.rule(purpose), Targets=[target])


def test_a_run_that_ended_well_is_put_away_and_told(world: World, stubs: Stubs, run: str) -> None:
    world.count(run, total=2, requested=2, staged=2, downloaded=2)
    add_targets(world, run)
    outcome = {"outcome": "COMPLETED", "archives": {"total": 2}, "failed_archives_key": "f.csv", "summary_key": "s.md"}
    stubs.answer(RUN_REPORT, always(outcome))
    ended = world.execute(MACHINE, order(run))
    assert ended.status == "SUCCEEDED"
    assert ended.output == {"outcome": "COMPLETED"}
    assert world.targets(run) == {}
    scans = stubs.events(ARCHIVES_SCAN)
    assert stubs.called() == [
        RUN_CLOSER.name,
        ABORT_UPLOADS.name,
        *[ARCHIVES_SCAN.name] * len(scans),
        RUN_REPORT.name,
        COMPLETION_NOTICE.name,
    ]
    assert {(scan["purpose"], scan["output_prefix"]) for scan in scans} == {
        ("report", f"{run}/report/manifest/{run}-1/")
    }
    assert stubs.events(RUN_REPORT) == [
        {"workflow_run": run, "vault_name": VAULT, "execution_name": f"{run}-1", "failure": None}
    ]
    assert stubs.events(COMPLETION_NOTICE) == [notice(run, report=outcome)]


def test_the_last_counters_become_metrics(world: World, run: str) -> None:
    world.count(run, total=2, downloaded=2)
    world.execute(MACHINE, order(run))
    dimensions = [{"Name": metrics.RUN_DIMENSION, "Value": run}]
    found = world.solution.client("cloudwatch").list_metrics(Namespace=metrics.NAMESPACE, Dimensions=dimensions)
    assert "DownloadedArchives" in {metric["MetricName"] for metric in found["Metrics"]}


def test_targets_of_other_runs_stay(world: World, run: str) -> None:
    other = unique("other")
    add_targets(world, run)
    add_targets(world, other)
    world.execute(MACHINE, order(run))
    assert world.targets(run) == {}
    assert set(world.targets(other)) == set(RULES)


def test_a_run_that_never_had_targets_is_put_away_as_well(world: World, run: str) -> None:
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"


def test_report_and_notice_tell_why_the_run_failed(world: World, stubs: Stubs, run: str) -> None:
    failure = {"Error": "NotPossible", "Cause": "the vault is gone"}
    assert world.execute(MACHINE, order(run, failure)).status == "SUCCEEDED"
    assert [event["failure"] for event in stubs.events(RUN_REPORT)] == [failure]
    assert [event["failure"] for event in stubs.events(COMPLETION_NOTICE)] == [failure]


@pytest.mark.parametrize("function", list(STEPS), ids=lambda function: str(function.name))
def test_a_step_that_fails_keeps_no_other_from_running(
    world: World, stubs: Stubs, run: str, function: EntryPoint
) -> None:
    add_targets(world, run)
    stubs.answer(function, in_turn(error("NotPossible", "this step cannot be taken")))
    ended = world.execute(MACHINE, order(run))
    assert (ended.status, ended.error) == ("FAILED", f"{STEPS[function]}Failed")
    assert "this step cannot be taken" in ended.cause
    assert set(stubs.called()) == {RUN_CLOSER.name, *(step.name for step in STEPS)}
    assert world.targets(run) == {}


def test_a_notice_is_sent_even_without_a_report(world: World, stubs: Stubs, run: str) -> None:
    stubs.answer(RUN_REPORT, in_turn(error("NotPossible")))
    world.execute(MACHINE, order(run))
    assert stubs.events(COMPLETION_NOTICE) == [notice(run)]


def test_targets_that_cannot_be_removed_keep_nothing_else_from_happening(world: World, stubs: Stubs, run: str) -> None:
    add_targets(world, run)
    with world.refused(MACHINE, "events:RemoveTargets"):
        ended = world.execute(MACHINE, order(run))
    assert ended.status == "FAILED"
    assert ended.error.endswith("TargetFailed")
    assert set(stubs.called()) == {RUN_CLOSER.name, *(step.name for step in STEPS)}


def test_a_dashboard_that_cannot_be_updated_is_no_failure(world: World, stubs: Stubs, run: str) -> None:
    world.count(run, total=2)
    with world.refused("CloudWatchDashboardUpdate", "cloudwatch:PutMetricData"):
        ended = world.execute(MACHINE, order(run))
    assert ended.status == "SUCCEEDED"
    assert len(stubs.events(COMPLETION_NOTICE)) == 1


def test_a_step_that_hangs_is_given_up_and_the_next_is_taken(world: World, stubs: Stubs, run: str) -> None:
    stubs.answer(ABORT_UPLOADS, stubs.hang)
    with world.changed(MACHINE, {"AbortUploads": {"TimeoutSeconds": 1}}):
        ended = world.execute(MACHINE, order(run))
    assert (ended.status, ended.error) == ("FAILED", "AbortUploadsFailed")
    assert len(stubs.events(RUN_REPORT)) == len(stubs.events(COMPLETION_NOTICE)) == 1


def test_a_step_that_only_stumbles_is_tried_again(world: World, stubs: Stubs, run: str) -> None:
    stubs.answer(ABORT_UPLOADS, in_turn(error("Throttled"), PLAIN_ANSWERS[ABORT_UPLOADS]))
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    assert len(stubs.events(ABORT_UPLOADS)) == 2


def test_copies_on_their_way_are_waited_for_before_uploads_are_aborted(world: World, stubs: Stubs, run: str) -> None:
    add_targets(world, run)
    targets: list[dict[str, Any]] = []

    def close(event: dict[str, Any]) -> dict[str, Any]:
        targets.append(world.targets(run))
        looks = (event["memory"] or {}).get("looks", 0) + 1
        assert stubs.events(ABORT_UPLOADS) == []
        return {**closing(still=looks < 3, memory={"looks": looks}), "failure": {"Error": "RunStopped", "Cause": "x"}}

    stubs.answer(RUN_CLOSER, close)
    with world.changed(MACHINE, {"WaitForQuiet": {"Seconds": 0}}):
        ended = world.execute(MACHINE, order(run, {"Error": "States.TaskFailed", "Cause": "y"}))
    assert ended.status == "SUCCEEDED"
    assert [event["memory"] for event in stubs.events(RUN_CLOSER)][:3] == [None, {"looks": 1}, {"looks": 2}]
    assert (set(targets[0]), targets[1:]) == (set(RULES), [{}] * 5)
    # the closer knows better why the run ends
    assert [event["failure"] for event in stubs.events(RUN_REPORT)] == [{"Error": "RunStopped", "Cause": "x"}]


def test_a_look_that_fails_does_not_keep_the_run_from_its_end(world: World, stubs: Stubs, run: str) -> None:
    stubs.answer(RUN_CLOSER, in_turn(closing(still=True), error("NotPossible")))
    with world.changed(MACHINE, {"WaitForQuiet": {"Seconds": 0}}):
        ended = world.execute(MACHINE, order(run))
    assert ended.status == "SUCCEEDED"
    assert len(stubs.events(COMPLETION_NOTICE)) == 1


def sort_inventory(world: World, run: str, *, whole: bool = True) -> list[str]:
    """Files of the sorted inventory; returns their keys."""
    keys = [f"{object_keys.partition_prefix(run, number)}part-00000.csv" for number in range(2)]
    for key in keys:
        world.write_csv(key, object_keys.SORTED_COLUMNS, [])
    if whole:
        world.write_csv(object_keys.partitions_key(run), object_keys.PARTITION_COLUMNS, [])
        keys.append(object_keys.partitions_key(run))
    return keys


STOPPED = {"Error": "RunStopped", "Cause": "enough"}


def test_what_a_stopped_run_never_asked_for_is_looked_up_before_the_report(
    world: World, stubs: Stubs, run: str
) -> None:
    keys = sort_inventory(world, run)
    stubs.answer(RUN_CLOSER, always({**closing(), "failure": STOPPED}))
    assert world.execute(MACHINE, order(run, STOPPED)).status == "SUCCEEDED"
    prefix = f"{run}/report/manifest/{run}-1/"
    assert sorted(stubs.events(UNREQUESTED_LISTING), key=str) == [
        {"workflow_run": run, "key": key, "output_prefix": prefix} for key in sorted(keys)
    ]
    called = stubs.called()
    last_listing = len(called) - called[::-1].index(UNREQUESTED_LISTING.name)
    assert called[last_listing:] == [RUN_REPORT.name, COMPLETION_NOTICE.name]


def test_a_sorted_inventory_that_is_not_whole_is_not_looked_at(world: World, stubs: Stubs, run: str) -> None:
    sort_inventory(world, run, whole=False)
    stubs.answer(RUN_CLOSER, always({**closing(), "failure": STOPPED}))
    assert world.execute(MACHINE, order(run, STOPPED)).status == "SUCCEEDED"
    assert stubs.events(UNREQUESTED_LISTING) == []
    assert len(stubs.events(RUN_REPORT)) == 1


def test_a_run_that_came_to_its_end_is_spared_the_reading(world: World, stubs: Stubs, run: str) -> None:
    sort_inventory(world, run)
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    assert stubs.events(UNREQUESTED_LISTING) == []


def test_a_listing_that_fails_keeps_neither_report_nor_notice_back(world: World, stubs: Stubs, run: str) -> None:
    sort_inventory(world, run)
    stubs.answer(RUN_CLOSER, always({**closing(), "failure": STOPPED}))
    stubs.answer(UNREQUESTED_LISTING, in_turn(error("NotPossible", "no inventory")))
    ended = world.execute(MACHINE, order(run, STOPPED))
    assert (ended.status, ended.error) == ("FAILED", "ListUnrequestedFailed")
    assert len(stubs.events(RUN_REPORT)) == len(stubs.events(COMPLETION_NOTICE)) == 1


def test_a_run_of_somebody_else_is_left_alone_and_the_operator_told(world: World, stubs: Stubs, run: str) -> None:
    add_targets(world, run)
    stubs.answer(RUN_CLOSER, always(closing("foreign")))
    stubs.answer(COMPLETION_NOTICE, always({"outcome": "FAILED"}))
    failure = {"Error": "NotPossible", "Cause": "exists already"}
    ended = world.execute(MACHINE, order(run, failure))
    assert (ended.status, ended.output) == ("SUCCEEDED", {"outcome": "FAILED"})
    assert stubs.called() == [RUN_CLOSER.name, COMPLETION_NOTICE.name]
    assert stubs.events(COMPLETION_NOTICE) == [notice(run, failure=failure, begun=False)]
    assert set(world.targets(run)) == set(RULES)


def test_a_run_that_was_cleaned_up_before_is_not_told_of_again(world: World, stubs: Stubs, run: str) -> None:
    stubs.answer(RUN_CLOSER, always(closing("ended")))
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    assert stubs.called() == [RUN_CLOSER.name]


def test_a_run_that_cannot_be_closed_is_left_to_the_next_look(world: World, stubs: Stubs, run: str) -> None:
    add_targets(world, run)
    stubs.answer(RUN_CLOSER, in_turn(error("NotPossible", "no table")))
    ended = world.execute(MACHINE, order(run))
    assert (ended.status, ended.error) == ("FAILED", "CloseRunFailed")
    assert "no table" in ended.cause
    assert stubs.called() == [RUN_CLOSER.name]
    assert set(world.targets(run)) == set(RULES)


def test_what_a_stopped_run_leaves_is_stopped_and_counted_before_uploads_are_aborted(
    world: World, stubs: Stubs, run: str
) -> None:
    memories: list[Any] = []

    def close(event: dict[str, Any]) -> dict[str, Any]:
        memories.append(event["memory"])
        looks = (event["memory"] or {}).get("looks", 0) + 1
        return {**closing(still=looks < 2, memory={"looks": looks}), "failure": event["failure"]}

    stubs.answer(RUN_CLOSER, close)
    with world.changed(MACHINE, {"WaitForQuiet": {"Seconds": 0}}):
        ended = world.execute(MACHINE, order(run, {"Error": "RunStopped", "Cause": "x"}))
    assert ended.status == "SUCCEEDED"
    assert memories == [None, {"looks": 1}, {"seen": None, "since": 0}, {"looks": 1}]
    scans = stubs.events(ARCHIVES_SCAN)
    assert [scan["purpose"] for scan in scans] == ["closing"] * 4 + ["report"] * 4
    assert sorted(scan["segment"] for scan in scans[:4]) == [0, 1, 2, 3]
    called = [name for name in stubs.called() if name != RUN_CLOSER.name]
    assert called[:5] == [ARCHIVES_SCAN.name] * 4 + [ABORT_UPLOADS.name]


def test_archives_that_cannot_be_stopped_keep_no_step_from_being_taken(world: World, stubs: Stubs, run: str) -> None:
    def scan(event: dict[str, Any]) -> dict[str, Any]:
        if event["purpose"] == "closing":
            raise error("NotPossible", "no table")
        return {"found": 0, "next": None}

    stubs.answer(ARCHIVES_SCAN, scan)
    with world.changed(MACHINE, {"WaitForQuiet": {"Seconds": 0}}):
        ended = world.execute(MACHINE, order(run, {"Error": "RunStopped", "Cause": "x"}))
    assert (ended.status, ended.error) == ("FAILED", "StopArchivesFailed")
    assert len(stubs.events(RUN_REPORT)) == len(stubs.events(COMPLETION_NOTICE)) == 1
