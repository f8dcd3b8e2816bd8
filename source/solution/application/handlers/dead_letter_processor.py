"""Lambda function DeadLetterProcessor: records as failed what the queues have given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.batches import sqs_batch
from solution.application.wiring import retrieval

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A batch of dead letters, each with the body of the message that was given up. Returns the failures among them."""
    return sqs_batch(event, context, _bury)


def _bury(record: SQSRecord) -> None:
    # The receipt that brings a dead letter here is counted too.
    attempts = max(1, int(record.attributes.approximate_receive_count) - 1)
    retrieval.bury_message()(record.body, attempts=attempts)
