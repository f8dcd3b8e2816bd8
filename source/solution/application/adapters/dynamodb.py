"""What the DynamoDB adapters share: values in DynamoDB's JSON, batched reads, conditional writes in batches."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from solution.domain.errors import Throttled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")

Item = dict[str, Any]
"""An item in DynamoDB's JSON: each value wrapped in its type."""

MAX_BATCH_GET = 100
MAX_BATCH_WRITE = 25
MAX_STATEMENTS = 25
_ATTEMPTS = 8
_UNTRUE = frozenset({"ConditionalCheckFailed", "ConditionalCheckFailedException", "DuplicateItem"})
_PASSING = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingError",
        "TransactionConflict",
    }
)


def text(value: str) -> dict[str, str]:
    """A string value."""
    return {"S": str(value)}


def number(value: int) -> dict[str, str]:
    """A number value."""
    return {"N": str(value)}


def slices(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """``values`` in pieces of at most ``size``."""
    return (values[start : start + size] for start in range(0, len(values), size))


def wait_before(attempt: int) -> None:
    """Full jitter before repeating what a batch left undone."""
    time.sleep(random.uniform(0, min(5.0, 0.05 * 2**attempt)))  # noqa: S311 - spreads retries, keeps no secret


def get_many(client: DynamoDBClient, table: str, keys: Sequence[Item]) -> list[Item]:
    """Items by key, consistent, 100 per BatchGetItem; absent ones are absent."""
    found: list[Item] = []
    for piece in slices(keys, MAX_BATCH_GET):
        pending: Any = {table: {"Keys": list(piece), "ConsistentRead": True}}
        for attempt in range(_ATTEMPTS):
            answer = client.batch_get_item(RequestItems=pending)
            found += answer["Responses"].get(table, [])
            pending = answer.get("UnprocessedKeys")
            if not pending:
                break
            wait_before(attempt)
        else:
            raise Throttled(f"table {table} left keys unread in {_ATTEMPTS} attempts")
    return found


def delete_many(client: DynamoDBClient, table: str, keys: Sequence[Item]) -> None:
    """Delete items, 25 per BatchWriteItem."""
    for piece in slices(keys, MAX_BATCH_WRITE):
        pending: Any = {table: [{"DeleteRequest": {"Key": key}} for key in piece]}
        for attempt in range(_ATTEMPTS):
            pending = client.batch_write_item(RequestItems=pending).get("UnprocessedItems")
            if not pending:
                break
            wait_before(attempt)
        else:
            raise Throttled(f"table {table} left items undeleted in {_ATTEMPTS} attempts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A PartiQL statement that writes one item, and its parameters in DynamoDB's JSON."""

    partiql: str
    parameters: Sequence[Item]


def write_many(client: DynamoDBClient, statements: Sequence[Statement]) -> list[bool]:
    """Carry out statements, 25 per BatchExecuteStatement; False for each whose condition did not hold.

    BatchWriteItem knows no conditions and TransactWriteItems writes every item twice; a batch of statements has
    conditions per item at one write unit per KB ("Running batch operations with PartiQL for DynamoDB"). Statements
    that are pushed back are repeated: a condition makes that safe.
    """
    held = [False] * len(statements)
    for positions in slices(range(len(statements)), MAX_STATEMENTS):
        pending: Sequence[int] = positions
        for attempt in range(_ATTEMPTS):
            answers = client.batch_execute_statement(
                Statements=[
                    {
                        "Statement": statements[position].partiql,
                        "Parameters": cast("Any", statements[position].parameters),
                    }
                    for position in pending
                ]
            )["Responses"]
            again: list[int] = []
            for position, answer in zip(pending, answers, strict=True):
                error = answer.get("Error")
                code = error.get("Code", "") if error else None
                held[position] = code is None
                if code in _PASSING:
                    again.append(position)
                elif code is not None and code not in _UNTRUE:
                    raise RuntimeError(f"statement {statements[position].partiql!r} failed: {error}")
            pending = again
            if not pending:
                break
            wait_before(attempt)
        else:
            raise Throttled(f"{len(pending)} statements were pushed back {_ATTEMPTS} times")
    return held
