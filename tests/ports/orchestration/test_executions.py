"""`Executions` and `InventoryJobs`, in memory and on Step Functions and Glue."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from solution.application.adapters.executions import GlueInventoryJobs, StepFunctionsExecutions
from solution.application.in_memory.executions import InMemoryExecutions
from solution.application.ports.executions import Execution, execution_arn

if TYPE_CHECKING:
    from solution.application.ports.executions import Executions

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:machine"
ARN = execution_arn(MACHINE, "run-1-1")


@pytest.fixture(params=["in memory", "step functions"])
def executions(request: pytest.FixtureRequest) -> Executions:
    if request.param == "in memory":
        return InMemoryExecutions()
    request.getfixturevalue("_aws")
    client = boto3.client("stepfunctions")
    wait = json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 9, "End": True}}})
    client.create_state_machine(name="machine", definition=wait, roleArn="arn:aws:iam::123456789012:role/any")
    return StepFunctionsExecutions(client=client)


def test_what_never_was_is_not_known(executions: Executions) -> None:
    assert executions.look(ARN) is None
    executions.stop(ARN, error="E", cause="C")
    assert executions.look(ARN) is None


def test_a_name_is_started_once(executions: Executions) -> None:
    assert executions.start(MACHINE, name="run-1-1", payload={"a": 1})
    found = executions.look(ARN)
    assert found is not None
    assert found.running
    assert not executions.start(MACHINE, name="run-1-1", payload={"a": 2})


def test_what_is_stopped_has_ended_and_stays_so(executions: Executions) -> None:
    executions.start(MACHINE, name="run-1-1", payload={})
    executions.stop(ARN, error="E", cause="first")
    executions.stop(ARN, error="E", cause="second")
    found = executions.look(ARN)
    assert found is not None
    assert found.status == "ABORTED"
    assert not found.running
    assert not executions.start(MACHINE, name="run-1-1", payload={})


@pytest.mark.parametrize("status", ["SUCCEEDED", "RUNNING"])
def test_only_one_that_has_ended_may_be_refused_to_stop(status: str) -> None:
    client = boto3.client("stepfunctions", region_name="us-east-1")
    executions = StepFunctionsExecutions(client=client)
    described = {"executionArn": ARN, "stateMachineArn": MACHINE, "status": status, "startDate": 0}
    with Stubber(client) as answers:
        answers.add_client_error("stop_execution", "ValidationException")
        answers.add_response("describe_execution", described)
        if status == "RUNNING":
            with pytest.raises(client.exceptions.ClientError):
                executions.stop(ARN, error="E", cause="C")
        else:
            executions.stop(ARN, error="E", cause="C")
        answers.assert_no_pending_responses()


def test_an_execution_that_has_ended_says_when_and_why() -> None:
    client = boto3.client("stepfunctions", region_name="us-east-1")
    ended = datetime(2025, 3, 1, tzinfo=UTC)
    told = {"status": "FAILED", "error": "E", "cause": "C", "stopDate": ended}
    with Stubber(client) as answers:
        shared = {"executionArn": ARN, "stateMachineArn": MACHINE, "startDate": 0}
        answers.add_response("describe_execution", shared | told)
        answers.add_response("describe_execution", shared | {"status": "PENDING_REDRIVE"})
        executions = StepFunctionsExecutions(client=client)
        assert executions.look(ARN) == Execution(status="FAILED", error="E", cause="C", stopped_at=ended)
        redriven = executions.look(ARN)
        assert redriven is not None
        assert redriven.running


def test_only_the_runs_own_jobs_that_have_not_ended_are_stopped() -> None:
    client = boto3.client("glue", region_name="us-east-1")

    def job_run(number: int, run: str, state: str) -> dict[str, Any]:
        return {"Id": f"jr_{number}", "JobRunState": state, "Arguments": {"--workflow_run": run}}

    runs = [
        job_run(1, "run-1", "RUNNING"),
        job_run(2, "run-1", "SUCCEEDED"),
        job_run(3, "run-10", "RUNNING"),
        job_run(4, "run-1", "STOPPING"),
        job_run(5, "run-1", "WAITING"),
        {"Id": "jr_6", "JobRunState": "RUNNING"},
    ]
    with Stubber(client) as answers:
        answers.add_response("get_job_runs", {"JobRuns": runs}, {"JobName": "job", "MaxResults": 100})
        answers.add_response("batch_stop_job_run", {}, {"JobName": "job", "JobRunIds": ["jr_1", "jr_5"]})
        assert GlueInventoryJobs(client=client, job="job").stop("run-1") == 3
        answers.assert_no_pending_responses()


def test_nothing_is_stopped_where_nothing_runs() -> None:
    client = boto3.client("glue", region_name="us-east-1")
    with Stubber(client) as answers:
        answers.add_response("get_job_runs", {"JobRuns": []})
        assert GlueInventoryJobs(client=client, job="job").stop("run-1") == 0
