"""Lambda function InventoryUploadComplete: the parts of the inventory become one file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import orchestration

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run", "job_id", "key", "upload_id", "size", "range_bytes"}`` → ``{"missing": [1, 7, …]}``."""
    with bound(workflow_run=event["workflow_run"], job_id=event["job_id"]):
        missing = orchestration.complete_inventory_upload()(
            key=event["key"],
            upload_id=event["upload_id"],
            job_id=event["job_id"],
            size=int(event["size"]),
            range_bytes=int(event["range_bytes"]),
        )
        return {"missing": missing}
