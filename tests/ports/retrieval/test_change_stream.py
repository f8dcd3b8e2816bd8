"""What MetricsProcessor gave up is read from the stream again, and counted as if it had not been."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from solution.application.adapters import clients
from solution.application.adapters.change_stream import DynamoChangeStream
from solution.application.in_memory.counters import InMemoryCounters
from solution.application.ports.counters import Tally
from solution.application.use_cases.count_again import CountAgain
from solution.application.use_cases.count_changes import parse_change
from solution.contract.messages import UncountedChanges
from solution.domain.errors import InvalidInput, NotPossible
from solution.domain.status import Metric
from tests.builders import RUN
from tests.unit.application.test_counting import counting

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ARCHIVES = 5


class Streamed:
    """A table with a stream, through which some archives have gone all the way."""

    def __init__(self, dynamodb: DynamoDBClient, table: str, endpoint: str) -> None:
        dynamodb.update_table(
            TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        )
        self.arn = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
        self.client = boto3.client(
            "dynamodbstreams",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=clients.SHARED,
        )
        for status in ("requesting", "requested", "staged", "downloaded"):
            for number in range(ARCHIVES):
                key = {"pk": {"S": f"{RUN}|archive {number}"}}
                dynamodb.put_item(
                    TableName=table,
                    Item={**key, "sk": {"S": "meta"}, "status": {"S": status}, "size": {"N": "10"}},
                )
                dynamodb.put_item(TableName=table, Item={**key, "sk": {"S": "p:00001"}, "etag": {"S": status}})
        self.shard = self.client.describe_stream(StreamArn=self.arn)["StreamDescription"]["Shards"][0]["ShardId"]
        iterator = self.client.get_shard_iterator(
            StreamArn=self.arn, ShardId=self.shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        self.records = self.client.get_records(ShardIterator=iterator)["Records"]

    def letter(self, first: int, last: int, **changes: str) -> str:
        """What Lambda sends of a batch, from record number ``first`` to ``last``."""
        numbers = [record["dynamodb"]["SequenceNumber"] for record in (self.records[first], self.records[last])]
        found = {
            "shardId": self.shard,
            "startSequenceNumber": numbers[0],
            "endSequenceNumber": numbers[1],
            "approximateArrivalOfFirstRecord": "2025-03-01T12:00:00Z",
            "approximateArrivalOfLastRecord": "2025-03-01T12:00:00Z",
            "batchSize": last - first + 1,
            "streamArn": self.arn,
        }
        context = {"condition": "RetryAttemptsExhausted", "approximateInvokeCount": 21}
        return json.dumps({"requestContext": context, "version": "1.0", "DDBStreamBatchInfo": {**found, **changes}})


@pytest.fixture
def streamed(dynamodb: DynamoDBClient, retrieval_table: str, endpoint: str) -> Streamed:
    """Changes of archives, and others."""
    return Streamed(dynamodb, retrieval_table, endpoint)


@pytest.mark.parametrize(("first", "last"), [(0, 0), (3, 11), (0, 39), (39, 39)])
def test_exactly_what_was_given_up_is_read_as_lambda_delivers_it(streamed: Streamed, first: int, last: int) -> None:
    stream = DynamoChangeStream(streamed.client)
    found = list(stream.read(UncountedChanges.parse(streamed.letter(first, last))))
    numbers = [record["dynamodb"]["SequenceNumber"] for record in found]
    assert numbers == [record["dynamodb"]["SequenceNumber"] for record in streamed.records[first : last + 1]]
    second = streamed.records[first]["dynamodb"]["ApproximateCreationDateTime"].timestamp()
    assert found[0]["dynamodb"]["ApproximateCreationDateTime"] == second


def test_a_stream_of_many_pages_is_read_on(streamed: Streamed) -> None:
    class Paged:
        def get_shard_iterator(self, **request: Any) -> Any:
            return streamed.client.get_shard_iterator(**request)

        def get_records(self, **request: Any) -> Any:
            return streamed.client.get_records(**request, Limit=3)

    found = list(DynamoChangeStream(Paged()).read(UncountedChanges.parse(streamed.letter(2, 30))))
    assert len(found) == 29


@pytest.mark.parametrize(
    "changes",
    [{"startSequenceNumber": "1" * 21}, {"streamArn": "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/s"}],
)
def test_what_the_stream_has_forgotten_is_said_to_be_gone(streamed: Streamed, changes: dict[str, str]) -> None:
    with pytest.raises(NotPossible, match="holds these changes no more"):
        list(DynamoChangeStream(streamed.client).read(UncountedChanges.parse(streamed.letter(0, 5, **changes))))


@pytest.mark.holds(6)
def test_changes_that_were_given_up_are_counted_once_whatever_else_counted_them(streamed: Streamed) -> None:
    counters = InMemoryCounters()
    count = counting(counters)
    delivered = [
        {"dynamodb": {**one, "ApproximateCreationDateTime": one["ApproximateCreationDateTime"].timestamp()}}
        for one in (record["dynamodb"] for record in streamed.records)
    ]
    count([change for record in delivered[:15] if (change := parse_change(record)) is not None])
    again = CountAgain(stream=DynamoChangeStream(streamed.client), count=count)
    for first, last in ((10, 25), (26, 39), (10, 25)):
        again(UncountedChanges.parse(streamed.letter(first, last)))
    tally = counters.read(RUN) or Tally()
    reached = (Metric.REQUESTED, Metric.STAGED, Metric.DOWNLOADED)
    assert {metric: tally.count(metric) for metric in reached} == dict.fromkeys(reached, ARCHIVES)
    assert tally.size[Metric.DOWNLOADED] == 10 * ARCHIVES


@pytest.mark.parametrize("letter", ["junk", "[]", "{}", '{"DDBStreamBatchInfo": {"shardId": "s"}}'])
def test_what_is_no_report_of_a_batch_is_refused(letter: str) -> None:
    with pytest.raises(InvalidInput):
        UncountedChanges.parse(letter)
