"""`Attempts`, in memory and on DynamoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from solution.application.adapters.run_records import DynamoAttempts
from solution.application.in_memory.runs import InMemoryAttempts
from solution.application.ports.runs import Attempt

if TYPE_CHECKING:
    from solution.application.ports.runs import Attempts

FIRST, SECOND = (
    Attempt(run="run.a-1", execution_arn=f"arn:aws:states:us-east-1:1:execution:machine:run.a-1-{number}")
    for number in (1, 2)
)


@pytest.fixture(params=["in memory", "dynamodb"])
def attempts(request: pytest.FixtureRequest) -> Attempts:
    if request.param == "in memory":
        return InMemoryAttempts()
    client = request.getfixturevalue("dynamodb")
    client.create_table(
        TableName="metrics",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return DynamoAttempts(client=client, table="metrics")


def test_nothing_is_entered_at_first(attempts: Attempts) -> None:
    assert attempts.all() == []


def test_what_is_entered_is_there_until_it_is_taken_out(attempts: Attempts) -> None:
    attempts.add(FIRST)
    attempts.add(SECOND)
    attempts.add(FIRST)
    assert attempts.all() == [FIRST, SECOND]
    attempts.remove(FIRST)
    attempts.remove(FIRST)
    assert attempts.all() == [SECOND]
    attempts.remove(SECOND)
    assert attempts.all() == []
    attempts.add(FIRST)
    assert attempts.all() == [FIRST]
