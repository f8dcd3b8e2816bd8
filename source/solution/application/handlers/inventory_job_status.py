"""Lambda function InventoryJobStatus: a look at the inventory job when no notification came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import orchestration

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """``{"vault_name", "job_id"}`` → ``{"job_id", "succeeded", "message", "size", "in_progress"}``."""
    vault, job_id = event["vault_name"], event["job_id"]
    with bound(vault_name=vault, job_id=job_id):
        state = orchestration.describe_inventory_job()(vault=vault, job_id=job_id)
        return {
            "job_id": state.job_id,
            "succeeded": state.succeeded,
            "message": state.status_message,
            "size": state.inventory_size,
            "in_progress": not state.completed,
        }
