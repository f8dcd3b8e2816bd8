"""Lambda function InventoryJobRequest: Glacier is asked for the inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import orchestration
from solution.domain.archive import check_run_id

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run", "vault_name"}`` → ``{"job_id"}``."""
    run, vault = check_run_id(event["workflow_run"]), event["vault_name"]
    with bound(workflow_run=run, vault_name=vault):
        return {"job_id": orchestration.request_inventory()(run=run, vault=vault)}
