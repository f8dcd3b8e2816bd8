"""Facilitator and TaskGate: the first result stands, and nobody waiting is no error."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from solution.application.adapters.facilitator import DynamoFacilitator, StepFunctionsGate
from solution.application.in_memory.clock import START
from solution.application.in_memory.facilitator import InMemoryFacilitator, InMemoryGate
from solution.application.ports.facilitator import Facilitator
from solution.contract.messages import JobResult
from solution.domain.archive import format_time

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_stepfunctions import SFNClient

DONE = JobResult(job_id="job-1", succeeded=True, message="Succeeded", size=5)


@pytest.fixture(params=["in memory", "DynamoDB"])
def facilitator(request: pytest.FixtureRequest) -> Facilitator:
    """Both implementations."""
    if request.param == "in memory":
        return InMemoryFacilitator()
    return DynamoFacilitator(request.getfixturevalue("dynamodb"), request.getfixturevalue("facilitator_table"))


def test_the_first_result_of_a_job_stands(facilitator: Facilitator) -> None:
    assert facilitator.put_result(DONE, START)
    assert not facilitator.put_result(JobResult(job_id="job-1", succeeded=False, message="late"), START)
    assert facilitator.put_result(JobResult(job_id="job-2", succeeded=False, message="other"), START)


def test_a_reminder_changes_a_job_that_has_its_result_so_that_the_stream_tells_it_again(
    dynamodb: DynamoDBClient, facilitator_table: str
) -> None:
    facilitator = DynamoFacilitator(dynamodb, facilitator_table)
    key = {"job_id": {"S": "job-1"}}
    facilitator.remind("job-1", START)
    assert "Item" not in dynamodb.get_item(TableName=facilitator_table, Key=key)
    facilitator.put_result(DONE, START)
    before = dynamodb.get_item(TableName=facilitator_table, Key=key)["Item"]
    facilitator.remind("job-1", START + timedelta(minutes=5))
    after = dynamodb.get_item(TableName=facilitator_table, Key=key)["Item"]
    assert after == {**before, "reminded_at": {"S": format_time(START + timedelta(minutes=5))}}


def test_a_token_that_was_there_first_meets_the_result(dynamodb: DynamoDBClient, facilitator_table: str) -> None:
    dynamodb.put_item(TableName=facilitator_table, Item={"job_id": {"S": "job-1"}, "task_token": {"S": "token"}})
    DynamoFacilitator(dynamodb, facilitator_table).put_result(DONE, START)
    item = dynamodb.get_item(TableName=facilitator_table, Key={"job_id": {"S": "job-1"}})["Item"]
    assert item["task_token"] == {"S": "token"}
    assert JobResult.parse(item["job_result"]["S"]) == DONE
    assert int(item["expires_at"]["N"]) > START.timestamp()


@pytest.fixture
def sfn() -> SFNClient:
    """Step Functions, to be stubbed."""
    return boto3.client(
        "stepfunctions", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


def test_a_waiting_task_is_answered_once_in_memory() -> None:
    gate = InMemoryGate("token", "other")
    assert gate.succeed("token", "{}")
    assert not gate.succeed("token", "{}")
    assert gate.fail("other", error="E", cause="c")
    assert not gate.fail("other", error="E", cause="c")


def test_a_waiting_task_is_answered(sfn: SFNClient) -> None:
    with Stubber(sfn) as stub:
        stub.add_response("send_task_success", {}, {"taskToken": "token", "output": "{}"})
        stub.add_response("send_task_failure", {}, {"taskToken": "token", "error": "E", "cause": "c"})
        gate = StepFunctionsGate(sfn)
        assert gate.succeed("token", "{}")
        assert gate.fail("token", error="E", cause="c")


@pytest.mark.parametrize("code", ["TaskDoesNotExist", "TaskTimedOut", "InvalidToken"])
def test_nobody_waiting_any_more_is_no_error(sfn: SFNClient, code: str) -> None:
    with Stubber(sfn) as stub:
        stub.add_client_error("send_task_success", code)
        stub.add_client_error("send_task_failure", code)
        gate = StepFunctionsGate(sfn)
        assert not gate.succeed("token", "{}")
        assert not gate.fail("token", error="E", cause="c")


def test_any_other_trouble_is_raised(sfn: SFNClient) -> None:
    with Stubber(sfn) as stub:
        stub.add_client_error("send_task_success", "AccessDeniedException")
        gate: Any = StepFunctionsGate(sfn)
        with pytest.raises(sfn.exceptions.ClientError, match="AccessDenied"):
            gate.succeed("token", "{}")
