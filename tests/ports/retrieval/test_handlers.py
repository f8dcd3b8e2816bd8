"""The real handlers over the real adapters, from the batch of rows to the object: what they do and what it costs."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from solution.application.adapters import clients
from solution.application.handlers import (
    archive_validation,
    async_facilitator,
    chunk_retrieval,
    completion_checker,
    dead_letter_processor,
    extend_window_request,
    initiate_archive_retrieval,
    metrics_processor,
    notifications_processor,
)
from solution.application.wiring import process, retrieval
from solution.contract.messages import dump_sorted_row
from solution.contract.tables import QUOTA_PK, QuotaItem, completion_job_id
from solution.domain.archive import Archive
from solution.domain.chunk_plan import MIB
from solution.domain.tree_hash import tree_hash
from solution.mocking.glacier import Fault, FaultKind, GlacierSettings, ManualClock, RecordingNotifier
from solution.mocking.glacier.asgi import RunningGlacier, serve
from tests.builders import RUN, VAULT, content
from tests.ports.retrieval.conftest import OWNER

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

CONTEXT: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000, aws_request_id="request")
EXECUTION = f"{RUN}-1"


@dataclass
class Stack:
    """What the functions talk to, and how often they do."""

    glacier: RunningGlacier
    clock: ManualClock
    notifier: RecordingNotifier
    table: str
    metrics: str
    facilitator: str
    bucket: str
    notifications: str
    chunks: str
    validations: str
    calls: Counter[str] = field(default_factory=Counter)


def _reset() -> None:
    for module in (clients, process, retrieval):
        for member in vars(module).values():
            if hasattr(member, "cache_clear"):
                member.cache_clear()


@pytest.fixture
def stack(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """Tables, queues, bucket and vault, and the environment that points to them."""
    endpoint, sqs, retrieval_table, metric_table, facilitator_table, bucket = (
        request.getfixturevalue(name)
        for name in ("endpoint", "sqs", "retrieval_table", "metric_table", "facilitator_table", "bucket")
    )
    urls = [sqs.create_queue(QueueName=f"queue-{uuid.uuid4().hex}")["QueueUrl"] for _ in range(3)]
    clock, notifier = ManualClock(), RecordingNotifier()
    with serve(tmp_path, settings=GlacierSettings(), clock=clock, notifier=notifier) as glacier:
        glacier.service.create_vault(VAULT)
        environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "GLACIER_ENDPOINT_URL": glacier.url,
            "ASYNC_FACILITATOR_TOPIC_ARN": f"arn:aws:sns:us-east-1:{OWNER}:jobs",
            "RETRIEVAL_TABLE_NAME": retrieval_table,
            "METRIC_TABLE_NAME": metric_table,
            "FACILITATOR_TABLE_NAME": facilitator_table,
            "DESTINATION_BUCKET_NAME": bucket,
            "ACCOUNT_ID": OWNER,
            "CHUNKS_QUEUE_URL": urls[0],
            "VALIDATION_QUEUE_URL": urls[1],
            "NOTIFICATIONS_QUEUE_URL": urls[2],
            "EXTEND_WHEN_REMAINING_SECONDS": "0",
            "BULK_OVERDUE_SECONDS": "0",
            "STANDARD_OVERDUE_SECONDS": "0",
            "INITIATE_JOBS_PER_SECOND": "1000",
            "DAILY_RETRIEVAL_BUDGET_GIB": "102400",
            "QUOTA_PERIOD_SECONDS": "86400",
            "CHUNK_SIZE_MIB": "8",
            "DOWNLOAD_WINDOW_SECONDS": str(10**9),  # the vault's clock is not ours
            "STALL_SECONDS": "3600",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        _reset()
        made = Stack(
            glacier=glacier,
            clock=clock,
            notifier=notifier,
            table=retrieval_table,
            metrics=metric_table,
            facilitator=facilitator_table,
            bucket=bucket,
            notifications=urls[2],
            chunks=urls[0],
            validations=urls[1],
        )
        boto3.setup_default_session()
        session: Any = boto3.DEFAULT_SESSION

        def count(model: Any, **_: Any) -> None:
            made.calls[model.name] += 1

        session.events.register("before-call", count)
        yield made
    _reset()
    boto3.DEFAULT_SESSION = None


def batch(stack: Stack, contents: dict[str, bytes]) -> dict[str, Any]:
    """The vault is filled; the event that asks for all of it."""
    rows = []
    for name, data in contents.items():
        archive_id = stack.glacier.service.add_archive(VAULT, data, description=name)
        archive = Archive(
            archive_id=archive_id,
            size=len(data),
            tree_hash=tree_hash(data),
            creation_date="2019-05-17T17:21:39.339Z",
            description=f"{name}: Überblick",
            file_name=name,
        )
        rows.append(dump_sorted_row(archive))
    shared = {"workflow_run": RUN, "vault_name": VAULT, "tier": "Bulk", "s3_storage_class": "GLACIER_IR", "attempt": 1}
    return {"BatchInput": shared, "Items": rows}


def sqs_event(*bodies: str, deliveries: int = 1) -> dict[str, Any]:
    """As Lambda delivers messages."""
    return {
        "Records": [
            {
                "messageId": str(number),
                "receiptHandle": "handle",
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(deliveries)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:queue",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def received(sqs: SQSClient, url: str) -> list[str]:
    """All messages of a queue."""
    bodies: list[str] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600).get("Messages"):
        bodies += [message["Body"] for message in messages]
    return bodies


def stage(stack: Stack, contents: dict[str, bytes]) -> None:
    """Ask for the archives, and let Glacier announce them."""
    asked = initiate_archive_retrieval.handler(batch(stack, contents), CONTEXT)
    assert asked == {"requested": len(contents), "failed": 0, "already": 0}
    stack.clock.advance(13 * 3600)
    stack.glacier.service.run_due()
    messages = [json.dumps(message) for _, message in stack.notifier.published]
    for start in range(0, len(messages), 10):
        answer = notifications_processor.handler(sqs_event(*messages[start : start + 10]), CONTEXT)
        assert answer == {"batchItemFailures": []}


def copy(stack: Stack, sqs: SQSClient) -> int:
    """Copy all chunks, one per invocation; returns how many."""
    bodies = received(sqs, stack.chunks)
    for body in bodies:
        assert chunk_retrieval.handler(sqs_event(body), CONTEXT) == {"batchItemFailures": []}
    return len(bodies)


def test_a_small_archive_takes_at_most_six_calls(stack: Stack, sqs: SQSClient, s3: S3Client) -> None:
    contents = {f"{number}.bin": content(1000 + number, number) for number in range(100)}
    stage(stack, contents)
    assert copy(stack, sqs) == 100
    for name, data in contents.items():
        answer = s3.get_object(Bucket=stack.bucket, Key=f"{RUN}/{name}")
        assert answer["Body"].read() == data
        assert answer["StorageClass"] == "GLACIER_IR"
        assert answer["Metadata"]["glacier-tree-hash"] == tree_hash(data)
    assert stack.calls == {
        "BatchGetItem": 1,
        "GetItem": 4,
        "PutItem": 1,
        "BatchExecuteStatement": 8,
        "InitiateJob": 100,
        "UpdateItem": 201,
        "SendMessageBatch": 10,
        "GetJobOutput": 100,
        "PutObject": 100,
    }
    assert sum(stack.calls.values()) / 100 < 6


def test_an_archive_whose_notification_was_lost_is_found_and_copied(stack: Stack, sqs: SQSClient, s3: S3Client) -> None:
    event = batch(stack, {"a.bin": b"a"})
    initiate_archive_retrieval.handler(event, CONTEXT)
    tick = {"BatchInput": event["BatchInput"], "Items": [{"ArchiveId": event["Items"][0]["ArchiveId"]}]}
    nothing = {"extended": 0, "requested_again": 0, "announced": 0, "under_way": 0, "renewed": 0}
    assert extend_window_request.handler(tick, CONTEXT) == {**nothing, "under_way": 1}
    stack.clock.advance(13 * 3600)
    stack.glacier.service.run_due()
    assert extend_window_request.handler(tick, CONTEXT) == {**nothing, "announced": 1}
    [announced] = received(sqs, stack.notifications)
    assert notifications_processor.handler(sqs_event(announced), CONTEXT) == {"batchItemFailures": []}
    assert copy(stack, sqs) == 1
    assert s3.get_object(Bucket=stack.bucket, Key=f"{RUN}/a.bin")["Body"].read() == b"a"
    assert extend_window_request.handler(tick, CONTEXT) == nothing


def test_an_archive_whose_job_glacier_has_forgotten_is_asked_for_anew(stack: Stack) -> None:
    event = batch(stack, {"a.bin": b"a"})
    initiate_archive_retrieval.handler(event, CONTEXT)
    stack.clock.advance(13 * 3600)
    stack.glacier.service.run_due()
    stack.clock.advance(25 * 3600)
    tick = {"BatchInput": event["BatchInput"], "Items": [{"ArchiveId": event["Items"][0]["ArchiveId"]}]}
    answer = extend_window_request.handler(tick, CONTEXT)
    assert (answer["announced"], answer["renewed"]) == (0, 1)
    assert stack.calls["InitiateJob"] == 2


def announced(stack: Stack) -> None:
    """Glacier ends its jobs, and what it announces is heard."""
    stack.clock.advance(13 * 3600)
    stack.notifier.published.clear()
    stack.glacier.service.run_due()
    for _, message in stack.notifier.published:
        assert notifications_processor.handler(sqs_event(json.dumps(message)), CONTEXT) == {"batchItemFailures": []}


@pytest.mark.parametrize("size", [1, 8 * MIB + 1])
def test_a_closed_window_is_asked_for_again_by_the_rule_and_entered_into_the_ledger(
    stack: Stack, sqs: SQSClient, dynamodb: DynamoDBClient, s3: S3Client, size: int
) -> None:
    data = content(size)
    event = batch(stack, {"late.bin": data})
    initiate_archive_retrieval.handler(event, CONTEXT)
    announced(stack)
    stack.clock.advance(25 * 3600)
    copy(stack, sqs)
    assert (stack.calls["InitiateJob"], stack.calls["PutObject"] + stack.calls["UploadPart"]) == (1, 0)
    tick = {"BatchInput": event["BatchInput"], "Items": [{"ArchiveId": event["Items"][0]["ArchiveId"]}]}
    assert extend_window_request.handler(tick, CONTEXT)["requested_again"] == 1
    assert stack.calls["InitiateJob"] == 2
    ledger = dynamodb.get_item(TableName=stack.metrics, Key={"pk": {"S": QUOTA_PK}})["Item"]
    assert sum(int(entry["N"]) for entry in ledger[QuotaItem.ENTRIES]["M"].values()) == 2 * size
    announced(stack)
    copy(stack, sqs)
    for body in received(sqs, stack.validations):
        assert archive_validation.handler(sqs_event(body), CONTEXT) == {"batchItemFailures": []}
    assert s3.get_object(Bucket=stack.bucket, Key=f"{RUN}/late.bin")["Body"].read() == data


def test_a_throttled_download_is_tried_again_in_the_same_invocation(stack: Stack, sqs: SQSClient, s3: S3Client) -> None:
    stage(stack, {"a.bin": b"a"})
    throttling = Fault(kind=FaultKind.ERROR, operation="GetJobOutput", status=400, code="ThrottlingException", times=2)
    stack.glacier.service.faults.add(throttling)
    assert copy(stack, sqs) == 1
    assert stack.calls["GetJobOutput"] == 3
    assert s3.get_object(Bucket=stack.bucket, Key=f"{RUN}/a.bin")["Body"].read() == b"a"


def test_a_request_that_glacier_answers_with_an_error_is_repeated_and_entered_once(
    stack: Stack, dynamodb: DynamoDBClient
) -> None:
    stack.glacier.service.faults.add(Fault(kind=FaultKind.ERROR, operation="InitiateJob", status=500, times=1))
    event = batch(stack, {"a.bin": b"aaaaa"})
    assert initiate_archive_retrieval.handler(event, CONTEXT) == {"requested": 1, "failed": 0, "already": 0}
    ledger = dynamodb.get_item(TableName=stack.metrics, Key={"pk": {"S": QUOTA_PK}})["Item"]
    assert sum(int(entry["N"]) for entry in ledger[QuotaItem.ENTRIES]["M"].values()) == 5


def test_an_archive_of_several_chunks_is_proven_and_completed(stack: Stack, sqs: SQSClient, s3: S3Client) -> None:
    data = content(17 * MIB + 3)
    stage(stack, {"large.bin": data})
    assert copy(stack, sqs) == 3
    for body in received(sqs, stack.validations):
        for _ in range(2):
            assert archive_validation.handler(sqs_event(body), CONTEXT) == {"batchItemFailures": []}
    answer = s3.get_object(Bucket=stack.bucket, Key=f"{RUN}/large.bin")
    assert answer["Body"].read() == data
    assert (stack.calls["UploadPart"], stack.calls["CompleteMultipartUpload"]) == (3, 1)


@pytest.mark.holds(1)
def test_archives_of_one_byte_and_around_a_chunk_are_copied_whole(stack: Stack, sqs: SQSClient, s3: S3Client) -> None:
    sizes = (1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1)
    contents = {f"{size}.bin": content(size, size) for size in sizes}
    stage(stack, contents)
    assert copy(stack, sqs) == 5
    for body in received(sqs, stack.validations):
        assert archive_validation.handler(sqs_event(body), CONTEXT) == {"batchItemFailures": []}
    for name, data in contents.items():
        answer = s3.get_object(Bucket=stack.bucket, Key=f"{RUN}/{name}")
        assert answer["Body"].read() == data
        assert answer["Metadata"]["glacier-tree-hash"] == tree_hash(data)
    assert (stack.calls["PutObject"], stack.calls["UploadPart"], stack.calls["CompleteMultipartUpload"]) == (3, 2, 1)


def changes(stack: Stack, dynamodb: DynamoDBClient) -> dict[str, Any]:
    """The retrieval table's items as the stream would have told them, one change each."""
    records = []
    for number, item in enumerate(dynamodb.scan(TableName=stack.table)["Items"]):
        keys = {name: item[name] for name in ("pk", "sk")}
        told = {
            "ApproximateCreationDateTime": 1740830400,
            "Keys": keys,
            "NewImage": item,
            "SequenceNumber": str(number),
        }
        records.append({"eventID": str(number), "eventName": "INSERT", "dynamodb": told})
    return {"Records": records}


