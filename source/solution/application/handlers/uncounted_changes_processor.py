"""Lambda function UncountedChangesProcessor: counts what MetricsProcessor has given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.batches import sqs_batch
from solution.application.wiring import redelivery, retrieval
from solution.contract.messages import UncountedChanges

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A batch of SQS messages, each an `UncountedChanges`. Returns the failures among them."""
    return sqs_batch(event, context, _count, redelivery=redelivery.uncounted_changes)


def _count(record: SQSRecord) -> None:
    retrieval.count_again()(UncountedChanges.parse(record.body))
