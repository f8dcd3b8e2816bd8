"""Lambda function SendAnonymizedStats: statistics, if the deployer turned them on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import orchestration
from solution.domain.archive import check_run_id

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run", "tier", "s3_storage_class", "started_at"}`` → ``{"sent"}``."""
    run = check_run_id(event["workflow_run"])
    with bound(workflow_run=run):
        sent = orchestration.send_stats()(
            run=run,
            tier=event["tier"],
            storage_class=event["s3_storage_class"],
            started_at=event["started_at"],
        )
        return {"sent": sent}
