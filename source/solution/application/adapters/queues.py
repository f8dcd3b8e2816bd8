"""SQS queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_sqs import SQSClient

MAX_ENTRIES = 10
MAX_BATCH_BYTES = 256 * 1024
"""What one SendMessageBatch takes (all entries together; "Amazon SQS message quotas")."""

_ATTEMPTS = 3


class SqsQueue:
    """`solution.application.ports.queues.MessageQueue` on SQS."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, bodies: Sequence[str]) -> list[int]:
        """As few SendMessageBatch calls as the limits allow; entries that were not taken are tried again."""
        refused: list[int] = []
        for batch in _batches(bodies):
            pending = batch
            for _ in range(_ATTEMPTS):
                answer = self._client.send_message_batch(
                    QueueUrl=self._url,
                    Entries=[{"Id": str(position), "MessageBody": bodies[position]} for position in pending],
                )
                pending = [int(failure["Id"]) for failure in answer.get("Failed", [])]
                if not pending:
                    break
            refused += pending
        return refused


def _batches(bodies: Sequence[str]) -> Iterator[list[int]]:
    batch: list[int] = []
    size = 0
    for position, body in enumerate(bodies):
        octets = len(body.encode())
        if batch and (len(batch) == MAX_ENTRIES or size + octets > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(position)
        size += octets
    if batch:
        yield batch
