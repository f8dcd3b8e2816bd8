"""Looking at a run: what the commands print, and the exit codes a script can rely on."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from solution.application.adapters.expenses import DynamoExpenses
from solution.cli.console import err
from solution.cli.failures import ExitCode
from solution.cli.main import app
from solution.cli.runs import InventoryPhase, read_run
from solution.cli.watch import RunProgress, await_end
from solution.contract import object_keys, tables
from solution.domain.archive import Tier
from solution.domain.costs import Asked
from solution.domain.errors import InvalidInput
from solution.domain.status import Metric
from tests.unit.cli.conftest import Deployment


def test_a_run_that_nobody_started_is_not_known(deployment: Deployment) -> None:
    with pytest.raises(InvalidInput, match="run 'other' is not known"):
        read_run(deployment.target, "other")


def test_the_inventory_goes_from_requested_over_received_to_sorted(deployment: Deployment) -> None:
    deployment.record_run("r")
    phases = [read_run(deployment.target, "r").inventory]
    deployment.put_text(object_keys.original_inventory_key("r"), "ArchiveId")
    phases.append(read_run(deployment.target, "r").inventory)
    deployment.count("r", {Metric.TOTAL: 3})
    phases.append(read_run(deployment.target, "r").inventory)
    assert phases == list(InventoryPhase)


def test_status_tells_machines_every_counter(deployment: Deployment) -> None:
    deployment.record_run("r")
    deployment.count("r", {Metric.TOTAL: 3, Metric.REQUESTED: 2, Metric.DOWNLOADED: 1})
    answer = CliRunner().invoke(app, ["status", "r", "--json"])
    document = json.loads(answer.stdout)
    assert answer.exit_code == ExitCode.OK
    assert document["status"] == "RUNNING"
    assert document["counts"]["requested"] == {"archives": 2, "bytes": 200}
    assert set(document["counts"]) == set(Metric)


def test_status_tells_what_a_run_has_cost_so_far(deployment: Deployment) -> None:
    deployment.record_run("r", **{tables.Run.STORAGE_CLASS: "GLACIER_IR"})
    deployment.count("r", {Metric.TOTAL: 3, Metric.REQUESTED: 2, Metric.DOWNLOADED: 1}, size=1024**4)
    expenses = DynamoExpenses(client=deployment.target.dynamodb, table="metrics")
    expenses.add("r", Tier.BULK, Asked(requests=2, size=2 * 1024**4))
    answer = CliRunner().invoke(app, ["status", "r"])
    retrieval, storage = 2048 * 0.0025, 1024 * 0.004
    cost = json.loads(CliRunner().invoke(app, ["status", "r", "--json"]).stdout)["cost"]
    assert cost["items"]["Glacier, Bulk retrieval of bytes"] == retrieval
    assert cost["storage_per_month"] == pytest.approx(storage, abs=0.001)
    assert cost["assumed"].startswith("an estimate, from list prices of us-east-1 as of 2025-01-01")
    assert (
        f"It has cost ${cost['total']:.2f} so far, by list prices; keeping what is copied costs $4.10" in answer.stdout
    )


@pytest.mark.parametrize("status", [status for status in tables.RunStatus if not status.ended])
def test_a_run_whose_orchestrator_was_ended_from_outside_goes_on_until_it_is_cleaned_up(
    deployment: Deployment, status: tables.RunStatus
) -> None:
    execution = deployment.record_run("r", **{tables.Run.STATUS: status})
    deployment.target.stepfunctions.stop_execution(executionArn=execution, error="Operator", cause="enough for today")
    state = read_run(deployment.target, "r")
    assert (state.ended, state.outcome, state.exit_code) == (False, status, ExitCode.OK)
    deployment.finish_run("r", tables.RunStatus.STOPPED, failure="enough for today")
    state = read_run(deployment.target, "r")
    assert (state.ended, state.outcome, state.exit_code) == (True, tables.RunStatus.STOPPED, ExitCode.DIFFERENT)
    assert state.failure == "enough for today"


def test_a_run_has_ended_when_its_orchestrator_has_as_well(deployment: Deployment) -> None:
    execution = deployment.record_run("r", **{tables.Run.STATUS: tables.RunStatus.COMPLETED})
    state = read_run(deployment.target, "r")
    assert (state.ended, state.outcome) == (False, tables.RunStatus.ENDING)
    deployment.target.stepfunctions.stop_execution(executionArn=execution)
    state = read_run(deployment.target, "r")
    assert (state.ended, state.outcome) == (True, tables.RunStatus.COMPLETED)


def test_a_stopped_run_says_so_and_why(deployment: Deployment) -> None:
    deployment.record_run(
        "r", **{tables.Run.STATUS: tables.RunStatus.STOPPED, "execution_arn": "", "failure": "no money"}
    )
    answer = CliRunner().invoke(app, ["status", "r"])
    assert answer.exit_code == ExitCode.DIFFERENT
    assert "Run r of vault photos: STOPPED" in answer.stdout
    assert "It was stopped: no money" in answer.stdout


def test_watch_ends_with_the_run_and_says_that_archives_failed(deployment: Deployment) -> None:
    deployment.record_run("r", **{tables.Run.STATUS: tables.RunStatus.COMPLETED_WITH_FAILURES, "execution_arn": ""})
    deployment.count("r", {Metric.TOTAL: 3, Metric.DOWNLOADED: 2, Metric.FAILED: 1})
    answer = CliRunner().invoke(app, ["watch", "r"])
    assert answer.exit_code == ExitCode.DIFFERENT
    assert "COMPLETED_WITH_FAILURES" in answer.stdout


def test_the_bar_of_failures_goes_when_a_resume_takes_them_back(deployment: Deployment) -> None:
    deployment.record_run("r")
    progress, drawn = RunProgress(), []
    for failed in (1, 0):
        deployment.count("r", {Metric.TOTAL: 3, Metric.FAILED: failed})
        progress.show(read_run(deployment.target, "r"))
        with err.capture() as lines:
            err.print(progress.drawing())
        drawn.append(lines.get())
    assert ["Failed" in text for text in drawn] == [True, False]


def test_a_complete_run_is_good_news(deployment: Deployment) -> None:
    deployment.record_run("r", **{tables.Run.STATUS: tables.RunStatus.COMPLETED, "execution_arn": ""})
    deployment.count("r", {Metric.TOTAL: 2, Metric.DOWNLOADED: 2})
    assert CliRunner().invoke(app, ["status", "r"]).exit_code == ExitCode.OK


def test_waiting_goes_on_until_the_run_has_ended(deployment: Deployment) -> None:
    execution = deployment.record_run("r")
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            deployment.finish_run("r", tables.RunStatus.FAILED)
            deployment.target.stepfunctions.stop_execution(executionArn=execution)

    state = await_end(lambda: read_run(deployment.target, "r"), interval=2.0, sleep=sleep, bars=False)
    assert state.ended
    assert pauses == [2.0, 2.0, 2.0]


def test_a_run_that_was_just_started_may_have_no_record_yet(deployment: Deployment) -> None:
    execution = deployment.target.stepfunctions.start_execution(stateMachineArn=deployment.machine, name="r-1")
    state = read_run(deployment.target, "r", execution_arn=execution["executionArn"])
    assert (state.ended, state.outcome) == (False, tables.RunStatus.RUNNING)


def test_a_resumed_run_is_running_although_its_last_attempt_failed(deployment: Deployment) -> None:
    deployment.record_run("r", **{tables.Run.STATUS: tables.RunStatus.FAILED})
    execution = deployment.target.stepfunctions.start_execution(stateMachineArn=deployment.machine, name="r-2")
    state = read_run(deployment.target, "r", execution_arn=execution["executionArn"])
    assert (state.ended, state.outcome) == (False, tables.RunStatus.RUNNING)


def test_an_attempt_that_ended_before_it_was_registered_has_failed(deployment: Deployment) -> None:
    deployment.record_run("r", **{tables.Run.STATUS: tables.RunStatus.COMPLETED, "failure": "of the other attempt"})
    execution = deployment.target.stepfunctions.start_execution(stateMachineArn=deployment.machine, name="r-2")
    deployment.target.stepfunctions.stop_execution(executionArn=execution["executionArn"])
    state = read_run(deployment.target, "r", execution_arn=execution["executionArn"])
    assert (state.ended, state.outcome, state.failure) == (True, tables.RunStatus.FAILED, "")
