"""Lambda function NotificationsProcessor: from Glacier's notifications to chunks to copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import logger
from solution.application.use_cases.process_notifications import Incoming
from solution.application.wiring import retrieval

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """A batch of SQS messages, each a notification as Glacier wrote it. Returns the failures among them."""
    messages = [Incoming(message_id=record["messageId"], body=record["body"]) for record in event["Records"]]
    failed = retrieval.process_notifications()(messages)
    logger.info("Notifications handled", extra={"batch_size": len(messages), "failed": len(failed)})
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
