"""Lambda function InventoryChunkTransfer: one range of the inventory is copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import orchestration
from solution.domain.chunk_plan import ChunkPlan

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run", "vault_name", "job_id", "upload_id", "key", "size", "range_bytes", "part"}``.

    Returns ``{"part", "bytes"}``.
    """
    plan = ChunkPlan(size=int(event["size"]), chunk_size=int(event["range_bytes"]))
    chunk = plan.chunk(int(event["part"]))
    with bound(workflow_run=event["workflow_run"], vault_name=event["vault_name"], job_id=event["job_id"]):
        copied = orchestration.transfer_inventory_range()(
            vault=event["vault_name"],
            job_id=event["job_id"],
            key=event["key"],
            upload_id=event["upload_id"],
            chunk=chunk,
        )
        return {"part": chunk.part, "bytes": copied}
