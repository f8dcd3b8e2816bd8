"""The table's stream, read by position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from solution.application.adapters.errors import code_of, message_of, translated
from solution.domain.errors import NotPossible, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solution.contract.messages import UncountedChanges

_GONE = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException"})
_EMPTY_PAGES = 100
"""So many in a row are no gap in a stream any more but one that holds nothing further."""


class DynamoChangeStream:
    """`solution.application.ports.changes.ChangeStream` on DynamoDB Streams."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def read(self, changes: UncountedChanges) -> Iterator[dict[str, Any]]:
        """One GetShardIterator, then one GetRecords per 1,000 records or MB."""
        last = int(changes.last)
        try:
            with translated():
                iterator = self._client.get_shard_iterator(
                    StreamArn=changes.stream_arn,
                    ShardId=changes.shard_id,
                    ShardIteratorType="AT_SEQUENCE_NUMBER",
                    SequenceNumber=changes.first,
                )["ShardIterator"]
            empty = 0
            while iterator is not None and empty < _EMPTY_PAGES:
                with translated():
                    answer = self._client.get_records(ShardIterator=iterator)
                for record in answer["Records"]:
                    number = int(record["dynamodb"]["SequenceNumber"])
                    if number <= last:
                        yield _as_delivered(record)
                    if number >= last:
                        return
                empty = 0 if answer["Records"] else empty + 1
                iterator = answer.get("NextShardIterator")
        except ClientError as error:
            if code_of(error) in _GONE:
                raise NotPossible(f"the stream holds these changes no more: {message_of(error)}") from error
            raise
        raise TransientError(f"the stream was read to its end, which came before {changes.last}")


def _as_delivered(record: dict[str, Any]) -> dict[str, Any]:
    """Lambda tells the time as a number; by its second `CountChanges` knows a record again."""
    change = record["dynamodb"]
    moment = change["ApproximateCreationDateTime"].timestamp()
    return {**record, "dynamodb": {**change, "ApproximateCreationDateTime": moment}}
