"""Lambda function CalculateTimeout: how long to wait before the quota allows for more archives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import retrieval

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """``{"workflow_run"}``. Returns ``{"seconds"}``."""
    with bound(workflow_run=event["workflow_run"]):
        return {"seconds": retrieval.calculate_timeout()()}
