"""Lambda function MetricsProcessor: keeps the counters, from the table's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import logger
from solution.application.use_cases.count_changes import Change, parse_change
from solution.application.wiring import retrieval

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """A batch of stream records, counted together. A record that cannot be read is reported, with all after it."""
    changes: list[Change] = []
    failures: list[dict[str, str]] = []
    for record in event["Records"]:
        try:
            change = parse_change(record)
        except (KeyError, ValueError):
            logger.exception("A stream record cannot be read", extra={"event_id": record.get("eventID")})
            failures = [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]
            break
        if change is not None:
            changes.append(change)
    retrieval.count_changes()(changes)
    return {"batchItemFailures": failures}
