"""Lambda function AsyncFacilitator: answers waiting tasks, from the stream of AsyncFacilitatorTable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.batches import stream_batch
from solution.application.wiring import retrieval
from solution.contract.tables import FacilitatorItem

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A batch of stream records. Returns the failures among them."""
    return stream_batch(event, context, _answer)


def _answer(record: DynamoDBRecord) -> None:
    image = (record.dynamodb.new_image if record.dynamodb else None) or {}
    retrieval.answer_task()(
        task_token=image.get(FacilitatorItem.TASK_TOKEN), job_result=image.get(FacilitatorItem.JOB_RESULT)
    )