def test_counters_end_the_run_and_the_waiting_task_is_found(
    stack: Stack, sqs: SQSClient, dynamodb: DynamoDBClient, caplog: pytest.LogCaptureFixture
) -> None:
    stage(stack, {"a.bin": b"a", "b.bin": b"b"})
    copy(stack, sqs)
    event = changes(stack, dynamodb)
    dynamodb.put_item(
        TableName=stack.table,
        Item={"pk": {"S": RUN}, "sk": {"S": "meta"}, "execution_name": {"S": EXECUTION}},
    )
    dynamodb.put_item(TableName=stack.metrics, Item={"pk": {"S": RUN}, "total_count": {"N": "2"}})
    for _ in range(2):
        assert metrics_processor.handler(event, CONTEXT) == {"batchItemFailures": []}
    counted = dynamodb.get_item(TableName=stack.metrics, Key={"pk": {"S": RUN}})["Item"]
    assert (counted["downloaded_count"], counted["downloaded_bytes"]) == ({"N": "2"}, {"N": "2"})
    job = {"job_id": {"S": completion_job_id(RUN, EXECUTION)}}
    answer = dynamodb.get_item(TableName=stack.facilitator, Key=job)["Item"]
    assert "2 of 2 archives copied" in answer["job_result"]["S"]
    looked = completion_checker.handler({"workflow_run": RUN, "execution_name": EXECUTION}, CONTEXT)
    assert looked == {"found": "complete"}
    told = {"Keys": job, "NewImage": {**answer, "task_token": {"S": "unknown"}}, "SequenceNumber": "1"}
    records = [{"eventID": "1", "eventName": "MODIFY", "eventSource": "aws:dynamodb", "dynamodb": told}]
    assert async_facilitator.handler({"Records": records}, CONTEXT) == {"batchItemFailures": []}
    assert "Nobody waits for this answer any more" in caplog.text


