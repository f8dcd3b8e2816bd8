"""``OrchestratorStateMachine``: a whole run, from its record to its clean-up, with the real machines that it starts."""

from __future__ import annotations

from typing import Any

import pytest

from solution.contract.entry_points import (
    ABORT_UPLOADS,
    ARCHIVES_SCAN,
    COMPLETION_NOTICE,
    COUNTERS_RECOUNT,
    INITIATE_ARCHIVE_RETRIEVAL,
    PROVIDED_INVENTORY_CHECK,
    RUN_CLOSER,
    RUN_REGISTRAR,
    RUN_REPORT,
    SEND_ANONYMIZED_STATS,
    EntryPoint,
)
from solution.contract.messages import JobResult, OrchestratorInput
from solution.contract.tables import completion_job_id
from solution.domain.archive import MigrationType, StorageClass, Tier
from tests.workflows.stubs import Stubs, always, error, in_turn
from tests.workflows.test_initiate_retrieval import sort
from tests.workflows.world import VAULT, World

MACHINE = "Orchestrator"


def order(run: str, migration_type: MigrationType = MigrationType.LAUNCH) -> dict[str, Any]:
    """The input as the runbooks give it."""
    return {
        "workflow_run": run,
        "vault_name": VAULT,
        "migration_type": migration_type,
        "provided_inventory": "YES",
        "description": "a story",
        "tier": Tier.BULK,
        "s3_storage_class": StorageClass.DEEP_ARCHIVE,
        "name_override_presigned_url": "",
        "cross_region_transfer": False,
        "sns_topic_arn": "arn:aws:sns:us-east-1:000000000000:topic",
    }


@pytest.fixture
def job_id(world: World, stubs: Stubs, run: str) -> str:
    """A run of two archives that can be registered; the job whose answer says that it is complete."""
    sort(world, run, [[["a", "b"]]])
    found = completion_job_id(run, f"{run}-1")
    stubs.answer(RUN_REGISTRAR, lambda _event: {"attempt": 1, "completion_job_id": found, "rule_target_id": run})
    return found


def complete(job_id: str) -> JobResult:
    """What the counters say when the last archive has ended."""
    return JobResult(job_id=job_id, succeeded=True, message="")


def execute(world: World, run: str, migration_type: MigrationType = MigrationType.LAUNCH) -> Any:
    """Start the first attempt and wait for its end."""
    return world.execute(MACHINE, order(run, migration_type), f"{run}-1")


def told(stubs: Stubs, function: EntryPoint) -> list[dict[str, str] | None]:
    """The failure that the function was told of, at each call."""
    return [event["failure"] for event in stubs.events(function)]


def test_a_launch_goes_through_every_phase_in_order(world: World, stubs: Stubs, run: str, job_id: str) -> None:
    world.answer_job(complete(job_id))
    ended = execute(world, run)
    assert ended.status == "SUCCEEDED"
    assert ended.output == {"outcome": "COMPLETED"}
    scans = len(stubs.events(ARCHIVES_SCAN))
    assert stubs.called() == [
        RUN_REGISTRAR.name,
        PROVIDED_INVENTORY_CHECK.name,
        SEND_ANONYMIZED_STATS.name,
        INITIATE_ARCHIVE_RETRIEVAL.name,
        RUN_CLOSER.name,
        ABORT_UPLOADS.name,
        *[ARCHIVES_SCAN.name] * scans,
        RUN_REPORT.name,
        COMPLETION_NOTICE.name,
    ]
    assert {event["purpose"] for event in stubs.events(ARCHIVES_SCAN)} == {"report"}
    assert told(stubs, COMPLETION_NOTICE) == [None]
    steps = [state for state in ended.states if "Target" not in state]
    assert steps == [
        *("Prepare", "RegisterRun", "Resume?", "InventoryRetrieval", "InitiateRetrieval", "AwaitCompletion"),
        *("Completed?", "Cleanup", "Failure?", "RunEnded"),
    ]


def test_the_registrar_gets_the_whole_order_and_who_carries_it_out(
    world: World, stubs: Stubs, run: str, job_id: str
) -> None:
    world.answer_job(complete(job_id))
    ended = execute(world, run)
    [event] = stubs.events(RUN_REGISTRAR)
    assert event == {"input": order(run), "execution_arn": ended.arn, "execution_name": f"{run}-1"}
    assert OrchestratorInput.parse(event["input"]).workflow_run == run


def test_while_archives_move_the_rules_work_for_the_run_and_no_longer(world: World, run: str, job_id: str) -> None:
    arn = world.start(MACHINE, order(run), f"{run}-1")
    world.awaited(job_id)
    during = world.targets(run)
    assert world.look(arn).status == "RUNNING"
    world.answer_job(complete(job_id))
    assert world.outcome(arn).status == "SUCCEEDED"
    shared = {"workflow_run": run, "vault_name": VAULT}
    assert {purpose: target["Input"] for purpose, target in during.items()} == {
        "WindowExtension": {**shared, "tier": Tier.BULK},
        "DashboardUpdate": shared,
        "CompletionCheck": {**shared, "execution_name": f"{run}-1", "completion_job_id": job_id},
    }
    for purpose, served in (
        ("WindowExtension", f"stateMachine:ExtendDownloadWindowStateMachine-{world.suffix}"),
        ("DashboardUpdate", f"stateMachine:CloudWatchDashboardUpdateStateMachine-{world.suffix}"),
        ("CompletionCheck", f"function:CompletionChecker-{world.suffix}"),
    ):
        assert during[purpose]["Arn"].endswith(f":{served}")
    assert world.targets(run) == {}


