"""Lambda function ProvidedInventoryCheck: an inventory that the user provided is read to its last row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import orchestration
from solution.domain.archive import check_run_id

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run"}`` → ``{"files", "bytes", "rows"}``."""
    run = check_run_id(event["workflow_run"])
    with bound(workflow_run=run):
        found = orchestration.check_provided_inventory()(run)
        return {"files": found.files, "bytes": found.size, "rows": found.rows}
