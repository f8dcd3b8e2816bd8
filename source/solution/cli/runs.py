"""What a run is doing, read from its record, its counters and the orchestrator's execution."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from solution.application.adapters.expenses import DynamoExpenses
from solution.cli.failures import ExitCode
from solution.contract import object_keys, tables
from solution.contract.failures import Failure
from solution.contract.messages import parse_sorted_row
from solution.domain.archive import Archive, StorageClass, check_run_id
from solution.domain.costs import Spending, equal_sizes, spending, workload
from solution.domain.errors import InvalidInput
from solution.domain.status import Metric

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from solution.cli.target import Target

_EXECUTION_RUNNING: Final = frozenset({"RUNNING", "PENDING_REDRIVE"})


class InventoryPhase(StrEnum):
    """How far the list of archives is; members are in order."""

    REQUESTED = "requested"
    RECEIVED = "received"
    SORTED = "sorted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A counter: number of archives, and their bytes."""

    archives: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """One look at a run.

    ``outcome`` is the run's own word for where it stands; ``failure``, of a run that has ended, is why it failed or was
    stopped, else empty. Times are ISO 8601 in UTC, empty where unknown. ``cost`` is what all attempts have cost until
    now, about: how large each copied archive is stands in the report, not here, so they count as equal ones.
    """

    run: str
    vault_name: str
    outcome: tables.RunStatus
    ended: bool
    inventory: InventoryPhase
    counts: Mapping[Metric, Count]
    started_at: str
    ended_at: str
    failure: str
    cost: Spending

    @property
    def to_copy(self) -> Count:
        """Archives that are to be copied: those of the inventory, but for too large and unreadable ones."""
        total, skipped, rejected = (self.counts[metric] for metric in (Metric.TOTAL, Metric.SKIPPED, Metric.REJECTED))
        return Count(
            archives=total.archives - skipped.archives - rejected.archives,
            bytes=total.bytes - skipped.bytes - rejected.bytes,
        )

    @property
    def failed(self) -> Count:
        """Archives that could not be copied."""
        return self.counts[Metric.FAILED]

    @property
    def complete(self) -> bool:
        """Whether everything was copied."""
        return self.ended and self.outcome is tables.RunStatus.COMPLETED and not self.failed.archives

    @property
    def exit_code(self) -> ExitCode:
        """0 while a run goes on and when everything was copied, 1 when it ended otherwise."""
        return ExitCode.OK if self.complete or not self.ended else ExitCode.DIFFERENT

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "run": self.run,
            "vault": self.vault_name,
            "status": self.outcome,
            "ended": self.ended,
            "inventory": self.inventory,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "failure": self.failure,
            "cost": self.cost.as_json(),
            "counts": {
                metric.value: {"archives": count.archives, "bytes": count.bytes}
                for metric, count in self.counts.items()
            },
        }


def read_run(target: Target, run: str, *, execution_arn: str = "") -> RunState:
    """Look at a run.

    Args:
        target: where the stack is deployed.
        run: its id.
        execution_arn: the orchestrator's execution that was just started for it; a new run has no record for a
            moment, a resumed one that of its last attempt. Empty: the record says which.

    Raises:
        InvalidInput: the stack knows no such run.
    """
    record = _run_record(target, run)
    if not record and not execution_arn:
        raise InvalidInput(f"run {run!r} is not known to this stack: check the id, the region and the account")
    execution = _execution(target, execution_arn or record.get(tables.Run.EXECUTION_ARN, ""))
    counters = _counters(target, run)
    running = execution is not None and execution.status in _EXECUTION_RUNNING
    registered = bool(record) and execution_arn in ("", record.get(tables.Run.EXECUTION_ARN))
    outcome, ended = _standing(record if registered else None, running=running)
    failure = record.get(tables.Run.FAILURE, "") if registered else ""
    counts = counters or {metric: Count(archives=0, bytes=0) for metric in Metric}
    return RunState(
        run=run,
        vault_name=record.get(tables.Run.VAULT_NAME, ""),
        outcome=outcome,
        ended=ended,
        inventory=_inventory_phase(target, run, counted=counters is not None),
        counts=counts,
        started_at=record.get(tables.Run.STARTED_AT, ""),
        ended_at=record.get(tables.Run.ENDED_AT, ""),
        failure=(failure or (execution.failure if execution else "")) if ended else "",
        cost=_cost(target, run, counts[Metric.DOWNLOADED], record.get(tables.Run.STORAGE_CLASS, "")),
    )