def test_archives_are_asked_for_only_while_the_window_extension_watches(
    world: World, stubs: Stubs, run: str, job_id: str
) -> None:
    watching: list[set[str]] = []

    def ask(event: dict[str, Any]) -> dict[str, int]:
        watching.append(set(world.targets(run)))
        return {"requested": len(event["Items"]), "failed": 0, "already": 0}

    stubs.answer(INITIATE_ARCHIVE_RETRIEVAL, ask)
    world.answer_job(complete(job_id))
    execute(world, run)
    assert watching == [{"WindowExtension", "DashboardUpdate"}]


@pytest.mark.parametrize("first", ["token", "result"])
def test_the_run_is_released_whichever_is_written_first(world: World, run: str, job_id: str, first: str) -> None:
    if first == "result":
        world.answer_job(complete(job_id))
    arn = world.start(MACHINE, order(run), f"{run}-1")
    if first == "token":
        world.awaited(job_id)
        world.answer_job(complete(job_id))
    assert world.outcome(arn).status == "SUCCEEDED"


def test_a_run_that_stands_still_ends_with_what_is_missing(world: World, stubs: Stubs, run: str, job_id: str) -> None:
    world.answer_job(JobResult(job_id=job_id, succeeded=False, message="2 of 2 archives did not move for a week"))
    ended = execute(world, run)
    assert ended.status == "FAILED"
    assert ended.cause == "2 of 2 archives did not move for a week"
    [failure] = told(stubs, RUN_REPORT)
    assert failure is not None
    assert failure["Cause"] == ended.cause
    assert told(stubs, COMPLETION_NOTICE) == [failure]


@pytest.mark.usefixtures("job_id")
def test_a_run_that_is_never_released_is_given_up_and_cleaned_up(world: World, stubs: Stubs, run: str) -> None:
    with world.changed(MACHINE, {"AwaitCompletion": {"TimeoutSeconds": 1}}):
        ended = execute(world, run)
    assert (ended.status, ended.error) == ("FAILED", "States.Timeout")
    assert len(stubs.events(COMPLETION_NOTICE)) == 1
    assert world.targets(run) == {}


def test_a_resume_first_stops_what_the_last_attempt_left(world: World, stubs: Stubs, run: str, job_id: str) -> None:
    world.answer_job(complete(job_id))
    ended = execute(world, run, MigrationType.RESUME)
    assert ended.status == "SUCCEEDED"
    assert ended.states.index("ArchivesStatusCleanup") < ended.states.index("InventoryRetrieval")
    purposes = [event["purpose"] for event in stubs.events(ARCHIVES_SCAN)]
    assert purposes == sorted(purposes, key=["unfinished", "report"].index)
    assert set(purposes) == {"unfinished", "report"}
    assert [event["attempt"] for event in stubs.events(COUNTERS_RECOUNT)] == [1]
    # the sorted inventory is there
    assert stubs.events(PROVIDED_INVENTORY_CHECK) == []


@pytest.mark.parametrize(
    ("phase", "function"),
    [
        ("ArchivesStatusCleanup", ARCHIVES_SCAN),
        ("InventoryRetrieval", PROVIDED_INVENTORY_CHECK),
        ("InitiateRetrieval", INITIATE_ARCHIVE_RETRIEVAL),
    ],
    ids=lambda value: str(getattr(value, "name", value)),
)
@pytest.mark.usefixtures("job_id")
def test_a_phase_that_fails_is_followed_by_the_clean_up(
    world: World, stubs: Stubs, run: str, phase: str, function: EntryPoint
) -> None:
    def refuse(event: dict[str, Any]) -> Any:
        if event.get("purpose") in ("closing", "report"):
            return {"next": None, "found": 0}
        raise error("NotPossible", f"{phase} cannot be done")

    stubs.answer(function, refuse)
    resume = phase == "ArchivesStatusCleanup"
    ended = execute(world, run, MigrationType.RESUME if resume else MigrationType.LAUNCH)
    assert (ended.status, ended.error) == ("FAILED", "States.TaskFailed")
    assert ended.states[-3:] == ["Cleanup", "Failure?", "RunFailed"]
    assert ended.states[-4] == phase
    [failure] = told(stubs, COMPLETION_NOTICE)
    assert failure == {"Error": ended.error, "Cause": ended.cause}
    assert told(stubs, RUN_REPORT) == [failure]
    assert world.targets(run) == {}


@pytest.mark.usefixtures("job_id")
def test_the_cause_of_a_failed_phase_is_its_own(world: World, stubs: Stubs, run: str) -> None:
    stubs.answer(PROVIDED_INVENTORY_CHECK, in_turn(error("InvalidInput", "row 7: Size is not a number")))
    ended = execute(world, run)
    assert "InvalidInput" in ended.cause
    assert "row 7" in ended.cause


