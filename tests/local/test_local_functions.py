"""Functions run as in Lambda: a clean interpreter and environment, errors by name, fed by queues and streams."""

from __future__ import annotations

import itertools
import json
import textwrap
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.local.support import LocalAws, allow, unique, until, zipped

CATCH = {
    "Call": {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName.$": "$.function"},
        "Catch": [{"ErrorEquals": ["OutOfPaperError"], "Next": "Caught"}],
        "End": True,
    },
    "Caught": {"Type": "Pass", "Result": "caught by name", "End": True},
}


def test_an_exception_keeps_its_name_and_stack_and_is_caught_by_name(aws: LocalAws) -> None:
    function = aws.function(
        """
        class OutOfPaperError(Exception):
            pass
        def handler(event, context):
            raise OutOfPaperError("tray 2")
        """
    )
    error = aws.invoke(function)
    outcome = aws.run(aws.machine(CATCH, aws.role(allow("lambda:InvokeFunction", function))), {"function": function})
    assert error["errorType"] == "OutOfPaperError"
    assert error["errorMessage"] == "tray 2"
    assert "in handler" in error["stackTrace"][-1]
    assert outcome["output"] == "caught by name"


def test_a_process_that_was_killed_is_told_as_lambda_tells_it_and_the_next_call_finds_a_new_one(aws: LocalAws) -> None:
    function = aws.function(
        """
        import os, signal
        def handler(event, context):
            if event == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            return "alive"
        """
    )
    assert aws.invoke(function, "live") == "alive"
    error = aws.invoke(function, "die")
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
    assert aws.invoke(function, "live") == "alive"


def test_a_process_that_dies_while_it_starts_takes_no_other_of_its_function_with_it(aws: LocalAws) -> None:
    doomed = aws.state_dir / unique("doomed")
    function = aws.function(
        f"""
        import os, pathlib, signal, time
        doomed = pathlib.Path({str(doomed)!r})
        if doomed.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        def handler(event, context):
            doomed.touch()
            while doomed.exists():
                time.sleep(0.05)
            return "alive"
        """
    )
    with ThreadPoolExecutor() as pool:
        working = pool.submit(aws.invoke, function)
        until(doomed.exists)
        errors = [aws.invoke(function)["errorType"] for _ in range(3)]
        doomed.unlink()
        assert working.result() == "alive"
    assert errors == ["Runtime.ExitError"] * 3


def test_a_function_finds_boto3_and_nothing_else_of_this_machine(aws: LocalAws) -> None:
    function = aws.function(
        """
        import importlib.util, os
        def handler(event, context):
            return {
                "found": [name for name in event if importlib.util.find_spec(name)],
                "environment": dict(os.environ),
            }
        """,
        Environment={"Variables": {"COLOUR": "blue"}},
    )
    names = ["boto3", "botocore", "ministack", "solution", "pyspark", "yaml", "aws_lambda_powertools", "pytest"]
    answer = aws.invoke(function, names)
    environment = answer["environment"]
    assert answer["found"] == ["boto3", "botocore"]
    assert environment["COLOUR"] == "blue"
    assert environment["AWS_ENDPOINT_URL"] == aws.endpoint
    assert not {"AUTH", "STATE_DIR", "S3_DATA_DIR", "PERSIST_STATE", "GATEWAY_PORT", "PYTHONPATH"} & set(environment)


def test_processes_of_a_function_share_its_code_and_new_code_is_seen(aws: LocalAws) -> None:
    code = """
        import os, pathlib
        def handler(event, context): return str(pathlib.Path(__file__).resolve()), os.getpid(), "NAME"
    """
    function = aws.function(code.replace("NAME", "old"))
    again = aws.function(code.replace("NAME", "old"))
    (path, pid, _), (same_path, other_pid, _) = aws.invoke(function), aws.invoke(again)
    assert path == same_path
    assert pid != other_pid
    new = zipped({"index.py": textwrap.dedent(code.replace("NAME", "new"))})
    aws.client("lambda").update_function_code(FunctionName=function, ZipFile=new)
    assert (aws.invoke(function)[2], aws.invoke(again)[2]) == ("new", "old")


def test_log_lines_are_kept_whole_and_do_not_leak_into_the_next_call(aws: LocalAws) -> None:
    function = aws.function("def handler(event, context):\n    print('line', event)\n    return event")
    for number in (1, 2):
        aws.invoke(function, number)
    group = f"/aws/lambda/{function.rsplit(':', 1)[-1]}"
    logs = aws.client("logs")
    streams = [stream["logStreamName"] for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]]
    said = [
        [event["message"].strip() for event in logs.get_log_events(logGroupName=group, logStreamName=name)["events"]]
        for name in streams
    ]
    lines = sorted([line for line in messages if line.startswith("line")] for messages in said)
    assert lines == [["line 1"], ["line 2"]]
    assert not any("\x04" in line for messages in said for line in messages)