def _standing(record: Mapping[str, str] | None, *, running: bool) -> tuple[tables.RunStatus, bool]:
    """The run's own word for where it stands, and whether it has ended: cleaned up, and by nobody carried out.

    An orchestrator that has ended without a record of its run was never the run's. One that was ended from outside
    leaves a run that goes on to its clean-up, which RunWatcher starts.
    """
    if record is None:
        return (tables.RunStatus.RUNNING, False) if running else (tables.RunStatus.FAILED, True)
    recorded = tables.RunStatus(record[tables.Run.STATUS])
    if not recorded.ended:
        return recorded, False
    return (tables.RunStatus.ENDING, False) if running else (recorded, True)


def _text(value: AttributeValueTypeDef) -> str:
    return str(value.get("S", value.get("N", value.get("BOOL", ""))))


def _run_record(target: Target, run: str) -> dict[str, str]:
    item = target.dynamodb.get_item(
        TableName=target.output("GlacierRetrievalTableName"),
        Key={tables.PK: {"S": check_run_id(run)}, tables.SK: {"S": tables.META}},
        ConsistentRead=True,
    ).get("Item", {})
    return {name: _text(value) for name, value in item.items()}


def _counters(target: Target, run: str) -> dict[Metric, Count] | None:
    item = target.dynamodb.get_item(
        TableName=target.output("MetricTableName"), Key={tables.PK: {"S": run}}, ConsistentRead=True
    ).get("Item")
    if item is None:
        return None
    zero: AttributeValueTypeDef = {"N": "0"}
    return {
        metric: Count(
            archives=int(item.get(tables.count_attribute(metric), zero).get("N", "0")),
            bytes=int(item.get(tables.bytes_attribute(metric), zero).get("N", "0")),
        )
        for metric in Metric
    }


def _cost(target: Target, run: str, copied: Count, storage_class: str) -> Spending:
    expenses = DynamoExpenses(client=target.dynamodb, table=target.output("MetricTableName")).read(run)
    sizes = equal_sizes(copied.archives, copied.bytes) if copied.bytes >= copied.archives else {}
    stored_as = StorageClass(storage_class) if storage_class else StorageClass.DEEP_ARCHIVE
    return spending(workload(sizes), expenses, storage_class=stored_as)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Execution:
    status: str
    failure: str


def _execution(target: Target, arn: str) -> _Execution | None:
    if not arn:
        return None
    try:
        answer = target.stepfunctions.describe_execution(executionArn=arn)
    except ClientError as error:
        # Step Functions forgets executions 90 days after their end; the record remembers.
        if error.response["Error"].get("Code") == "ExecutionDoesNotExist":
            return None
        raise
    return _Execution(
        status=answer["status"], failure=Failure.innermost(answer.get("error", ""), answer.get("cause", "")).text
    )


def _inventory_phase(target: Target, run: str, *, counted: bool) -> InventoryPhase:
    if counted:
        return InventoryPhase.SORTED
    listing = target.s3.list_objects_v2(
        Bucket=target.output("InventoryBucketName"),
        Prefix=object_keys.prefix(run, object_keys.ORIGINAL_INVENTORY),
        MaxKeys=1,
    )
    return InventoryPhase.RECEIVED if listing.get("KeyCount") else InventoryPhase.REQUESTED


def sorted_inventory(target: Target, run: str) -> Iterator[Archive]:
    """Every archive the run is to copy, in its order; a page of a file is in memory, never the whole.

    Raises:
        InvalidInput: the run has no sorted inventory (yet).
    """
    bucket = target.output("InventoryBucketName")
    try:
        partitions = list(_csv_rows(target, bucket, object_keys.partitions_key(run)))
    except ClientError as error:
        if error.response["Error"].get("Code") == "NoSuchKey":
            raise InvalidInput(
                f"run {run!r} has no sorted inventory: it has not come so far, or failed before"
            ) from error
        raise
    pages = target.s3.get_paginator("list_objects_v2")
    for partition in partitions:
        for page in pages.paginate(Bucket=bucket, Prefix=partition["Prefix"]):
            for entry in page.get("Contents", []):
                yield from map(parse_sorted_row, _csv_rows(target, bucket, entry["Key"]))


def _csv_rows(target: Target, bucket: str, key: str) -> Iterator[dict[str, str]]:
    body = target.s3.get_object(Bucket=bucket, Key=key)["Body"]
    with body:
        # The file may be larger than memory; rows never hold line breaks of their own (see SORTED_COLUMNS).
        lines = (line.decode() for line in body.iter_lines())
        yield from csv.DictReader(lines)


def read_text(target: Target, key: str) -> str | None:
    """A small text object of the inventory bucket, None when it is not there."""
    try:
        answer = target.s3.get_object(Bucket=target.output("InventoryBucketName"), Key=key)
    except ClientError as error:
        if error.response["Error"].get("Code") == "NoSuchKey":
            return None
        raise
    return answer["Body"].read().decode()
