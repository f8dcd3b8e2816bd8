"""A deployed stack, as the commands see it: outputs, tables and buckets, in memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from solution.cli.target import Target
from solution.contract import object_keys, tables
from solution.contract.messages import dump_sorted_row
from solution.domain.archive import Archive
from solution.domain.status import Metric
from solution.domain.tree_hash import tree_hash

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import KeySchemaElementTypeDef

REGION = "us-east-1"
OUTPUTS = {
    "DestinationBucketName": "destination",
    "InventoryBucketName": "inventory",
    "GlacierRetrievalTableName": "retrieval",
    "MetricTableName": "metrics",
    "RunStopperFunctionName": "RunStopper",
}


@dataclass
class Deployment:
    """The stack, and ways to bring a run into any state."""

    target: Target
    machine: str
    archives: list[Archive] = field(default_factory=list)

    def record_run(self, run: str, **attributes: str) -> str:
        """A run's record, with a running orchestrator; the execution's ARN."""
        execution = self.target.stepfunctions.start_execution(stateMachineArn=self.machine, name=f"{run}-1")
        arn = execution["executionArn"]
        item = {
            tables.PK: run,
            tables.SK: tables.META,
            tables.Run.VAULT_NAME: "photos",
            tables.Run.STATUS: tables.RunStatus.RUNNING,
            tables.Run.EXECUTION_ARN: arn,
            **attributes,
        }
        self.target.dynamodb.put_item(TableName="retrieval", Item={name: {"S": text} for name, text in item.items()})
        return arn

    def finish_run(self, run: str, status: tables.RunStatus, *, failure: str = "") -> None:
        """The clean-up closes the run's record."""
        self.target.dynamodb.update_item(
            TableName="retrieval",
            Key={tables.PK: {"S": run}, tables.SK: {"S": tables.META}},
            UpdateExpression="SET #status = :status, #failure = :failure",
            ExpressionAttributeNames={"#status": tables.Run.STATUS, "#failure": tables.Run.FAILURE},
            ExpressionAttributeValues={":status": {"S": status}, ":failure": {"S": failure}},
        )

    def count(self, run: str, counts: Mapping[Metric, int], *, size: int = 100) -> None:
        """The run's counters; every archive has ``size`` bytes."""
        item: dict[str, Any] = {tables.PK: {"S": run}}
        for metric, number in counts.items():
            item[tables.count_attribute(metric)] = {"N": str(number)}
            item[tables.bytes_attribute(metric)] = {"N": str(number * size)}
        self.target.dynamodb.put_item(TableName="metrics", Item=item)

    def sort_inventory(self, run: str, contents: Mapping[str, bytes]) -> list[Archive]:
        """A sorted inventory of one partition: archives by file name and content."""
        archives = [
            Archive(
                archive_id=f"{number:0138d}",
                size=len(content),
                tree_hash=tree_hash(content),
                creation_date="2012-05-15T17:21:39.339Z",
                description="any",
                file_name=name,
            )
            for number, (name, content) in enumerate(contents.items())
        ]
        prefix = object_keys.partition_prefix(run, 0)
        rows = io.StringIO(newline="")
        writer = csv.DictWriter(rows, object_keys.SORTED_COLUMNS)
        writer.writeheader()
        writer.writerows(map(dump_sorted_row, archives))
        self.put_text(f"{prefix}part-00000.csv", rows.getvalue())
        total = sum(archive.size for archive in archives)
        head = ",".join(object_keys.PARTITION_COLUMNS)
        self.put_text(object_keys.partitions_key(run), f"{head}\r\n0,{prefix},{len(archives)},{total},true\r\n")
        return archives

    def put_text(self, key: str, text: str) -> None:
        """An object of the inventory bucket."""
        self.target.s3.put_object(Bucket="inventory", Key=key, Body=text.encode())

    def copy(self, run: str, archive: Archive, content: bytes, **metadata: str) -> None:
        """An archive's object in the destination bucket."""
        self.target.s3.put_object(
            Bucket="destination",
            Key=object_keys.destination_key(run, archive.file_name),
            Body=content,
            Metadata={
                object_keys.METADATA_ARCHIVE_ID: archive.archive_id,
                object_keys.METADATA_TREE_HASH: archive.tree_hash,
                **metadata,
            },
        )


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """A deployed stack without runs; the commands reach it with the ordinary AWS environment."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", REGION)
    # moto's CloudFormation needs packages that nothing else here does
    monkeypatch.setattr(Target, "outputs", OUTPUTS)
    with mock_aws():
        target = Target(boto3.Session(region_name=REGION))
        for bucket in ("destination", "inventory"):
            target.s3.create_bucket(Bucket=bucket)
        _table(target, "retrieval", tables.PK, tables.SK)
        _table(target, "metrics", tables.PK)
        machine = target.stepfunctions.create_state_machine(
            name="orchestrator",
            definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
            roleArn="arn:aws:iam::123456789012:role/orchestrator",
        )["stateMachineArn"]
        yield Deployment(target=target, machine=machine)


def _table(target: Target, name: str, partition_key: str, sort_key: str = "") -> None:
    keys = [partition_key, sort_key] if sort_key else [partition_key]
    schema: list[KeySchemaElementTypeDef] = [{"AttributeName": partition_key, "KeyType": "HASH"}]
    if sort_key:
        schema.append({"AttributeName": sort_key, "KeyType": "RANGE"})
    target.dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=schema,
    )
