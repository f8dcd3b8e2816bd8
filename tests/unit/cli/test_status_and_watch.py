"""Looking at a run: what the commands print, and the exit codes a script can rely on."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from solution.cli.console import err
from solution.cli.failures import ExitCode
from solution.cli.main import app
from solution.cli.runs import InventoryPhase, read_run
from solution.cli.watch import RunProgress, await_end
from solution.contract import object_keys, tables
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


def test_a_run_whose_orchestrator_was_stopped_has_failed_whatever_its_record_says(deployment: Deployment) -> None:
    execution = deployment.record_run("r")
    deployment.target.stepfunctions.stop_execution(executionArn=execution, error="Operator", cause="enough for today")
    state = read_run(deployment.target, "r")
    assert (state.ended, state.outcome, state.exit_code) == (True, tables.RunStatus.FAILED, ExitCode.DIFFERENT)


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
    state = read_run(deployment.target, "r")
    assert (state.ended, state.outcome) == (False, tables.RunStatus.RUNNING)
