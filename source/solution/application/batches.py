"""Batches of queue messages and stream records, each reported on its own (Powertools' batch processor)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from solution.application.use_cases.backoff import redelivery_delay

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from solution.application.ports.queues import Redelivery

_log = logging.getLogger(__name__)

SAFETY_SECONDS = 10.0
"""A function must have written down what it did this long before Lambda ends it."""


def sqs_batch(
    event: dict[str, Any],
    context: LambdaContext,
    act: Callable[[SQSRecord], None],
    *,
    redelivery: Callable[[], Redelivery] | None = None,
) -> dict[str, Any]:
    """Let ``act`` handle each message; those it raises for are logged, reported and come again.

    They come when the queue's visibility timeout is over, or with ``redelivery`` after `redelivery_delay`.
    """

    def logged(record: SQSRecord) -> None:
        try:
            act(record)
        except Exception:
            _log.exception("A message failed and comes again", extra={"message_id": record.message_id})
            if redelivery is not None:
                _postpone(record, redelivery)
            raise

    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    response = process_partial_response(event=event, record_handler=logged, processor=processor, context=context)
    return dict(response)


def _postpone(record: SQSRecord, redelivery: Callable[[], Redelivery]) -> None:
    delay = redelivery_delay(int(record.attributes.approximate_receive_count))
    try:
        redelivery().postpone(record.receipt_handle, delay)
    except Exception as error:  # noqa: BLE001 - then it comes when the visibility timeout is over
        _log.warning("A message could not be postponed", exc_info=error)


def stream_batch(
    event: dict[str, Any], context: LambdaContext, act: Callable[[DynamoDBRecord], None]
) -> dict[str, Any]:
    """Let ``act`` handle each stream record; Lambda carries on from the first one it raises for."""

    def logged(record: DynamoDBRecord) -> None:
        try:
            act(record)
        except Exception:
            _log.exception("A stream record failed and comes again", extra={"event_id": record.event_id})
            raise

    processor = BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)
    response = process_partial_response(event=event, record_handler=logged, processor=processor, context=context)
    return dict(response)


def seconds_left(context: LambdaContext) -> float:
    """How long the invocation may still work."""
    return context.get_remaining_time_in_millis() / 1000 - SAFETY_SECONDS
