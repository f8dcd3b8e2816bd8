"""MessageQueue: any number of messages, in as few calls as the limits allow, none lost in silence."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import ANY, Stubber

from solution.application.adapters.queues import SqsQueue, SqsRedelivery
from solution.application.in_memory.queues import InMemoryQueue
from solution.application.ports.queues import MessageQueue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@pytest.fixture
def url(sqs: SQSClient) -> str:
    """An empty queue."""
    return sqs.create_queue(QueueName=f"queue-{uuid.uuid4().hex}")["QueueUrl"]


@pytest.fixture(params=["in memory", "SQS"])
def queue(request: pytest.FixtureRequest) -> MessageQueue:
    """Both implementations."""
    if request.param == "in memory":
        return InMemoryQueue()
    return SqsQueue(request.getfixturevalue("sqs"), request.getfixturevalue("url"))


def test_messages_are_accepted(queue: MessageQueue) -> None:
    assert queue.send([f"message {number}" for number in range(23)]) == []
    assert queue.send([]) == []


def test_every_message_arrives_once(sqs: SQSClient, url: str) -> None:
    bodies = [f"message {number}" for number in range(23)]
    SqsQueue(sqs, url).send(bodies)
    arrived: list[str] = []
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        arrived += [message["Body"] for message in batch]
    assert sorted(arrived) == sorted(bodies)


@pytest.mark.parametrize(("bodies", "calls"), [(["x"] * 20, 2), (["x"] * 21, 3), (["y" * 100_000] * 4, 2)])
def test_as_few_calls_are_made_as_the_limits_allow(sqs: SQSClient, url: str, bodies: list[str], calls: int) -> None:
    made: list[Any] = []

    def count(**call: Any) -> None:
        made.append(call)

    sqs.meta.events.register("before-call.sqs.SendMessageBatch", count)
    try:
        assert SqsQueue(sqs, url).send(bodies) == []
    finally:
        sqs.meta.events.unregister("before-call.sqs.SendMessageBatch", count)
    assert len(made) == calls


def test_refused_entries_are_tried_again_and_then_named(sqs: SQSClient) -> None:
    def failed(*positions: str) -> dict[str, Any]:
        return {
            "Successful": [],
            "Failed": [{"Id": one, "SenderFault": False, "Code": "InternalError"} for one in positions],
        }

    with Stubber(sqs) as stub:
        stub.add_response("send_message_batch", failed("0", "1"), {"QueueUrl": "q", "Entries": ANY})
        stub.add_response("send_message_batch", failed("1"), {"QueueUrl": "q", "Entries": ANY})
        stub.add_response("send_message_batch", failed("1"), {"QueueUrl": "q", "Entries": ANY})
        assert SqsQueue(sqs, "q").send(["a", "b", "c"]) == [1]
        stub.assert_no_pending_responses()


def test_a_postponed_message_comes_when_it_should(sqs: SQSClient, url: str) -> None:
    SqsQueue(sqs, url).send(["message"])
    receipt = sqs.receive_message(QueueUrl=url, VisibilityTimeout=3600)["Messages"][0]["ReceiptHandle"]
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    SqsRedelivery(sqs, url).postpone(receipt, 0)
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "message"
