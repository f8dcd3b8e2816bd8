"""Lambda function InventoryUploadStart: the inventory is cut into ranges and its upload opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import orchestration
from solution.domain.archive import check_run_id

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run", "job_id", "size"}`` → ``{"upload_id", "key", "range_bytes", "parts": [1, 2, …]}``.

    Numbers alone, for they travel in one state, which holds at most 256 KiB ("Step Functions service quotas").
    """
    run = check_run_id(event["workflow_run"])
    with bound(workflow_run=run, job_id=event["job_id"]):
        upload = orchestration.start_inventory_upload()(run=run, job_id=event["job_id"], size=int(event["size"] or 0))
        return {
            "upload_id": upload.upload_id,
            "key": upload.key,
            "range_bytes": upload.plan.chunk_size,
            "parts": list(range(1, upload.plan.count + 1)),
        }
