"""Lambda function CalculateTimeout: how long to wait before the next partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import retrieval

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """``{"workflow_run", "partition": row of partitions.csv}``. Returns ``{"seconds"}``."""
    run = event["workflow_run"]
    with bound(workflow_run=run):
        return {"seconds": retrieval.calculate_timeout()(run, event["partition"])}
