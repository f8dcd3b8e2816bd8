"""State machines: batches, written results, limits by path, time-outs, heartbeats, and the end of executions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from solution.local import deploy_stack
from tests.local.support import LocalAws, allow, unique, until
from tests.local.test_local_deploy import assembly

START = allow("states:StartExecution")


def distributed(states: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One distributed map over ``$.items``."""
    return {
        "Map": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": next(iter(states)),
                "States": states,
            },
            "End": True,
            **more,
        }
    }


PASS: dict[str, Any] = {"Pass": {"Type": "Pass", "End": True}}
FAIL_ON_BAD: dict[str, Any] = {
    "Choice": {
        "Type": "Choice",
        "Choices": [{"Variable": "$.name", "StringEquals": "bad", "Next": "Fail"}],
        "Default": "Pass",
    },
    "Fail": {"Type": "Fail", "Error": "Bad", "Cause": "as asked"},
    **PASS,
}


def test_items_are_batched_by_count_with_a_shared_input(aws: LocalAws) -> None:
    batcher = {"MaxItemsPerBatchPath": "$.most", "BatchInput": {"run.$": "$.run"}}
    states = distributed(
        PASS, ItemBatcher=batcher, ItemSelector={"n.$": "$$.Map.Item.Value", "at.$": "$$.Map.Item.Index"}
    )
    found = aws.run_states(states, START, payload={"items": ["a", "b", "c"], "most": 2, "run": "r1"})
    assert found["output"] == [
        {"BatchInput": {"run": "r1"}, "Items": [{"n": "a", "at": 0}, {"n": "b", "at": 1}]},
        {"BatchInput": {"run": "r1"}, "Items": [{"n": "c", "at": 2}]},
    ]


def test_items_are_batched_by_size(aws: LocalAws) -> None:
    states = distributed(PASS, ItemBatcher={"MaxInputBytesPerBatch": 100})
    found = aws.run_states(states, START, payload={"items": ["x" * 40] * 5})
    assert [len(batch["Items"]) for batch in found["output"]] == [2, 2, 1]


def test_each_child_sees_its_own_execution(aws: LocalAws) -> None:
    own = {"Own": {"Type": "Pass", "Parameters": {"id.$": "$$.Execution.Id"}, "End": True}}
    found = aws.run_states(distributed(own), START, payload={"items": [1, 2, 3]})
    ids = {child["id"] for child in found["output"]}
    assert len(ids) == 3
    assert found["executionArn"] not in ids


def test_results_are_written_with_a_manifest_as_the_machines_role(aws: LocalAws) -> None:
    bucket = aws.bucket()
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": bucket, "Prefix": "results"}}
    states = distributed(FAIL_ON_BAD, ResultWriter=writer, ToleratedFailureCountPath="$.tolerated", ResultPath="$.map")
    payload = {"items": [{"name": "good"}, {"name": "bad"}], "tolerated": 1}
    refused = aws.run_states(states, START, payload=payload)
    written = aws.run_states(states, START, allow("s3:PutObject", f"arn:aws:s3:::{bucket}/results/*"), payload=payload)
    assert refused["error"] == "States.ResultWriterFailed"
    details = written["output"]["map"]["ResultWriterDetails"]

    def read(key: str) -> Any:
        return json.loads(aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())

    files = read(details["Key"])["ResultFiles"]
    (failed,) = read(files["FAILED"][0]["Key"])
    (succeeded,) = read(files["SUCCEEDED"][0]["Key"])
    assert failed["Error"] == "Bad"
    assert json.loads(succeeded["Input"]) == {"name": "good"}


def test_more_failures_than_tolerated_fail_the_map(aws: LocalAws) -> None:
    states = distributed(FAIL_ON_BAD, ToleratedFailurePercentagePath="$.tolerated")
    payload = {"items": [{"name": "bad"}, {"name": "bad"}, {"name": "good"}], "tolerated": 50}
    assert aws.run_states(states, START, payload=payload)["error"] == "States.ExceedToleratedFailureThreshold"