def test_a_chunk_that_fails_is_reported_noted_and_buried_with_its_reason(
    stack: Stack, sqs: SQSClient, dynamodb: DynamoDBClient
) -> None:
    stage(stack, {"a.bin": b"a"})
    stack.glacier.service.faults.add(Fault(kind=FaultKind.ERROR, operation="GetJobOutput"))
    body = received(sqs, stack.chunks)[0]
    failures: dict[str, Any] = {}
    for deliveries in range(1, 4):
        failures = chunk_retrieval.handler(sqs_event(body, deliveries=deliveries), CONTEXT)
    assert failures == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert dead_letter_processor.handler(sqs_event(body, deliveries=4), CONTEXT) == {"batchItemFailures": []}
    item = next(one for one in dynamodb.scan(TableName=stack.table)["Items"] if one["sk"] == {"S": "meta"})
    assert item["status"] == {"S": "failed"}
    assert item["failure"]["S"].startswith("gave up after 3 attempts: TransientError: ")


def test_what_is_no_message_is_reported_as_failed(stack: Stack) -> None:
    assert stack.calls == {}
    for handler in (chunk_retrieval.handler, archive_validation.handler, notifications_processor.handler):
        assert handler(sqs_event("junk"), CONTEXT) == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert dead_letter_processor.handler(sqs_event("junk"), CONTEXT) == {"batchItemFailures": []}
