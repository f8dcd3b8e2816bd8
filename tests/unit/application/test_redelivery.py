"""Messages that failed come again soon at first, and later and later."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from solution.application.batches import sqs_batch
from solution.application.in_memory.queues import InMemoryRedelivery
from solution.application.ports.queues import Redelivery
from solution.application.use_cases.backoff import redelivery_delay

CONTEXT: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000, aws_request_id="request")
MOST_SQS_TAKES = 12 * 3600


def message(number: int, body: str, *, deliveries: int) -> dict[str, Any]:
    """As Lambda delivers it."""
    return {
        "messageId": str(number),
        "receiptHandle": f"receipt {number}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(deliveries)},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:queue",
        "awsRegion": "us-east-1",
    }


def act(record: Any) -> None:
    """Fails for bad ones."""
    if record.body == "bad":
        raise OSError("the network is down")


def test_only_what_failed_is_postponed_and_the_longer_the_more_often_it_came() -> None:
    redelivery = InMemoryRedelivery()
    records = [message(1, "good", deliveries=1), message(2, "bad", deliveries=1), message(3, "bad", deliveries=3)]
    answer = sqs_batch({"Records": records}, CONTEXT, act, redelivery=lambda: redelivery)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "3"}]}
    assert redelivery.postponed == [("receipt 2", 60), ("receipt 3", 3600)]


def test_a_message_that_cannot_be_postponed_still_comes_again() -> None:
    def broken() -> Redelivery:
        raise OSError("the network is down")

    answer = sqs_batch({"Records": [message(1, "bad", deliveries=1)]}, CONTEXT, act, redelivery=broken)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}


@pytest.mark.parametrize("deliveries", [0, 1, 4, 5, 1000])
def test_delays_are_such_that_sqs_takes(deliveries: int) -> None:
    assert 60 <= redelivery_delay(deliveries) <= MOST_SQS_TAKES


def test_five_deliveries_end_well_before_glacier_takes_the_archive_away() -> None:
    assert sum(redelivery_delay(deliveries) for deliveries in range(1, 5)) < 6 * 3600