def waiting(aws: LocalAws, **limits: Any) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """States that send a task token to a queue and wait; the queue's URL; the permission."""
    url = aws.client("sqs").create_queue(QueueName=unique("queue"))["QueueUrl"]
    states = {
        "Wait": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": url, "MessageBody.$": "$$.Task.Token"},
            "End": True,
            **limits,
        }
    }
    return states, url, allow("sqs:SendMessage")


def token_from(aws: LocalAws, url: str) -> str:
    """The task token that was sent."""
    messages = until(lambda: aws.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
    token: str = messages[0]["Body"]
    return token


def test_a_missing_heartbeat_ends_the_task_and_its_token(aws: LocalAws) -> None:
    states, url, permission = waiting(aws, HeartbeatSecondsPath="$.beat")
    outcome = aws.run_states(states, permission, payload={"beat": 1})
    assert outcome["error"] == "States.HeartbeatTimeout"
    states_client = aws.client("stepfunctions")
    with pytest.raises(states_client.exceptions.TaskTimedOut):
        states_client.send_task_success(taskToken=token_from(aws, url), output="{}")


def test_a_time_out_given_as_a_path_ends_the_task(aws: LocalAws) -> None:
    states, _, permission = waiting(aws, TimeoutSecondsPath="$.most")
    assert aws.run_states(states, permission, payload={"most": 1})["error"] == "States.Timeout"


def test_a_machine_has_a_time_out_of_its_own(aws: LocalAws) -> None:
    machine = aws.machine({"Wait": {"Type": "Wait", "Seconds": 30, "End": True}}, TimeoutSeconds=1)
    assert aws.run(machine)["status"] == "TIMED_OUT"


def test_a_token_is_redeemed_by_whoever_may_on_the_machine(aws: LocalAws) -> None:
    states, url, permission = waiting(aws)
    machine = aws.machine(states, aws.role(permission))
    execution = aws.client("stepfunctions").start_execution(stateMachineArn=machine)["executionArn"]
    token = token_from(aws, url)
    stranger = aws.role(allow("states:SendTaskSuccess", "arn:aws:states:us-east-1:000000000000:stateMachine:other"))
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.as_role(stranger, "stepfunctions").send_task_success(taskToken=token, output="1")
    friend = aws.role(allow("states:SendTaskSuccess", machine))
    aws.as_role(friend, "stepfunctions").send_task_success(taskToken=token, output='{"n": 1}')
    assert aws.outcome(execution)["output"] == {"n": 1}


def test_a_function_that_fails_before_handing_on_its_token_fails_the_task(aws: LocalAws) -> None:
    function = aws.function("def handler(event, context): raise KeyError('token')")
    states = {
        "Wait": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {"FunctionName": function, "Payload": {"token.$": "$$.Task.Token"}},
            "End": True,
        }
    }
    assert aws.run_states(states, allow("lambda:InvokeFunction", function))["error"] == "KeyError"


def test_a_stopped_execution_stays_stopped(aws: LocalAws) -> None:
    states, url, permission = waiting(aws)
    client = aws.client("stepfunctions")
    execution = client.start_execution(stateMachineArn=aws.machine(states, aws.role(permission)))["executionArn"]
    token = token_from(aws, url)
    client.stop_execution(executionArn=execution, error="Enough")
    client.send_task_failure(taskToken=token, error="Late")
    token_gone = (client.exceptions.TaskDoesNotExist, client.exceptions.TaskTimedOut)

    def ended() -> bool:
        try:
            client.send_task_success(taskToken=token, output="1")
        except token_gone:
            return True
        return False

    until(ended)
    assert aws.outcome(execution)["status"] == "ABORTED"


