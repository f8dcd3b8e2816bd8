"""Counters say once what there is, and forget nothing that was counted since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from solution.domain.status import Metric
from solution.glue import accounting
from solution.glue.accounting import Account, Amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

ACCOUNT = Account(
    to_transfer=Amount(archives=5, size=500),
    skipped=Amount(archives=1, size=6 * 1024**4),
    rejected=Amount(archives=2, size=7),
)


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDBClient]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName="metrics",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


def counters(client: DynamoDBClient) -> dict[str, int]:
    item = client.get_item(TableName="metrics", Key={"pk": {"S": "r"}})["Item"]
    return {name: int(value["N"]) for name, value in item.items() if name != "pk"}


def test_every_counter_is_there_from_the_beginning(dynamodb: DynamoDBClient) -> None:
    accounting.state(dynamodb, "metrics", "r", ACCOUNT)
    found = counters(dynamodb)
    assert set(found) == {f"{metric}_{kind}" for metric in Metric for kind in ("count", "bytes")}
    assert (found["total_count"], found["total_bytes"]) == (8, 507 + 6 * 1024**4)
    assert (found["skipped_count"], found["rejected_count"], found["rejected_bytes"]) == (1, 2, 7)
    assert (found["requested_count"], found["failed_bytes"]) == (0, 0)


def test_a_retry_or_a_resume_leaves_alone_what_was_counted_since(dynamodb: DynamoDBClient) -> None:
    accounting.state(dynamodb, "metrics", "r", ACCOUNT)
    dynamodb.update_item(
        TableName="metrics",
        Key={"pk": {"S": "r"}},
        UpdateExpression="ADD downloaded_count :n",
        ExpressionAttributeValues={":n": {"N": "3"}},
    )
    before = counters(dynamodb)
    accounting.state(dynamodb, "metrics", "r", ACCOUNT)
    assert counters(dynamodb) == before
    assert before["downloaded_count"] == 3
