"""SQS queues."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_sqs import SQSClient

MAX_ENTRIES = 10
MAX_BATCH_BYTES = 256 * 1024
"""What one SendMessageBatch takes (all entries together; "Amazon SQS message quotas")."""

_ATTEMPTS = 3
_WORKERS = 8


class SqsQueue:
    """`solution.application.ports.queues.MessageQueue` on SQS."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, bodies: Sequence[str]) -> list[int]:
        """As few SendMessageBatch calls as the limits allow; entries that were not taken are tried again."""
        batches = list(_batches(bodies))
        if len(batches) <= 1:
            return self._send(bodies, batches[0]) if batches else []
        # An archive of 10,000 chunks takes 1,000 calls; one after the other they would outlast the function.
        with ThreadPoolExecutor(max_workers=min(_WORKERS, len(batches))) as pool:
            refused = pool.map(lambda batch: self._send(bodies, batch), batches)
            return [position for positions in refused for position in positions]

    def _send(self, bodies: Sequence[str], batch: list[int]) -> list[int]:
        pending = batch
        for _ in range(_ATTEMPTS):
            answer = self._client.send_message_batch(
                QueueUrl=self._url,
                Entries=[{"Id": str(position), "MessageBody": bodies[position]} for position in pending],
            )
            pending = [int(failure["Id"]) for failure in answer.get("Failed", [])]
            if not pending:
                break
        return pending


class SqsRedelivery:
    """`solution.application.ports.queues.Redelivery` on SQS."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def postpone(self, receipt: str, seconds: int) -> None:
        """One ChangeMessageVisibility."""
        self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=seconds)


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