def test_results_of_the_sdk_have_types_and_errors_have_names(aws: LocalAws) -> None:
    bucket = aws.bucket()
    aws.client("s3").put_object(Bucket=bucket, Key="k", Body=b"four", StorageClass="STANDARD_IA")
    head = {
        "Head": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:s3:headObject",
            "Parameters": {"Bucket": bucket, "Key.$": "$.key"},
            "End": True,
        }
    }
    get = {"Get": {**head["Head"], "Resource": "arn:aws:states:::aws-sdk:s3:getObject"}}
    permission = allow(["s3:GetObject", "s3:ListBucket"])
    found = aws.run_states(head, permission, payload={"key": "k"})["output"]
    assert (found["ContentLength"], found["StorageClass"]) == (4, "STANDARD_IA")
    assert found["LastModified"].endswith("Z")
    assert aws.run_states(get, permission, payload={"key": "k"})["output"]["Body"] == "four"
    assert aws.run_states(get, permission, payload={"key": "none"})["error"] == "S3.NoSuchKeyException"
    unknown = {"Get": {**get["Get"], "Resource": "arn:aws:states:::aws-sdk:s3:flyToTheMoon"}}
    assert aws.run_states(unknown, permission, payload={"key": "k"})["error"] == "States.Runtime"


def test_a_failed_conditional_write_has_the_name_of_its_integration(aws: LocalAws) -> None:
    table = unique("table")
    aws.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    permission = allow(["dynamodb:PutItem"], f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}")
    for resource, error in (
        ("dynamodb:putItem", "DynamoDB.ConditionalCheckFailedException"),
        ("aws-sdk:dynamodb:putItem", "DynamoDb.ConditionalCheckFailedException"),
    ):
        put = {
            "Type": "Task",
            "Resource": f"arn:aws:states:::{resource}",
            "Parameters": {
                "TableName": table,
                "Item": {"pk": {"S": resource}},
                "ConditionExpression": "attribute_not_exists(pk)",
            },
        }
        states = {"First": {**put, "Next": "Second"}, "Second": {**put, "End": True}}
        assert aws.run_states(states, permission)["error"] == error


def test_a_failing_child_is_a_failed_task_of_its_parent(aws: LocalAws) -> None:
    child = aws.machine({"Fail": {"Type": "Fail", "Error": "Boom", "Cause": "why"}})
    parent = {
        "Start": {
            "Type": "Task",
            "Resource": "arn:aws:states:::states:startExecution.sync:2",
            "Parameters": {"StateMachineArn": child},
            "End": True,
        }
    }
    outcome = aws.run_states(parent, allow("states:StartExecution", child))
    assert outcome["error"] == "States.TaskFailed"
    assert json.loads(outcome["cause"])["Error"] == "Boom"


@pytest.mark.parametrize(
    ("level", "types"), [("ALL", {"PassStateEntered", "ExecutionFailed"}), ("ERROR", {"ExecutionFailed"})]
)
def test_a_machine_of_a_template_logs_its_history(aws: LocalAws, tmp_path: Path, level: str, types: set[str]) -> None:
    stack = unique("stack")
    destination = {"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["Group", "Arn"]}}}
    logging = {"Level": level, "IncludeExecutionData": False, "Destinations": [destination]}
    states = {"Pass": {"Type": "Pass", "Next": "Fail"}, "Fail": {"Type": "Fail", "Error": "Boom"}}
    machine = {
        "DefinitionString": json.dumps({"StartAt": "Pass", "States": states}),
        "RoleArn": aws.role(),
        "LoggingConfiguration": logging,
    }
    template = {
        "Resources": {
            "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": stack}},
            "Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": machine},
        },
        "Outputs": {"Machine": {"Value": {"Ref": "Machine"}}},
    }
    arn = deploy_stack(aws.endpoint, assembly(tmp_path, stack, template), stack)["Machine"]
    aws.run(arn, {"secret": "payload"})
    found = aws.client("stepfunctions").describe_state_machine(stateMachineArn=arn)["loggingConfiguration"]
    assert found["level"] == level
    messages = [event["message"] for event in aws.client("logs").filter_log_events(logGroupName=stack)["events"]]
    assert {json.loads(message)["type"] for message in messages} >= types
    assert ("PassStateEntered" in str(messages)) == (level == "ALL")
    assert "secret" not in str(messages)
