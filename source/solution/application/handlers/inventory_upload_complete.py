"""Lambda function InventoryUploadComplete: the parts of the inventory become one file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import orchestration

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run", "key", "upload_id", "size", "parts"}`` → ``{"key", "size"}``."""
    key, size = event["key"], int(event["size"])
    with bound(workflow_run=event["workflow_run"]):
        orchestration.complete_inventory_upload()(
            key=key, upload_id=event["upload_id"], size=size, parts=int(event["parts"])
        )
        return {"key": key, "size": size}
