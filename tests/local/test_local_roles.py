"""State machines may do what their role allows, and nothing else."""

from __future__ import annotations

import json

from tests.local.support import LocalAws, allow, unique, until


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


def test_a_machine_that_a_rule_has_started_reads_a_bucket_that_asks_for_tls(aws: LocalAws) -> None:
    bucket, s3, events, name = aws.bucket(), aws.client("s3"), aws.client("events"), unique("rule")
    s3.put_object(Bucket=bucket, Key="work/items", Body=b"x")
    arns = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    tls_only = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": arns,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [tls_only]}))
    machine = aws.machine(
        {
            "Map": {
                "Type": "Map",
                "ItemReader": {
                    "Resource": "arn:aws:states:::s3:listObjectsV2",
                    "Parameters": {"Bucket": bucket, "Prefix": "work/"},
                },
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "Pass",
                    "States": {"Pass": {"Type": "Pass", "End": True}},
                },
                "End": True,
            }
        },
        aws.role(
            allow("states:StartExecution", "arn:aws:states:us-east-1:000000000000:stateMachine:*"),
            allow("s3:ListBucket", arns[0]),
        ),
    )
    events.put_rule(Name=name, ScheduleExpression="rate(1 hour)")
    target = {"Id": "t", "Arn": machine, "RoleArn": aws.role(allow("states:StartExecution", machine)), "Input": "{}"}
    events.put_targets(Rule=name, Targets=[target])
    started = until(lambda: aws.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"])
    events.remove_targets(Rule=name, Ids=["t"])
    events.delete_rule(Name=name)
    outcome = aws.outcome(started[0]["executionArn"])
    assert outcome["status"] == "SUCCEEDED", outcome.get("cause")
    assert [item["Key"] for item in outcome["output"]] == ["work/items"]
