"""Lambda function ChunkRetrieval: copies chunks from Glacier to S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.batches import sqs_batch
from solution.application.observability import bound
from solution.application.wiring import redelivery, retrieval
from solution.contract.messages import ChunkMessage

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A batch of SQS messages, each a `ChunkMessage`. Returns the failures among them."""
    return sqs_batch(event, context, _copy, redelivery=redelivery.chunks)


def _copy(record: SQSRecord) -> None:
    message = ChunkMessage.parse(record.body)
    with bound(workflow_run=message.run, archive_id=message.archive_id, part=message.part):
        retrieval.transfer_chunk()(message, deliveries=int(record.attributes.approximate_receive_count))