@pytest.mark.usefixtures("job_id")
def test_rules_that_cannot_be_used_end_the_run_cleaned_up(world: World, stubs: Stubs, run: str) -> None:
    with world.refused(MACHINE, "events:PutTargets"):
        ended = execute(world, run)
    assert ended.status == "FAILED"
    assert ended.states[-4:] == ["AddWindowExtensionTarget", "Cleanup", "Failure?", "RunFailed"]
    assert stubs.events(INITIATE_ARCHIVE_RETRIEVAL) == []
    assert len(stubs.events(COMPLETION_NOTICE)) == 1


@pytest.mark.parametrize("name", ["NotPossible", "InvalidInput", "ClientError"])
@pytest.mark.usefixtures("job_id")
def test_a_run_that_cannot_be_registered_harms_nobody(world: World, stubs: Stubs, run: str, name: str) -> None:
    other = {"Id": run, "Arn": "arn:aws:lambda:us-east-1:000000000000:function:other", "Input": "{}"}
    world.solution.client("events").put_targets(Rule=world.rule("CompletionCheck"), Targets=[other])
    stubs.answer(RUN_REGISTRAR, in_turn(error(name, f"WorkflowRun {run!r} exists already")))
    stubs.answer(RUN_CLOSER, always({"found": "foreign", "quiet": True, "failure": None, "memory": {}}))
    ended = execute(world, run)
    assert (ended.status, ended.error) == ("FAILED", name)
    assert "exists already" in ended.cause
    assert stubs.called() == [RUN_REGISTRAR.name, RUN_CLOSER.name, COMPLETION_NOTICE.name]
    [notice] = stubs.events(COMPLETION_NOTICE)
    assert (notice["begun"], notice["failure"]["Error"]) == (False, name)
    assert set(world.targets(run)) == {"CompletionCheck"}
    world.solution.client("events").remove_targets(Rule=world.rule("CompletionCheck"), Ids=[run])


@pytest.mark.usefixtures("job_id")
def test_a_run_whose_registration_failed_after_its_record_was_written_is_cleaned_up(
    world: World, stubs: Stubs, run: str
) -> None:
    stubs.answer(RUN_REGISTRAR, in_turn(error("ClientError", "the answer was lost")))
    ended = execute(world, run)
    assert (ended.status, ended.error) == ("FAILED", "ClientError")
    [failure] = told(stubs, RUN_REPORT)
    assert failure is not None
    assert "the answer was lost" in failure["Cause"]
    assert told(stubs, COMPLETION_NOTICE) == [failure]


def test_a_registrar_that_stumbles_is_tried_again(world: World, stubs: Stubs, run: str, job_id: str) -> None:
    registered = {"attempt": 1, "completion_job_id": job_id, "rule_target_id": run}
    stubs.answer(RUN_REGISTRAR, in_turn(error("Throttled"), registered))
    world.answer_job(complete(job_id))
    assert execute(world, run).status == "SUCCEEDED"
    assert len(stubs.events(RUN_REGISTRAR)) == 2


def test_a_clean_up_that_fails_fails_the_run(world: World, stubs: Stubs, run: str, job_id: str) -> None:
    stubs.answer(ABORT_UPLOADS, in_turn(error("NotPossible", "an upload resists")))
    world.answer_job(complete(job_id))
    ended = execute(world, run)
    assert (ended.status, ended.error) == ("FAILED", "CleanupFailed")
    assert "an upload resists" in ended.cause


@pytest.mark.usefixtures("job_id")
def test_a_clean_up_that_fails_does_not_hide_why_the_run_failed(world: World, stubs: Stubs, run: str) -> None:
    stubs.answer(PROVIDED_INVENTORY_CHECK, in_turn(error("InvalidInput", "row 7")))
    stubs.answer(ABORT_UPLOADS, in_turn(error("NotPossible", "an upload resists")))
    ended = execute(world, run)
    assert ended.status == "FAILED"
    assert "row 7" in ended.cause


def test_an_empty_vault_is_a_complete_run(world: World, stubs: Stubs, run: str, job_id: str) -> None:
    world.count(run)
    world.answer_job(complete(job_id))
    assert execute(world, run).status == "SUCCEEDED"
    assert stubs.events(INITIATE_ARCHIVE_RETRIEVAL) == []
    assert told(stubs, COMPLETION_NOTICE) == [None]


@pytest.mark.usefixtures("job_id")
def test_a_rule_that_takes_no_more_runs_says_what_to_do(world: World, stubs: Stubs, run: str) -> None:
    with world.changed(MACHINE, {"AddWindowExtensionTarget": {"ResultSelector": {"FailedEntryCount": 1}}}):
        ended = execute(world, run)
    assert (ended.status, ended.error) == ("FAILED", "TargetRefused")
    assert "wait for one to end, then resume this run" in ended.cause
    assert len(stubs.events(COMPLETION_NOTICE)) == 1
    assert stubs.events(INITIATE_ARCHIVE_RETRIEVAL) == []
