"""State machines may do what their role allows, and nothing else."""

from __future__ import annotations

import json

from tests.local.support import LocalAws, allow, unique


def test_a_task_through_the_sdk_needs_the_permission(aws: LocalAws) -> None:
    bucket = aws.bucket()
    states = {
        "Put": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:s3:putObject",
            "Parameters": {"Bucket": bucket, "Key": "k", "Body": "text"},
            "End": True,
        }
    }
    refused = aws.run_states(states)
    allowed = aws.run_states(states, allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*"))
    assert refused["status"] == "FAILED"
    assert refused["error"] == "S3.AccessDeniedException"
    assert "is not authorized to perform: s3:PutObject" in refused["cause"]
    assert allowed["status"] == "SUCCEEDED"
    assert aws.client("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == b"text"


def test_a_function_needs_the_permission(aws: LocalAws) -> None:
    function = aws.function("def handler(event, context): return event['n'] + 1")
    states = {
        "Call": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": function, "Payload": {"n": 1}},
            "OutputPath": "$.Payload",
            "End": True,
        }
    }
    refused = aws.run_states(states)
    allowed = aws.run_states(states, allow("lambda:InvokeFunction", function))
    assert refused["error"] == "Lambda.AWSLambdaException"
    assert allowed["output"] == 2


def test_a_nested_execution_needs_the_permission_and_runs_as_its_own_role(aws: LocalAws) -> None:
    topic = aws.client("sns").create_topic(Name=unique("topic"))["TopicArn"]
    publish = {
        "Publish": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sns:publish",
            "Parameters": {"TopicArn": topic, "Message": "hello"},
            "End": True,
        }
    }
    child = aws.machine(publish, aws.role(allow("sns:Publish", topic)))
    start = {
        "Start": {
            "Type": "Task",
            "Resource": "arn:aws:states:::states:startExecution.sync:2",
            "Parameters": {"StateMachineArn": child, "Input": {}},
            "Next": "Again",
        },
        "Again": {**publish["Publish"]},
    }
    refused = aws.run_states(start)
    started = aws.run_states(start, allow("states:StartExecution", child))
    allowed = aws.run_states(start, allow("states:StartExecution", child), allow("sns:Publish", topic))
    assert refused["error"] == "StepFunctions.AccessDeniedException"
    assert started["error"] == "SNS.AuthorizationErrorException"
    assert allowed["status"] == "SUCCEEDED"


def test_a_distributed_map_needs_its_own_start_and_its_source(aws: LocalAws) -> None:
    bucket = aws.bucket()
    aws.client("s3").put_object(Bucket=bucket, Key="items.json", Body=json.dumps([1, 2, 3]).encode())
    states = {
        "Map": {
            "Type": "Map",
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": "JSON"},
                "Parameters": {"Bucket": bucket, "Key": "items.json"},
            },
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "Pass",
                "States": {"Pass": {"Type": "Pass", "End": True}},
            },
            "End": True,
        }
    }
    start = allow("states:StartExecution", "arn:aws:states:us-east-1:000000000000:stateMachine:*")
    read = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*")
    assert aws.run_states(states, read)["error"] == "StepFunctions.AccessDeniedException"
    assert aws.run_states(states, start)["error"] == "States.ItemReaderFailed"
    assert aws.run_states(states, start, read)["output"] == [1, 2, 3]