def test_many_messages_at_once_are_all_handled_and_none_ends_in_the_dead_letter_queue(aws: LocalAws) -> None:
    sqs, dynamodb = aws.client("sqs"), aws.client("dynamodb")
    table = table_with_stream(aws, stream=False)
    dead = queue(aws)
    url = sqs.create_queue(
        QueueName=unique("queue"),
        Attributes={
            "VisibilityTimeout": "30",
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn_of(aws, dead), "maxReceiveCount": 1}),
        },
    )["QueueUrl"]
    source = arn_of(aws, url)
    function = aws.function(
        f"""
        import boto3
        client = boto3.client("dynamodb")
        def handler(event, context):
            for record in event["Records"]:
                client.put_item(TableName="{table}", Item={{"pk": {{"S": record["body"]}}}})
        """,
        allow("dynamodb:PutItem", f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}"),
        allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], source),
    )
    aws.client("lambda").create_event_source_mapping(
        EventSourceArn=source, FunctionName=function, BatchSize=5, ScalingConfig={"MaximumConcurrency": 20}
    )
    for start in range(0, 200, 10):
        entries = [{"Id": str(number), "MessageBody": str(start + number)} for number in range(10)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    until(lambda: dynamodb.scan(TableName=table, Select="COUNT")["Count"] == 200, timeout=60)
    counts = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "0"


def test_a_message_whose_function_was_killed_comes_again_and_time_is_compressed(aws: LocalAws) -> None:
    sqs, results = aws.client("sqs"), table_with_stream(aws, stream=False)
    url = sqs.create_queue(QueueName=unique("queue"), Attributes={"VisibilityTimeout": "5400"})["QueueUrl"]
    source = arn_of(aws, url)
    function = aws.function(
        f"""
        import boto3, os, signal
        def handler(event, context):
            [record] = event["Records"]
            deliveries = record["attributes"]["ApproximateReceiveCount"]
            if deliveries == "1":
                os.kill(os.getpid(), signal.SIGKILL)
            key = record["body"] + " came " + deliveries + " times"
            boto3.client("dynamodb").put_item(TableName="{results}", Item={{"pk": {{"S": key}}}})
        """,
        allow("dynamodb:PutItem", f"arn:aws:dynamodb:us-east-1:000000000000:table/{results}"),
        allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], source),
    )
    aws.client("lambda").create_event_source_mapping(EventSourceArn=source, FunctionName=function, BatchSize=1)
    sqs.send_message(QueueUrl=url, MessageBody="it")
    until(lambda: written(aws, results))
    assert written(aws, results) == {"it came 2 times"}


def test_a_dead_letter_queue_gives_its_own_number_of_attempts(aws: LocalAws) -> None:
    sqs, urls = aws.client("sqs"), [queue(aws) for _ in range(3)]
    for url, behind in itertools.pairwise(urls):
        policy = json.dumps({"deadLetterTargetArn": arn_of(aws, behind), "maxReceiveCount": 2})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})
    sqs.send_message(QueueUrl=urls[0], MessageBody="m")

    def receipts(url: str) -> list[int]:
        """How often the message had been received, each time that the queue gives it."""
        found: list[int] = []
        options = {"VisibilityTimeout": 0, "MessageSystemAttributeNames": ["ApproximateReceiveCount"]}
        while len(found) < 3 and (messages := sqs.receive_message(QueueUrl=url, **options).get("Messages")):
            found += [int(message["Attributes"]["ApproximateReceiveCount"]) for message in messages]
        return found

    assert [receipts(url) for url in urls] == [[1, 2], [3, 4], [5, 6, 7]]


def queue(aws: LocalAws) -> str:
    """URL of a new queue."""
    url: str = aws.client("sqs").create_queue(QueueName=unique("queue"))["QueueUrl"]
    return url


def arn_of(aws: LocalAws, url: str) -> str:
    """ARN of a queue."""
    found = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn: str = found["Attributes"]["QueueArn"]
    return arn


def table_with_stream(aws: LocalAws, *, stream: bool = True) -> str:
    """Name of a new table."""
    name = unique("table")
    more: dict[str, Any] = (
        {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}} if stream else {}
    )
    aws.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )
    return name


