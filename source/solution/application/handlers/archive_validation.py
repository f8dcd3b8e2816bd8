"""Lambda function ArchiveValidation: proves and completes archives of several parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.batches import sqs_batch
from solution.application.observability import bound
from solution.application.wiring import redelivery, retrieval
from solution.contract.messages import ValidationMessage

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A batch of SQS messages, each a `ValidationMessage`. Returns the failures among them."""
    return sqs_batch(event, context, _validate, redelivery=redelivery.validations)


def _validate(record: SQSRecord) -> None:
    message = ValidationMessage.parse(record.body)
    with bound(workflow_run=message.run, archive_id=message.archive_id):
        retrieval.validate_archive()(message)
