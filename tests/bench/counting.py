"""What moving archives costs, counted over the real handlers.

The functions' handlers are called in this process as Lambda would call them, in the batches that the template sets,
over the real adapters: DynamoDB and SQS are MiniStack's, Glacier is our mock over HTTP, S3 forgets what it is given.
"""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import boto3

from solution.application.adapters import clients
from solution.application.adapters.dynamodb import slices
from solution.application.handlers import (
    archive_validation,
    chunk_retrieval,
    initiate_archive_retrieval,
    metrics_processor,
    notifications_processor,
)
from solution.application.use_cases import request_archives
from solution.application.wiring import process, retrieval
from solution.contract.messages import dump_sorted_row
from solution.domain.archive import Archive
from solution.domain.chunk_plan import ChunkPlan
from solution.infrastructure import sizing
from solution.mocking.glacier import GlacierSettings, ManualClock, RecordingNotifier
from solution.mocking.glacier.asgi import serve
from solution.mocking.vaults.virtual import Pattern, VirtualVault
from tests import ministack
from tests.bench import prices, servers
from tests.bench.meter import PLATFORM_LINES, Meter

RUN = "benchmark-2025-01"
VAULT = "company-photos"
OWNER = "000000000000"

SIZES = {
    "initiate_archive_retrieval": sizing.STEADY,
    "notifications_processor": sizing.QUICK,
    "chunk_retrieval": sizing.STREAMING,
    "archive_validation": sizing.LONG,
    "metrics_processor": sizing.QUICK,
}
BATCHES = {
    "notifications_processor": sizing.NOTIFICATIONS_AT_ONCE,
    "chunk_retrieval": sizing.CHUNKS_AT_ONCE,
    "archive_validation": sizing.CHUNKS_AT_ONCE,
    "metrics_processor": sizing.CHANGES_AT_ONCE,
}
"""Sizes of the functions, and what queues and streams give them at once; `tests.infrastructure` holds the template to
them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """So many archives of equal size, in bytes, cut into ``chunks``."""

    archives: int
    size: int
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a workload took. Per archive, where not said otherwise."""

    workload: Workload
    calls: dict[str, float]
    write_units: float
    read_units: float
    sqs_requests: float
    invocations: dict[str, float]
    log_bytes: float
    platform_log_bytes: float
    clients: dict[str, int]
    """In all, not per archive: each process makes its clients once."""
    dollars_per_million: dict[str, float]

    @property
    def all_calls(self) -> float:
        """API calls of our functions."""
        return sum(self.calls.values())

    @property
    def dollars(self) -> float:
        """Dollars per million archives."""
        return sum(self.dollars_per_million.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Services that several workloads can share."""

    aws: str
    s3: str


@contextmanager
def surroundings() -> Iterator[Surroundings]:
    """MiniStack and a forgetful S3, until the block ends."""
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        aws = stack.enter_context(ministack.running(Path(home)))
        ends = stack.enter_context(servers.running("s3"))
        yield Surroundings(aws=aws, s3=ends["s3"])


class Transfer:
    """One run over one vault, from the batch of rows to the counters."""

    def __init__(self, around: Surroundings, workload: Workload) -> None:
        self.workload = workload
        self.around = around
        self.session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        self.dynamodb: Any = self.session.client("dynamodb", endpoint_url=around.aws)
        self.sqs: Any = self.session.client("sqs", endpoint_url=around.aws)
        mark = uuid.uuid4().hex
        self.tables = {
            name: self._table(f"{name}-{mark}", *key)
            for name, key in (("retrieval", ("pk", "sk")), ("metric", ("pk",)), ("facilitator", ("job_id",)))
        }
        self.queues = {
            name: self.sqs.create_queue(QueueName=f"{name}-{mark}")["QueueUrl"] for name in ("chunks", "validation")
        }
        self.meter = Meter(look=self._look, stream_table=self.tables["retrieval"])

    def run(self) -> Meter:
        """Move all archives."""
        with tempfile.TemporaryDirectory() as data, ExitStack() as stack:
            clock, notifier = ManualClock(), RecordingNotifier()
            glacier = stack.enter_context(serve(data, settings=GlacierSettings(), clock=clock, notifier=notifier))
            vault = VirtualVault(
                seed="benchmark",
                archive_count=self.workload.archives,
                sizes=(self.workload.size,),
                pattern=Pattern.SHARED,
            )
            glacier.service.create_vault(VAULT, vault)
            stack.enter_context(mock.patch.dict(os.environ, self._environment(glacier.url)))
            stack.enter_context(mock.patch.object(request_archives, "plan_chunks", self._plan))
            _forget_clients()
            stack.callback(_forget_clients)
            stack.enter_context(self.meter.watching())
            self._describe_run()
            self._ask(_archives(vault))
            clock.advance(13 * 3600)
            glacier.service.run_due()
            self._hear([json.dumps(message) for _, message in notifier.published])
            self._copy()
            self._count()
        self._check()
        return self.meter

    def _plan(self, size: int, _: int) -> ChunkPlan:
        # ChunkSizeMiB allows no chunks as small as these; what is counted does not depend on their size.
        return ChunkPlan(size=size, chunk_size=-(-size // self.workload.chunks))

    def _ask(self, archives: Sequence[Archive]) -> None:
        shared = {
            "workflow_run": RUN,
            "vault_name": VAULT,
            "tier": "Bulk",
            "s3_storage_class": "DEEP_ARCHIVE",
            "attempt": 1,
        }
        for some in slices(archives, sizing.ROWS_AT_ONCE):
            rows = [dump_sorted_row(archive) for archive in some]
            answer = self.meter.invoke(initiate_archive_retrieval.handler, {"BatchInput": shared, "Items": rows})
            assert answer == {"requested": len(rows), "failed": 0, "already": 0}, answer

    def _hear(self, bodies: Sequence[str]) -> None:
        for some in slices(bodies, BATCHES["notifications_processor"]):
            self._deliver(notifications_processor.handler, *some)

    def _copy(self) -> None:
        for some in slices(list(self._received("chunks")), BATCHES["chunk_retrieval"]):
            self._deliver(chunk_retrieval.handler, *some)
        for some in slices(list(self._received("validation")), BATCHES["archive_validation"]):
            self._deliver(archive_validation.handler, *some)

    def _count(self) -> None:
        for some in slices(self.meter.stream, BATCHES["metrics_processor"]):
            answer = self.meter.invoke(metrics_processor.handler, {"Records": some})
            assert answer == {"batchItemFailures": []}, answer

    def _check(self) -> None:
        counters = self._look(self.tables["metric"], {"pk": {"S": RUN}}) or {}
        downloaded = int(counters.get("downloaded_count", {"N": "0"})["N"])
        assert downloaded == self.workload.archives, f"{downloaded} of {self.workload.archives} archives were copied"

    def _deliver(self, handler: Any, *bodies: str) -> None:
        answer = self.meter.invoke(handler, sqs_event(*bodies))
        assert answer == {"batchItemFailures": []}, answer

    def _received(self, queue: str) -> Iterator[str]:
        url = self.queues[queue]
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                yield message["Body"]

    def _describe_run(self) -> None:
        archives = str(self.workload.archives)
        run = {"pk": {"S": RUN}, "sk": {"S": "meta"}, "execution_name": {"S": f"{RUN}-1"}}
        self.dynamodb.put_item(TableName=self.tables["retrieval"], Item=run)
        totals = {"pk": {"S": RUN}, "total_count": {"N": archives}}
        self.dynamodb.put_item(TableName=self.tables["metric"], Item=totals)

    def _look(self, table: str, key: dict[str, Any]) -> dict[str, Any] | None:
        item: dict[str, Any] | None = self.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        return item

    def _table(self, name: str, *keys: str) -> str:
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            BillingMode="PAY_PER_REQUEST",
        )
        return name

    def _environment(self, glacier_url: str) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.around.aws,
            "AWS_ENDPOINT_URL_S3": self.around.s3,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "GLACIER_ENDPOINT_URL": glacier_url,
            "ASYNC_FACILITATOR_TOPIC_ARN": f"arn:aws:sns:us-east-1:{OWNER}:jobs",
            "RETRIEVAL_TABLE_NAME": self.tables["retrieval"],
            "METRIC_TABLE_NAME": self.tables["metric"],
            "FACILITATOR_TABLE_NAME": self.tables["facilitator"],
            "DESTINATION_BUCKET_NAME": "destination",
            "ACCOUNT_ID": OWNER,
            "CHUNKS_QUEUE_URL": self.queues["chunks"],
            "VALIDATION_QUEUE_URL": self.queues["validation"],
            "INITIATE_JOBS_PER_SECOND": "100000",  # the pace costs nothing; tests prove that it is kept
            "DAILY_RETRIEVAL_BUDGET_GIB": "102400",
            "QUOTA_PERIOD_SECONDS": "86400",
            "CHUNK_SIZE_MIB": "8",
            "DOWNLOAD_WINDOW_SECONDS": str(10**9),  # the vault's clock is not ours
        }


def sqs_event(*bodies: str) -> dict[str, Any]:
    """As Lambda delivers messages."""
    return {
        "Records": [
            {
                "messageId": str(number),
                "receiptHandle": "handle",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:us-east-1:{OWNER}:queue",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def count(around: Surroundings, workload: Workload) -> Costs:
    """Move a workload and say what it took."""
    return _costs(workload, Transfer(around, workload).run())


def _archives(vault: VirtualVault) -> list[Archive]:
    return [
        Archive(
            archive_id=one.archive_id,
            size=one.content.size,
            tree_hash=one.content.tree_hash(),
            creation_date="2019-05-17T17:21:39.339Z",
            description=f"photos/2019/summer at the lake/originals/IMG_{one.index:08d}.jpg",
            file_name=f"photos/2019/summer at the lake/originals/IMG_{one.index:08d}.jpg",
        )
        for one in vault.archives()
    ]


def _forget_clients() -> None:
    for module in (clients, process, retrieval):
        for member in vars(module).values():
            if hasattr(member, "cache_clear"):
                member.cache_clear()


def _costs(workload: Workload, meter: Meter) -> Costs:
    archives = workload.archives
    calls = {
        f"{service}:{operation}": number / archives for (service, operation), number in sorted(meter.calls.items())
    }
    invocations = {name: number / archives for name, number in sorted(meter.invocations.items())}
    from_queues = ("notifications_processor", "chunk_retrieval", "archive_validation")
    # SNS sends each notification alone; Lambda receives and deletes once per invocation.
    sqs = 1 + calls["sqs:SendMessageBatch"] + 2 * sum(invocations.get(name, 0) for name in from_queues)
    platform = len(PLATFORM_LINES) * sum(invocations.values())
    made = Costs(
        workload=workload,
        calls=calls,
        write_units=meter.write_units / archives,
        read_units=meter.read_units / archives,
        sqs_requests=sqs,
        invocations=invocations,
        log_bytes=meter.log_bytes / archives,
        platform_log_bytes=platform,
        clients=dict(sorted(meter.clients.items())),
        dollars_per_million={},
    )
    made.dollars_per_million.update(_dollars(made, meter))
    return made


def _dollars(costs: Costs, meter: Meter) -> dict[str, float]:
    archives = costs.workload.archives
    seconds = dict.fromkeys(SIZES, 0.0)
    for (function, operation), number in meter.calls_of.items():
        seconds[function] += number * prices.ASSUMED_SECONDS.get(operation, prices.ASSUMED_SECONDS_OTHERWISE)
    seconds["chunk_retrieval"] += archives * costs.workload.size / prices.ASSUMED_BYTES_PER_SECOND
    gb_seconds = sum(SIZES[name].memory / 1024 * value for name, value in seconds.items()) / archives
    s3 = {name.partition(":")[2]: number for name, number in costs.calls.items() if name.startswith("s3:")}
    per_archive = {
        "Glacier, Bulk jobs": prices.GLACIER_BULK_JOB.of(costs.calls["glacier:InitiateJob"]),
        "Glacier, Bulk bytes": prices.GLACIER_BULK_BYTE.of(costs.workload.size),
        "S3 requests (Deep Archive)": sum(prices.S3_PRICES[name].of(number) for name, number in s3.items()),
        "DynamoDB writes": prices.DYNAMODB_WRITE.of(costs.write_units),
        "DynamoDB reads": prices.DYNAMODB_READ.of(costs.read_units),
        "SQS": prices.SQS_REQUEST.of(costs.sqs_requests),
        "SNS": prices.SNS_PUBLISH.of(1),
        "Lambda requests": prices.LAMBDA_REQUEST.of(sum(costs.invocations.values())),
        "Lambda duration (assumed)": prices.LAMBDA_GB_SECOND.of(gb_seconds),
        "Logs": prices.LOG_BYTE.of(costs.log_bytes + costs.platform_log_bytes),
    }
    return {what: dollars * prices.MILLION for what, dollars in per_archive.items()}