def fed_by_stream(aws: LocalAws, code: str, results: str, **options: Any) -> str:
    """A table whose stream feeds a function that may write to the table ``results``; the table's name."""
    table = table_with_stream(aws)
    arn = aws.client("dynamodb").describe_table(TableName=table)["Table"]["LatestStreamArn"]
    permission = allow("dynamodb:PutItem", f"arn:aws:dynamodb:us-east-1:000000000000:table/{results}")
    function = aws.function(code.replace("RESULTS", results), permission)
    aws.client("lambda").create_event_source_mapping(
        EventSourceArn=arn, FunctionName=function, StartingPosition="TRIM_HORIZON", **options
    )
    return table


WRITER = """
import boto3
client = boto3.client("dynamodb")
def handler(event, context):
    failures = []
    for record in event["Records"]:
        key = record["dynamodb"]["Keys"]["pk"]["S"]
        if key.startswith("bad"):
            FAIL
        client.put_item(TableName="RESULTS", Item={"pk": {"S": key}})
    return {"batchItemFailures": failures}
"""


def written(aws: LocalAws, table: str) -> set[str]:
    """Keys in a table."""
    return {item["pk"]["S"] for item in aws.client("dynamodb").scan(TableName=table)["Items"]}


def put(aws: LocalAws, table: str, *keys: str) -> None:
    """Items into a table, in order."""
    for key in keys:
        aws.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": key}})


def test_a_bad_record_of_a_stream_is_cut_out_given_up_and_reported(aws: LocalAws) -> None:
    results, failures = table_with_stream(aws, stream=False), queue(aws)
    table = fed_by_stream(
        aws,
        WRITER.replace("FAIL", "raise ValueError(key)"),
        results,
        BatchSize=10,
        MaximumRetryAttempts=1,
        BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": arn_of(aws, failures)}},
    )
    put(aws, table, "a", "b", "bad", "c", "d")
    until(lambda: written(aws, results) >= {"a", "b", "c", "d"})
    (message,) = until(lambda: aws.client("sqs").receive_message(QueueUrl=failures, WaitTimeSeconds=1).get("Messages"))
    body = json.loads(message["Body"])
    assert body["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert body["DDBStreamBatchInfo"]["batchSize"] == 1


def test_a_reported_failure_of_a_stream_brings_back_that_record_and_its_successors_alone(aws: LocalAws) -> None:
    results = table_with_stream(aws, stream=False)
    code = WRITER.replace(
        "FAIL",
        """
            import os, pathlib
            seen = pathlib.Path(os.environ["TMPDIR"]) / "RESULTS"
            if not seen.exists():
                seen.touch()
                return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
            raised = client.put_item(TableName="RESULTS", Item={"pk": {"S": "count " + str(len(event["Records"]))}})
        """,
    )
    table = fed_by_stream(
        aws, code, results, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"], MaximumRetryAttempts=3
    )
    put(aws, table, "a", "bad", "c")
    until(lambda: written(aws, results) >= {"a", "bad", "c"})
    counts = {key for key in written(aws, results) if key.startswith("count")}
    assert len(counts) == 1, "the bad record came back once"


def test_a_slow_consumer_of_a_stream_does_not_hold_up_a_queue(aws: LocalAws) -> None:
    results = table_with_stream(aws, stream=False)
    slow = fed_by_stream(aws, "import time\ndef handler(event, context): time.sleep(20)", results)
    put(aws, slow, "a")
    url = queue(aws)
    function = aws.function(
        f"""
        import boto3
        def handler(event, context):
            boto3.client("dynamodb").put_item(TableName="{results}", Item={{"pk": {{"S": "from the queue"}}}})
        """,
        allow("dynamodb:PutItem"),
        allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], arn_of(aws, url)),
    )
    aws.client("lambda").create_event_source_mapping(EventSourceArn=arn_of(aws, url), FunctionName=function)
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="m")
    until(lambda: "from the queue" in written(aws, results), timeout=15)


@pytest.mark.parametrize("filtered", ["skip", "take"])
def test_a_filter_lets_through_what_it_names(aws: LocalAws, filtered: str) -> None:
    results = table_with_stream(aws, stream=False)
    pattern = json.dumps({"dynamodb": {"Keys": {"pk": {"S": [filtered]}}}})
    table = fed_by_stream(
        aws, WRITER.replace("FAIL", "pass"), results, FilterCriteria={"Filters": [{"Pattern": pattern}]}
    )
    put(aws, table, "skip", "take", "skip")
    until(lambda: written(aws, results))
    assert written(aws, results) == {filtered}
